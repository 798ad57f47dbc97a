"""Asks the venue for what a restored backup had forgotten and tells it, until all of it has its rows; it writes none of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

import anyio
import asyncpg
import structlog

from recio.db import bringing_in, sifting
from recio.db.connection import transaction
from recio.kalshi.answers import Round
from recio.kalshi.past_account import PastReads
from recio.kalshi.rest import KalshiRest
from recio.messages.past_account import PastFact, PastRead
from recio.rules.account.forgotten import told
from recio.rules.account.reconcile import OVERLAP
from recio.test_hooks.crash_points import CrashPoint, reached
from recio.units import ClientOrderId

log: structlog.stdlib.BoundLogger = structlog.get_logger()
WRITTEN_WITHIN = 5.0
"""Host seconds until what is still without a row is told once more."""
Tell = Callable[[PastFact], Awaitable[None]]
SENTENCE = (
    "asks for what the restored backup had forgotten: nothing is bought before that is brought in;"
    " where the venue can never tell it, `recio forgo` ends the wait"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """Rows that are those of a backup, to which what it forgot is still to be brought."""

    pool: asyncpg.Pool[asyncpg.Record]
    rest: KalshiRest
    strategy: str
    """By whose rules a trade is sold that is made anew."""
    begun_at: datetime
    """By our clock: from then on no earlier run sends anything."""
    reads: PastReads
    told: set[ClientOrderId] = field(default_factory=set[ClientOrderId])
    """By rounds before."""

    async def tell_orders(self, asked: Round, tell: Tell) -> PastRead | None:
        """Those that have no row yet, as they were made. None where the list cannot be read."""
        found = await self.reads.read(self.rest, asked, partial(sifting.past_without_row, self.pool))
        reached(CrashPoint.PAST_ORDERS_READ)
        if found is None:
            return None
        orders = tuple(replace(each, strategy=self.strategy) for each in found.orders)
        for each in orders:
            await tell(each)
            reached(CrashPoint.PAST_ORDER_SENT)
        return replace(found, orders=orders)

    async def tell_end(
        self, found: PastRead, asked: Round, as_of: datetime | None, margin: timedelta, tell: Tell
    ) -> None:
        """Once nothing is told for the first time, by reads as of a time by which all has arrived that earlier runs had sent: so
        much later than we began as `margin` says.
        """
        names = {each.name for each in found.orders}
        is_known = names <= self.told
        self.told.update(names)
        if is_known and not asked.faults and as_of is not None and as_of > self.begun_at + margin:
            await tell(found)

    async def is_brought_in(self, written: Callable[[], Awaitable[None]]) -> bool:
        """By the rows, after all that was told is written."""
        with anyio.move_on_after(WRITTEN_WITHIN):
            await written()
        async with transaction(self.pool) as connection:
            done = await bringing_in.newest(connection)
        if done is None or done.finished_at is None:
            return False
        log.warning("brought in", sentence=told(done))
        return True


async def restored(
    pool: asyncpg.Pool[asyncpg.Record], rest: KalshiRest, tag: str, strategy: str, now: datetime
) -> Restored | None:
    """None where no restore is to be made good."""
    since = await _read_from(pool)
    if since is None:
        return None
    reads = PastReads(since=since - OVERLAP, tag=tag)
    return Restored(pool=pool, rest=rest, strategy=strategy, begun_at=now, reads=reads)


async def _read_from(pool: asyncpg.Pool[asyncpg.Record]) -> datetime | None:
    async with transaction(pool) as connection:
        return await bringing_in.read_from(connection)
