"""`recio lots`: what was bought and how it was closed, first in first out, for whoever prepares taxes; it only reads."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Sequence
from datetime import datetime
from itertools import chain

import anyio

from recio.commands.installation import Installation, add_installation, find_installation, rows_in
from recio.commands.options import moment
from recio.db.lots import CENT, ledger_says, markets
from recio.errors import ExitCode, Fatal
from recio.report.lots import COLUMNS, Lot, differs, lot_row, lots_of, totals
from recio.report.text import cells
from recio.texts import counted
from recio.units import money_decimal


def add_options(_name: str, parser: argparse.ArgumentParser) -> None:
    add_installation(parser)
    parser.add_argument(
        "--since", type=moment, metavar="WHEN", help="closed at or after this day or time, UTC"
    )
    parser.add_argument("--until", type=moment, metavar="WHEN", help="closed before this day or time, UTC")
    parser.add_argument("--held", action="store_true", help="those that are held instead")
    parser.add_argument("--json", action="store_true", help="one JSON object a line instead of CSV")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> ExitCode:
    found, told = anyio.run(_all, find_installation(options))
    chosen = [each for each in found if _is_asked(each, options.since, options.until, held=options.held)]
    _print(
        sorted(chosen, key=lambda each: (each.closed_at or each.opened_at, each.ticker)), as_json=options.json
    )
    for each in told:
        print(f"recio: {each}", file=sys.stderr)
    return ExitCode.OK


def _is_asked(lot: Lot, since: datetime | None, until: datetime | None, *, held: bool) -> bool:
    if lot.closed_at is None or held:
        return held and lot.closed_at is None
    return (since is None or lot.closed_at >= since) and (until is None or lot.closed_at < until)


async def _all(place: Installation) -> tuple[list[Lot], list[str]]:
    """Every lot, and in which markets the venue's own statement differs. Raises Fatal where the ledger does."""
    found: list[list[Lot]] = []
    told: list[str] = []
    async with rows_in(place, "recio lots") as connection:
        async for ticker, fills, settled in markets(connection):
            lots = lots_of(fills, settled)
            found.append(lots)
            if settled is not None and abs(off := differs(lots, settled)) >= CENT:
                told.append(
                    f"{ticker}: its lots paid {money_decimal(off)} dollars more than the venue's statement says"
                )
        ledger = await ledger_says(connection)
    every = list(chain.from_iterable(found))
    if totals(every) != ledger:
        cash, fees = (money_decimal(each) for each in totals(every))
        raise Fatal(
            f"the lots and the ledger differ: cash {cash} and {money_decimal(ledger[0])}, fees {fees} and"
            f" {money_decimal(ledger[1])}: nothing was printed; restart the daemon, which proves the ledger",
            ExitCode.DATA,
        )
    told.append(
        f"{counted(len(every), 'lot', 'lots')}; cash {money_decimal(ledger[0])} and fees {money_decimal(ledger[1])} as in the ledger"
    )
    return every, told


def _print(lots: Sequence[Lot], *, as_json: bool) -> None:
    if as_json:
        for each in lots:
            print(json.dumps(lot_row(each)))
        return
    table = csv.DictWriter(sys.stdout, COLUMNS, lineterminator="\n")
    table.writeheader()
    table.writerows(cells(lot_row(each)) for each in lots)
