"""Exit and trade_manager together on real rows: sales that are due go before whatever else waits, however slow the database is."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, cast

import anyio
import anyio.lowlevel
import asyncpg
import pytest

from recio.db.connection import transaction
from recio.db.pool import open_pool
from recio.errors import Fatal
from recio.messages.account import SettlementSeen
from recio.messages.controls import TradingControls
from recio.supervisor import leading_fault
from recio.units import EventTicker, Side, Ticker
from recio.wires import Wires
from tests.builders import NOW, TICKER, prices
from tests.order_path import an_intent, bought, managed
from tests.tasks.test_exit_task import FLATTEN, exit_of
from tests.tasks.test_order_path_tasks import BLOCKED


@dataclass
class StandStill:
    """A clock that a test moves."""

    now: datetime = NOW
    speed: float = 1.0

    def utc(self) -> datetime:
        return self.now


@asynccontextmanager
async def slow_database(wires: Wires, dsn: str) -> AsyncGenerator[None]:
    """Within it a fact has its turn, which does not end; the next who waits is an entry."""
    async with open_pool(dsn, application_name="slow") as stranger, transaction(stranger) as connection:
        await connection.execute("LOCK TABLE settlements IN ACCESS EXCLUSIVE MODE")
        gone = SettlementSeen(ticker=Ticker("KX-GONE"), result=Side.YES, settled_at=NOW, revenue_cents=0)
        await wires.venue_facts.send(gone)
        with anyio.fail_after(10):
            while not await stranger.fetchval(BLOCKED):
                await anyio.lowlevel.checkpoint()
        decided_at = NOW + timedelta(minutes=1)
        fresh = replace(an_intent(decided_at, ticker=Ticker("KX-FRESH")), event_ticker=EventTicker("KX-NEXT"))
        await wires.open_intents.send(fresh)
        await anyio.wait_all_tasks_blocked()
        yield


async def a_sale_is_wanted(wires: Wires) -> None:
    with anyio.fail_after(10):
        while not wires.close_intents.unfinished:  # noqa: ASYNC110 - a queue has no event for that
            await anyio.sleep(0.01)


async def leave(wires: Wires, count: int) -> list[tuple[str, bool]]:
    with anyio.fail_after(10):
        orders = [await wires.orders.receive() for _ in range(count)]
    return [(each.ticker, each.reduce_only) for each in orders]


async def test_sales_that_are_due_together_get_their_rows_before_the_next_entry_or_fact_gets_its_turn(
    pool: asyncpg.Pool[asyncpg.Record], database_dsn: str
):
    """A turn of another between two of them takes a slow database longer than a decision may wait."""
    async with managed(pool) as wires, anyio.create_task_group() as group:
        await bought(wires)
        await bought(wires, Ticker("KX-OTHER"), "2")
        wires.controls.set(TradingControls(halts=(FLATTEN,)))
        wires.prices.set(prices())
        async with slow_database(wires, database_dsn):
            group.start_soon(exit_of(wires, pool).run, lambda _sentence: None)
            await a_sale_is_wanted(wires)
        assert await leave(wires, 3) == [(TICKER, True), ("KX-OTHER", True), ("KX-FRESH", False)]
        group.cancel_scope.cancel()


async def test_a_sale_that_was_too_old_when_its_turn_came_is_decided_anew_in_the_same_turn(
    pool: asyncpg.Pool[asyncpg.Record], database_dsn: str
):
    clock = StandStill()
    async with managed(pool, cast("Any", clock)) as wires, anyio.create_task_group() as group:
        await bought(wires)
        wires.controls.set(TradingControls(halts=(FLATTEN,)))
        wires.prices.set(prices())
        async with slow_database(wires, database_dsn):
            group.start_soon(replace(exit_of(wires, pool), clock=clock).run, lambda _sentence: None)
            await a_sale_is_wanted(wires)
            clock.now = NOW + timedelta(minutes=1)
        assert await leave(wires, 2) == [(TICKER, True), ("KX-FRESH", False)]
        group.cancel_scope.cancel()


async def test_a_sale_whose_trade_the_rows_do_not_hold_open_any_more_ends_the_daemon_instead_of_being_asked_for_for_ever(
    pool: asyncpg.Pool[asyncpg.Record],
):
    """A statement whose connection broke may be carried out behind the next reading of the rows. In the sales' own turn nobody
    would find it: no fact, no answer and no comparison goes between."""
    with pytest.raises(BaseExceptionGroup) as caught:
        async with managed(pool) as wires, anyio.create_task_group() as group:
            await bought(wires)
            wires.prices.set(prices())
            wires.controls.set(TradingControls(halts=(FLATTEN,)))
            await pool.execute("UPDATE trades SET state = 'closing'")
            group.start_soon(exit_of(wires, pool).run, lambda _sentence: None)
            with anyio.fail_after(10):
                await anyio.sleep_forever()
    fault = leading_fault(caught.value)
    assert isinstance(fault, Fatal), fault
    assert "trades: held" in str(fault)
