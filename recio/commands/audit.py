"""`recio audit`: who did what, when, from what to what, and whether the log is whole; it only reads."""

from __future__ import annotations

import argparse
import json
import sys

import anyio

from recio.commands.installation import Installation, add_installation, find_installation, rows_in
from recio.commands.market_clock import tell_clocks
from recio.commands.options import moment, positive, some_words
from recio.db.audit_trail import Entry, Wanted, count, entries, prove_chain
from recio.db.connection import without_time_limit
from recio.errors import ExitCode, Fatal
from recio.times import time_text

IN_FULL = {
    ("order pending", "side"): "side of the YES book",
    ("order pending", "price"): "price of YES",
    ("order pending", "coin_price"): "price of the coin",
    ("order pending", "limit"): "own limit",
    ("order pending", "ask"): "own ask",
    ("fill", "price"): "price of YES",
    ("trade asked for", "price"): "own price",
    ("close asked for", "floor"): "own price at least",
}
"""The venue speaks of YES alone, whoever decides of the side that is held: a price says whose it is."""


def add_options(_name: str, parser: argparse.ArgumentParser) -> None:
    add_installation(parser)
    parser.add_argument("--since", type=moment, metavar="WHEN", help="at or after this day or time, UTC")
    parser.add_argument("--until", type=moment, metavar="WHEN", help="before this day or time, UTC")
    parser.add_argument(
        "--kind", type=some_words, metavar="TEXT", help='kinds that begin so: "limit", "halt set"'
    )
    parser.add_argument("--by", type=some_words, metavar="NAME", help="what this person did")
    parser.add_argument("--trade", type=positive, metavar="N", help="of one trade")
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="one JSON object a line")
    shape.add_argument("--verify", action="store_true", help="print no row, only whether the log is whole")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> ExitCode:
    wanted = Wanted(
        since=options.since, until=options.until, kind=options.kind, trade_id=options.trade, by=options.by
    )
    shape = "json" if options.json else "nothing" if options.verify else "text"
    return anyio.run(_print, find_installation(options), wanted, shape)


async def _print(place: Installation, wanted: Wanted, shape: str) -> ExitCode:
    """The rows as they come, then whether the whole chain holds. Raises Fatal where it does not."""
    async with rows_in(place, "recio audit") as connection:
        await tell_clocks(connection)
        await without_time_limit(connection)
        if shape != "nothing":
            async for entry in entries(connection, wanted):
                print(json.dumps(_object(entry)) if shape == "json" else _line(entry))
        try:
            await prove_chain(connection, whole=True)
        except Fatal as broken:
            raise Fatal(str(broken), ExitCode.DATA) from broken
        rows = await count(connection)
    print(f"recio: the log is whole: {rows:,} rows, each sealed with the one before", file=sys.stderr)
    return ExitCode.OK


def _object(entry: Entry) -> dict[str, object]:
    return {
        "seq": entry.seq,
        "at": time_text(entry.at),
        "kind": entry.kind,
        "trade": entry.trade_id,
        "order": entry.client_order_id,
        "detail": entry.detail,
    }


def _line(entry: Entry) -> str:
    of = f" trade {entry.trade_id}" if entry.trade_id is not None else ""
    told = ", ".join(
        f"{_named(entry, name)} {_said(value)}" for name, value in entry.detail.items() if value != ""
    )
    return f"{entry.seq:>8} {entry.at:%Y-%m-%d %H:%M:%S} {entry.kind}{of}: {told}"


def _named(entry: Entry, name: str) -> str:
    return IN_FULL.get((entry.kind, name), name)


def _said(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
