"""`recio trades` and `recio report`: trades of the past one by one, or what they came to; it only reads, beside the daemon or without it."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Sequence

import anyio

from recio.commands.installation import Installation, add_installation, find_installation, rows_in
from recio.commands.options import kind_of_trade, moment, refuse_backward, some_words
from recio.db.past_trades import Asked, past_trades
from recio.report.groups import groups
from recio.report.past_trades import Kind
from recio.report.report import Report, report_of
from recio.report.text import COLUMNS, cells, report_object, report_rows, report_text, trade_line, trade_row

USUAL = ("strategy", "month", "ended_by")


def add_options(name: str, parser: argparse.ArgumentParser) -> None:
    add_installation(parser)
    parser.add_argument(
        "--kind",
        type=kind_of_trade,
        choices=list(Kind),
        default=Kind.REAL,
        help="real trades (default), those on paper, or imported ones",
    )
    parser.add_argument(
        "--since", type=moment, metavar="WHEN", help="ended at or after this day or time, UTC"
    )
    parser.add_argument("--until", type=moment, metavar="WHEN", help="ended before this day or time, UTC")
    parser.add_argument("--strategy", type=some_words, metavar="NAME", help="of one strategy")
    parser.add_argument(
        "--ticker", type=some_words, metavar="TEXT", help="of markets that begin so: KXBTC15M"
    )
    parser.add_argument(
        "--mode", choices=("prod", "demo"), default="prod", help="of imported trades: the account they are of"
    )
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="print JSON")
    shape.add_argument("--csv", action="store_true", help="print CSV")
    if name == "report":
        parser.add_argument(
            "--by", type=some_words, nargs="+", choices=sorted(groups({})), default=USUAL, metavar="WHAT",
            help=f"tables to print: {', '.join(sorted(groups({})))}",
        )  # fmt: skip
    parser.set_defaults(command=_report if name == "report" else _trades)


def _asked(options: argparse.Namespace) -> Asked:
    """Raises BadConfig for a time that ends before it begins."""
    refuse_backward(options.since, options.until)
    return Asked(
        kind=options.kind,
        since=options.since,
        until=options.until,
        strategy=options.strategy,
        ticker=options.ticker,
        mode=options.mode,
    )


def _trades(options: argparse.Namespace) -> None:
    shape = "json" if options.json else "csv" if options.csv else "text"
    anyio.run(_print_trades, find_installation(options), _asked(options), shape)


async def _print_trades(place: Installation, asked: Asked, shape: str) -> None:
    """As they come, so that a year costs no memory. JSON: one object a line."""
    table, found = csv.DictWriter(sys.stdout, COLUMNS, lineterminator="\n"), False
    if shape == "csv":
        table.writeheader()
    async with rows_in(place, "recio trades") as connection:
        async for trade in past_trades(connection, asked):
            found = True
            match shape:
                case "json":
                    print(json.dumps(trade_row(trade)))
                case "csv":
                    table.writerow(cells(trade_row(trade)))
                case _:
                    print(trade_line(trade))
    if not found:
        print(f"recio: no {asked.kind} trades that were asked for", file=sys.stderr)


def _report(options: argparse.Namespace) -> None:
    report = anyio.run(_made, find_installation(options), _asked(options))
    if options.json:
        print(json.dumps(report_object(report), indent=1))
    elif options.csv:
        _print_rows([*report_rows(report)])
    else:
        print(report_text(report, tuple(options.by)))


async def _made(place: Installation, asked: Asked) -> Report:
    async with rows_in(place, "recio report") as connection:
        return await report_of(asked.kind, past_trades(connection, asked), place.series())


def _print_rows(rows: Sequence[dict[str, object]]) -> None:
    table = csv.DictWriter(sys.stdout, rows[0].keys(), lineterminator="\n")
    table.writeheader()
    table.writerows(map(cells, rows))
