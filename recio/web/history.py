"""What the page shows of the past, a page at a time, from a transaction that can only read and is ended if it takes long."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import asyncpg

from recio.db import parity_days, past_trades
from recio.db.connection import Connection, bounded_read
from recio.db.past_trades import Asked
from recio.errors import Transient
from recio.report.text import trade_row
from recio.units import money_text
from recio.web.answers import TradesQuery, moment
from recio.web.refusals import NotAsked

PAGE = 50
DAYS = 400
LONGEST = 2.0

# One at a time, so that pages of the past never take more than one of the daemon's connections.
_turn = anyio.Semaphore(1)


async def trades_page(pool: asyncpg.Pool[asyncpg.Record], query: TradesQuery) -> dict[str, Any]:
    """Trades, newest first. Raises NotAsked(503) where they cannot be read now."""
    asked, offset = _asked(query), query.offset
    async with reading(pool) as connection:
        found = await past_trades.newest(connection, asked, offset, PAGE + 1)
    return {
        "trades": [trade_row(each) for each in found[:PAGE]],
        "offset": offset,
        "more": len(found) > PAGE,
    }


async def parity(pool: asyncpg.Pool[asyncpg.Record]) -> dict[str, Any]:
    """Live beside paper, a row for each day and strategy, newest first; money is live less paper."""
    async with reading(pool) as connection:
        known = await parity_days.newest(connection, DAYS)
    return {
        "days": [
            {
                "day": each.day.day.isoformat(),
                "strategy": each.day.strategy,
                "trades": each.day.trades,
                "compared": each.day.compared,
                "decided_otherwise": each.day.decided_otherwise,
                "price_difference": money_text(each.day.price_difference),
                "fee_difference": money_text(each.day.fee_difference),
                "pnl_difference": money_text(each.day.difference),
                "span_closes": each.span_closes,
                "span_difference": money_text(each.span_difference),
                "span_low": None if each.low is None else str(each.low),
                "span_high": None if each.high is None else str(each.high),
                "parted": each.parted,
            }
            for each in known
        ]
    }


async def days(pool: asyncpg.Pool[asyncpg.Record]) -> dict[str, Any]:
    """What each day of UTC came to, oldest first, as the counters have it."""
    async with reading(pool) as connection:
        known = await past_trades.days(connection, DAYS)
    return {
        "days": [
            {
                "day": each.day.isoformat(),
                "net_pnl": money_text(each.net),
                "fees": money_text(each.fees),
                "wins": each.wins,
                "losses": each.losses,
            }
            for each in known
        ]
    }


@asynccontextmanager
async def reading(pool: asyncpg.Pool[asyncpg.Record]) -> AsyncGenerator[Connection]:
    """Raises NotAsked(503) where the past cannot be read now."""
    try:
        async with _turn, bounded_read(pool, LONGEST) as connection:
            yield connection
    except (Transient, asyncpg.QueryCanceledError) as error:
        raise NotAsked(503, f"the past cannot be read now: {error}") from error


def _asked(query: TradesQuery) -> Asked:
    return Asked(
        kind=query.kind,
        mode=query.mode,
        since=moment(query.since),
        until=moment(query.until),
        strategy=query.strategy,
        ticker=query.ticker,
    )
