"""Exit and trade_manager together on real rows: sales that are due go before whatever else waits, however slow the database is."""

from __future__ import annotations

from dataclasses import replace

import anyio
import anyio.lowlevel
import asyncpg

from recio.db.connection import transaction
from recio.db.pool import open_pool
from recio.messages.account import SettlementSeen
from recio.messages.controls import TradingControls
from recio.units import EventTicker, Side, Ticker
from tests.builders import NOW, TICKER, prices
from tests.order_path import an_intent, bought, managed
from tests.tasks.test_exit_task import FLATTEN, exit_of
from tests.tasks.test_order_path_tasks import BLOCKED


async def test_sales_that_are_due_together_get_their_rows_before_the_next_entry_or_fact_gets_its_turn(
    pool: asyncpg.Pool[asyncpg.Record], database_dsn: str
):
    """A turn of another between two of them takes a slow database longer than a decision may wait."""
    async with (
        managed(pool) as wires,
        open_pool(database_dsn, application_name="slow") as stranger,
        anyio.create_task_group() as group,
    ):
        await bought(wires)
        await bought(wires, Ticker("KX-OTHER"), "2")
        wires.controls.set(TradingControls(halts=(FLATTEN,)))
        wires.prices.set(prices())
        async with transaction(stranger) as connection:
            await connection.execute("LOCK TABLE settlements IN ACCESS EXCLUSIVE MODE")
            gone = SettlementSeen(ticker=Ticker("KX-GONE"), result=Side.YES, settled_at=NOW, revenue_cents=0)
            await wires.venue_facts.send(gone)
            with anyio.fail_after(10):
                while not await stranger.fetchval(BLOCKED):
                    await anyio.lowlevel.checkpoint()
            fresh = replace(an_intent(ticker=Ticker("KX-FRESH")), event_ticker=EventTicker("KX-NEXT"))
            await wires.open_intents.send(fresh)
            await anyio.wait_all_tasks_blocked()
            group.start_soon(exit_of(wires, pool).run, lambda _sentence: None)
            with anyio.fail_after(10):
                while not wires.close_intents.unfinished:  # noqa: ASYNC110 - its first sale is on its way
                    await anyio.sleep(0.01)
        with anyio.fail_after(10):
            leaves = [await wires.orders.receive() for _ in range(3)]
        assert [(each.ticker, each.reduce_only) for each in leaves] == [
            (TICKER, True),
            ("KX-OTHER", True),
            ("KX-FRESH", False),
        ]
        group.cancel_scope.cancel()
