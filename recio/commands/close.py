"""`recio close`: asks the running daemon to sell one trade, follows what it sells, and sends nothing itself."""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import anyio
import asyncpg

from recio.commands.database import said_of_rows
from recio.commands.event_loop import to_the_end
from recio.commands.installation import Installation, add_installation, find_installation, pool_of
from recio.commands.options import add_who_and_why, positive, price_option
from recio.commands.sales import listed, patiently, tell_sale
from recio.daemon.database import daemon_runs
from recio.db import closes, trades
from recio.db.connection import transaction
from recio.errors import ExitCode, Fatal
from recio.messages.orders import TradeView
from recio.rules.account.lifecycle import ENDED_TRADES
from recio.units import Price, TradeId

SOLD_WITHIN = 60.0
"""Host seconds to wait for the sale; the request holds until the trade has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    trade_id: TradeId
    floor: Price | None
    by: str
    why: str


@dataclass(slots=True)
class _Truth:
    """What is so at this moment, for whoever interrupts."""

    sentence: str


def add_options(_name: str, parser: argparse.ArgumentParser) -> None:
    add_installation(parser)
    parser.add_argument(
        "trade", type=positive, metavar="TRADE", help="its number, as the page and the log have it"
    )
    parser.add_argument(
        "--min-price",
        metavar="DOLLARS",
        help="the least to accept for one contract; default: whatever is bid",
    )
    add_who_and_why(parser)
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> ExitCode:
    floor = None if options.min_price is None else price_option("--min-price", options.min_price)
    what = Wanted(trade_id=TradeId(options.trade), floor=floor, by=options.by, why=options.why)
    place, truth = find_installation(options), _Truth("nothing was asked for, and nothing sold")
    return to_the_end(lambda: close(place, what, truth), lambda: truth.sentence)


async def close(place: Installation, what: Wanted, truth: _Truth) -> ExitCode:
    """Say each sale as its fills come in. 0: nothing of it is held any more. Raises Fatal where there is no such trade."""
    before: TradeView | None = None
    async with pool_of(place, "recio close") as pool:
        with anyio.CancelScope(shield=True), said_of_rows():
            before = await _ask(pool, what)
            truth.sentence = (
                f"trade {what.trade_id} is still to be sold: the request holds until it has ended"
            )
        if before is None or before.state in ENDED_TRADES:
            print(f"trade {what.trade_id} has ended already: {before.ended_by if before else 'unknown'}")
            return ExitCode.OK
        return await _follow(pool, before)


async def _ask(pool: asyncpg.Pool[asyncpg.Record], what: Wanted) -> TradeView:
    async with transaction(pool) as connection:
        try:
            trade = await trades.one(connection, what.trade_id)
        except KeyError:
            raise Fatal(f"there is no trade {what.trade_id}: the page and the log have the numbers") from None
        if trade.state not in ENDED_TRADES:
            await closes.ask(connection, what.trade_id, what.floor, what.by, what.why)
    return trade


async def _follow(pool: asyncpg.Pool[asyncpg.Record], known: TradeView) -> ExitCode:
    if not await _runs(pool):
        print(f"NOTHING IS SOLD until recio run starts; held: {listed([known])}", flush=True)
        return ExitCode.TEMPORARY
    async for _ in patiently(SOLD_WITHIN, f"waits until trade {known.trade_id} is sold"):
        async with transaction(pool) as connection:
            now = await trades.one(connection, known.trade_id)
        tell_sale(known, now)
        known = now
        if known.state in ENDED_TRADES:
            print(f"trade {known.trade_id} has ended: {known.ended_by}", flush=True)
            return ExitCode.OK
        if not await _runs(pool):
            break
    print(
        f"STILL HELD: {listed([known])}; a running daemon goes on selling, its log says what is in the way",
        flush=True,
    )
    return ExitCode.TEMPORARY


async def _runs(pool: asyncpg.Pool[asyncpg.Record]) -> bool:
    async with transaction(pool) as connection:
        return await daemon_runs(connection)
