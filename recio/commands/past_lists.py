"""`recio history`: the lists of the past that the page has, with the same filters and orders; it only reads, beside the daemon or without it."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import AsyncGenerator, Mapping
from typing import TypeAlias

import anyio

from recio.commands.installation import Installation, add_installation, find_installation, rows_in
from recio.commands.market_clock import tell_clocks
from recio.commands.options import kind_of_trade, moment, positive, refuse_backward, some_words
from recio.db import past_lists
from recio.db.connection import Connection, read_only, without_time_limit
from recio.db.past_lists import Wanted
from recio.errors import BadConfig
from recio.report.past_list_text import cell
from recio.report.past_lists import LISTS, PastList
from recio.report.past_trades import Kind
from recio.report.text import cells

AT_ONCE = 500
USUAL = 50
"""Rows for a person; files and JSON have all of them."""
WIDEST = 40
Row: TypeAlias = "Mapping[str, str | int | None]"


def add_options(_name: str, parser: argparse.ArgumentParser) -> None:
    lists = parser.add_subparsers(required=True, metavar="LIST")
    for of in LISTS.values():
        _add_list(lists.add_parser(of.name, help=of.title), of)


def _add_list(parser: argparse.ArgumentParser, of: PastList) -> None:
    add_installation(parser)
    kinds = [each for each in Kind if each in of.kinds]
    parser.add_argument(
        "--kind", type=kind_of_trade, choices=kinds, default=kinds[0], help=f"default: {kinds[0]}"
    )
    if Kind.IMPORTED in of.kinds:
        parser.add_argument(
            "--mode",
            choices=("prod", "demo"),
            default="prod",
            help="of imported rows: the account they are of",
        )
    parser.add_argument(
        "--since", type=moment, metavar="WHEN", help=f"{of.time} at or after this day or time, UTC"
    )
    parser.add_argument(
        "--until", type=moment, metavar="WHEN", help=f"{of.time} before this day or time, UTC"
    )
    if of.has("ticker"):
        parser.add_argument(
            "--ticker", type=some_words, metavar="TEXT", help="of markets that begin so: BTC, KXBTC15M"
        )
    if of.has("strategy"):
        parser.add_argument("--strategy", type=some_words, metavar="NAME", help="of one strategy")
    parser.add_argument(
        "--text", type=some_words, metavar="TEXT", help=f"that have it in {', '.join(of.searched)}"
    )
    for name, words in of.picks.items():
        parser.add_argument(f"--{name}", choices=words, metavar="WORD", help=", ".join(words))
    parser.add_argument(
        "--sort",
        choices=[each.name for each in of.columns],
        default=of.time,
        metavar="COLUMN",
        help=f"default: {of.time}",
    )
    parser.add_argument("--up", action="store_true", help="the oldest or lowest first")
    parser.add_argument(
        "--most", type=positive, metavar="N", help=f"so many rows (a person: {USUAL}, else all)"
    )
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="one JSON object a line")
    shape.add_argument("--csv", action="store_true", help="print CSV")
    parser.set_defaults(command=run, of=of)


def run(options: argparse.Namespace) -> None:
    shape = "json" if options.json else "csv" if options.csv else "text"
    most = options.most or (USUAL if shape == "text" else None)
    anyio.run(_print, find_installation(options), _wanted(options), shape, most)


def _wanted(options: argparse.Namespace) -> Wanted:
    """Raises BadConfig for a column that this kind does not have, and a time that ends before it begins."""
    refuse_backward(options.since, options.until)
    of, kind = options.of, options.kind
    there = [each.name for each in of.columns_of(kind)]
    words = {
        name: getattr(options, name)
        for name in (*of.picks, "strategy")
        if getattr(options, name, None) is not None
    }
    for option, name in (("sort", options.sort), *((each, each) for each in words)):
        if name not in there:
            raise BadConfig(f"--{option}: {kind} {of.name} have no {name}; they have {', '.join(there)}")
    return Wanted(
        of=of,
        kind=kind,
        sort=options.sort,
        down=not options.up,
        mode=getattr(options, "mode", "prod"),
        since=options.since,
        until=options.until,
        ticker=getattr(options, "ticker", None),
        text=options.text,
        words=words,
    )


async def _print(place: Installation, wanted: Wanted, shape: str, most: int | None) -> None:
    columns = wanted.of.columns_of(wanted.kind)
    async with rows_in(place, "recio history") as connection:
        await read_only(connection)
        await without_time_limit(connection)
        if wanted.of.name == "actions":
            await tell_clocks(connection)
        rows = _rows(connection, wanted, most)
        match shape:
            case "json":
                async for row in rows:
                    print(json.dumps(row))
            case "csv":
                table = csv.DictWriter(sys.stdout, [each.name for each in columns], lineterminator="\n")
                table.writeheader()
                async for row in rows:
                    table.writerow(cells(row))
            case _:
                _print_table(wanted, [row async for row in rows])


async def _rows(connection: Connection, wanted: Wanted, most: int | None) -> AsyncGenerator[Row]:  # noqa: ASYNC900 - what it holds ends with the transaction
    """As they come, so that a year costs no memory."""
    columns, told = wanted.of.columns_of(wanted.kind), 0
    async for row in past_lists.every(connection, wanted, AT_ONCE):
        if told == most:
            return
        told += 1
        yield {each.name: cell(each.of, row[each.name]) for each in columns}


def _print_table(wanted: Wanted, rows: list[Row]) -> None:
    """Each column as wide as what it holds, up to a limit; what is cut ends in two dots."""
    if not rows:
        print(f"recio: no {wanted.kind} {wanted.of.name} that were asked for", file=sys.stderr)
    shown = [each for each in wanted.of.columns_of(wanted.kind) if wanted.kind in each.shown]
    table = [[each.title for each in shown], *([_said(row[each.name]) for each in shown] for row in rows)]
    widths = [min(WIDEST, max(map(len, column))) for column in zip(*table, strict=True)]
    for line in table:
        print("  ".join(f"{_cut(text):<{width}}" for text, width in zip(line, widths, strict=True)).rstrip())


def _cut(text: str) -> str:
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 2]}.."


def _said(value: str | int | None) -> str:
    return "" if value is None else str(value).replace("\n", " ")
