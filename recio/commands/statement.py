"""`recio statement`: the own books beside what the venue says, to the last hundredth of a cent; it changes neither."""

from __future__ import annotations

import argparse
import json

import aiohttp
import anyio

from recio.commands.installation import Installation, add_installation, find_installation, rows_in
from recio.daemon.venue import find_venue
from recio.db import statement_rows
from recio.errors import BadConfig, ExitCode, Fatal, Transient
from recio.kalshi import account
from recio.kalshi.responses import VenueRefused
from recio.kalshi.rest import KalshiRest
from recio.kalshi.settlements import ExactValues, read_settlements
from recio.report.lots import Settled
from recio.report.statement import Statement, statement, statement_row, statement_text
from recio.settings.config import Config, load
from recio.units import Money, Ticker

LOOKS, BETWEEN = 3, 3.0
"""A fill may be on its way here while both are read: what differs at each of so many looks, so many host seconds apart, does."""
CENT = 10_000


def add_options(_name: str, parser: argparse.ArgumentParser) -> None:
    add_installation(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> ExitCode:
    place = find_installation(options)
    if place.config is None:
        raise BadConfig(
            "recio statement asks the venue, and needs the config that names its key: say --config FILE"
        )
    found = anyio.run(compared, place, load(place.config))
    print(json.dumps(statement_row(found), indent=2) if options.json else statement_text(found))
    return ExitCode.DATA if found.differences else ExitCode.OK


async def compared(place: Installation, config: Config) -> Statement:
    """Raises BadConfig, and Fatal with 75 where the venue is away or a row of it cannot be read."""
    where = find_venue(config)
    async with aiohttp.ClientSession() as session:
        rest = KalshiRest(
            session=session,
            base_url=where.rest_url,
            signer=where.signer,
            clock=where.clock,
            timeout_seconds=config.kalshi.request_timeout_seconds,
        )
        found = await _look(place, rest)
        for _ in range(LOOKS - 1):
            if not found.differences:
                break
            await anyio.sleep(BETWEEN)
            found = await _look(place, rest)
    return found


async def _look(place: Installation, rest: KalshiRest) -> Statement:
    """The venue first: what it tells had happened, and the rows that are read then may have it."""
    exact = ExactValues()
    try:
        cash = (await account.balances(rest)).total
        fills = await account.fills(rest, None)
        settled = await read_settlements(rest, None, exact)
    except (Transient, VenueRefused) as error:
        raise Fatal(f"the venue's statement cannot be read: {error}", ExitCode.TEMPORARY) from error
    if exact.waiting:
        raise Fatal(f"the venue's statement is not whole: {exact.waiting}", ExitCode.TEMPORARY)
    async with rows_in(place, "recio statement") as connection:
        ours = await statement_rows.own_side(connection)
        begins = await statement_rows.begins(connection)
    ends: dict[Ticker, Settled] = {}
    for each in sorted(settled, key=lambda each: each.settled_at):  # its last word counts
        ends[each.ticker] = Settled(
            value=each.yes_value, at=each.settled_at, revenue=Money(each.revenue_cents * CENT)
        )
    return statement(ours, fills, ends, cash, begins)
