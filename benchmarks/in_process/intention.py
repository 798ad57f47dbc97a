"""The transaction that writes an intention down, against one row committed on the same server."""

from __future__ import annotations

import statistics
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import anyio
import asyncpg

from benchmarks.figures import Figure
from benchmarks.in_process.timing import against
from benchmarks.run import Run
from recio.db import trade_store
from recio.db.connection import transaction
from recio.db.pool import open_pool
from recio.rules.account.risk import Approved, Collar
from recio.settings.risk import RiskSection
from recio.units import Money, Ticker
from tests.builders import section
from tests.order_path import an_intent
from tests.runs import begun

COMMITS = 200
MANY = 1_000_000
BOUNDLESS = section(
    RiskSection,
    max_entries_per_event=MANY,
    max_event_cost_dollars=Decimal(MANY),
    max_open_trades=MANY,
    max_open_cost_dollars=Decimal(MANY),
    max_daily_loss_dollars=Decimal(MANY),
    max_orders_per_minute=MANY,
)


def measure(run: Run) -> list[Figure]:
    return [anyio.run(_commits, run.databases.fresh("intention"), run.many(COMMITS))]


async def _commits(dsn: str, commits: int) -> Figure:
    async with open_pool(dsn, application_name="bench") as pool:
        return await _compared(pool, commits)


async def _compared(pool: asyncpg.Pool[asyncpg.Record], commits: int) -> Figure:
    async with transaction(pool) as connection:
        await connection.execute("CREATE TABLE floor (x int)")
        writer = await begun(connection, BOUNDLESS)

    async def intend(number: int) -> None:
        intent = an_intent(datetime.now(UTC), Ticker(f"KX-{number}"))
        collar = Collar(ask=intent.limit, model_value=Decimal("0.55"))
        async with transaction(pool) as connection:
            await trade_store.place_entry(
                connection,
                writer,
                Approved(intent=intent, reserved=Money(1), collar=collar),
                intent.decided_at,
                timedelta(1),
            )

    async def insert(number: int) -> None:
        async with transaction(pool) as connection:
            await connection.execute("INSERT INTO floor VALUES ($1)", number)

    ours, floor = await _median(intend, commits), await _median(insert, commits)
    return against("durable intention, its rows alone", ours, floor, "one-row transaction")


async def _median(work: Callable[[int], Awaitable[None]], commits: int) -> float:
    times: list[float] = []
    for number in range(commits):
        began = time.perf_counter()
        await work(number)
        times.append(time.perf_counter() - began)
    return statistics.median(times)
