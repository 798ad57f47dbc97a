"""Rows of markets: those that have closed are forgotten after a while, those that are held never."""

from __future__ import annotations

from datetime import timedelta

import asyncpg

from recio.db import market_data
from recio.db.connection import transaction
from recio.units import Ticker
from tests.builders import NOW, market


async def test_markets_that_closed_are_forgotten_but_for_those_that_are_held(
    pool: asyncpg.Pool[asyncpg.Record],
):
    gone = market(ticker=Ticker("KX-GONE"), close_time=NOW)
    held = market(ticker=Ticker("KX-HELD"), close_time=NOW)
    open_still = market(ticker=Ticker("KX-OPEN"), close_time=NOW + timedelta(seconds=1))
    trade = """
        INSERT INTO trades (strategy, ticker, event_ticker, side, state, opened_at, closes_at, why, inputs)
        VALUES ('average', $1, 'E', 'yes', 'opening', $2, $2, 'test', '{}')
    """
    async with transaction(pool) as connection:
        await market_data.note_markets(connection, [gone, held, open_still])
        await connection.execute(trade, held.ticker, NOW)
        await market_data.expire_markets(connection, NOW + timedelta(seconds=1))
        left = await connection.fetch("SELECT ticker FROM markets ORDER BY ticker")
    assert [each["ticker"] for each in left] == ["KX-HELD", "KX-OPEN"]
