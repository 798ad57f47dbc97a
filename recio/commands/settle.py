"""`recio settle`: asks the daemon to settle a market whose end the venue does not tell, and says what came of it; it writes a request only."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass

import anyio
import asyncpg

from recio.commands.database import said_of_rows
from recio.commands.event_loop import to_the_end
from recio.commands.installation import Installation, add_installation, find_installation, pool_of
from recio.commands.options import some_words
from recio.commands.sales import patiently
from recio.daemon.database import daemon_runs
from recio.db import settle_requests, trades
from recio.db.connection import Connection, transaction
from recio.errors import BadConfig, ExitCode, Fatal
from recio.units import ONE_DOLLAR, Price, Ticker, TradeId, UnitError, price, price_text

ANSWER_WITHIN = 20.0
"""Host seconds to wait for the daemon's answer; the request holds until it comes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    market: str
    """A ticker, or the number of a trade."""
    value: Price
    by: str
    why: str


@dataclass(slots=True)
class _Truth:
    """What is so at this moment, for whoever interrupts."""

    sentence: str


def add_options(_name: str, parser: argparse.ArgumentParser) -> None:
    add_installation(parser)
    parser.add_argument("market", metavar="TRADE|TICKER", help="the number of a trade, or its market")
    parser.add_argument(
        "--at",
        required=True,
        metavar="DOLLARS",
        help="what one contract of YES pays: 1 where YES won, 0 where NO won, or a value such as 0.37",
    )
    parser.add_argument(
        "--by", required=True, type=some_words, metavar="NAME", help="who says so, for the record"
    )
    parser.add_argument(
        "--why", required=True, type=some_words, metavar="TEXT", help="how it is known, for the record"
    )
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> ExitCode:
    what = Wanted(market=options.market, value=value_option(options.at), by=options.by, why=options.why)
    place, truth = find_installation(options), _Truth("nothing was asked for, and nothing settled")
    return to_the_end(lambda: settle(place, what, truth), lambda: truth.sentence)


def value_option(text: str) -> Price:
    """Dollars that one contract of YES pays. Raises BadConfig naming the option."""
    try:
        value = price(text)
    except UnitError as error:
        raise BadConfig(f"--at {text} is refused: {error}") from error
    if not 0 <= value <= ONE_DOLLAR:
        cents = f"; did you mean 0.{text}?" if text.isdecimal() and len(text) == 2 else ""
        raise BadConfig(f"--at {text} is refused: dollars that one contract of YES pays, from 0 to 1{cents}")
    return value


async def settle(place: Installation, what: Wanted, truth: _Truth) -> ExitCode:
    """0: it is settled. Raises Fatal where there is no such trade, or the daemon says no."""
    number, runs, stands = 0, False, ""
    async with pool_of(place, "recio settle") as pool:
        with anyio.CancelScope(shield=True), said_of_rows():
            async with transaction(pool) as connection:
                ticker = await _ticker(connection, what.market)
                number = await settle_requests.ask(connection, ticker, what.value, what.by, what.why)
                runs = await daemon_runs(connection)
            stands = f"request {number} to settle {ticker} at {price_text(what.value)} stands"
            truth.sentence = f"{stands}; the log says what becomes of it"
        if not runs:
            print(f"NOTHING IS SETTLED until recio run starts: {stands}", flush=True)
            return ExitCode.TEMPORARY
        return await _answer(pool, number, stands)


async def _ticker(connection: Connection, market: str) -> Ticker:
    """Of a live trade, or of one that was settled by hand. Raises Fatal naming what was asked for."""
    if not market.isdecimal():
        ticker = Ticker(market)
    else:
        try:
            ticker = (await trades.one(connection, TradeId(int(market)))).ticker
        except KeyError:
            raise Fatal(
                f"there is no trade {market}, nothing was asked for: the page and the log have the numbers"
            ) from None
    if not await trades.was_traded(connection, ticker):
        raise Fatal(
            f"recio never traded {ticker}, nothing was asked for: the page and the log have the markets"
        )
    return ticker


async def _answer(pool: asyncpg.Pool[asyncpg.Record], number: int, stands: str) -> ExitCode:
    async for _ in patiently(ANSWER_WITHIN, "waits until the daemon has settled it"):
        async with transaction(pool) as connection:
            found = await settle_requests.answered(connection, number)
        if found is not None and not found.accepted:
            raise Fatal(f"not settled: {found.sentence}")
        if found is not None:
            print(found.sentence, flush=True)
            print("recio: a later word of the venue corrects it", file=sys.stderr)
            return ExitCode.OK
    print(f"NOT SETTLED YET: {stands}; the daemon has not answered, its log says why", flush=True)
    return ExitCode.TEMPORARY
