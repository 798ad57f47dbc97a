"""What rules remember, in rows: pauses of entry and trades of exit come back exactly, and go when there is nothing to remember."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal

import anyio
import asyncpg
import pytest
from msgspec.structs import replace as changed

from recio.clock import Clock
from recio.db import rule_memories
from recio.db.connection import Connection
from recio.messages.controls import TradingControls
from recio.messages.decisions import CloseIntent
from recio.messages.orders import TradeView
from recio.rules.account.risk import Approved, Collar
from recio.rules.decision.cycles import ExitCycle
from recio.rules.decision.exit import ExitMemory
from recio.rules.decision.momentum_pause import PauseMemory
from recio.rules.decision.strategy import Strategy
from recio.settings.trading import ExitSection
from recio.tasks import exit as exit_task
from recio.tasks.exit import Exit
from recio.units import Money, Price, TradeId
from recio.wires import Wires
from tests.builders import NOW, market, open_trades, prices, show, trade, view
from tests.order_path import an_intent
from tests.runs import begun, placed_entry

PAUSE = PauseMemory(minute=29_000_000, peak=41.123456789, calm=3)
OTHER = PauseMemory(minute=29_000_001, peak=36.0, calm=0)
REMEMBERED = ExitMemory(
    falling_since=NOW - timedelta(seconds=3, microseconds=7),
    met_before=2,
    last_attempt=NOW - timedelta(seconds=1),
    unsold_since=None,
    alarmed=True,
)


@pytest.fixture
async def connection(pool: asyncpg.Pool[asyncpg.Record]) -> AsyncIterator[Connection]:
    async with pool.acquire() as opened:
        yield opened


async def test_pauses_come_back_exactly_and_go_when_they_have_ended(connection: Connection):
    every = {"average": {"BTC": PAUSE, "ETH": OTHER}, "bold": {"BTC": OTHER}}
    await rule_memories.keep_pauses(connection, every)
    assert await rule_memories.recall_pauses(connection) == every
    fewer = {"average": {"BTC": OTHER}}
    await rule_memories.keep_pauses(connection, fewer)
    assert await rule_memories.recall_pauses(connection) == fewer
    await rule_memories.keep_pauses(connection, {})
    assert await rule_memories.recall_pauses(connection) == {}


@pytest.mark.parametrize(("column", "value"), [("minute", 0), ("peak", -1.0), ("calm", -1)])
async def test_a_pause_that_cannot_be_is_refused_by_the_database(
    connection: Connection, column: str, value: float
):
    with pytest.raises(asyncpg.CheckViolationError):
        await rule_memories.keep_pauses(connection, {"average": {"BTC": changed(PAUSE, **{column: value})}})


async def held_trade(connection: Connection) -> TradeView:
    """A row of a trade, seen as one that is open."""
    approved = Approved(
        intent=an_intent(),
        reserved=Money(5_374_800),
        collar=Collar(ask=Price(5_200), model_value=Decimal("0.55")),
    )
    command = await placed_entry(connection, await begun(connection), approved, NOW, timedelta(seconds=2))
    assert command is not None
    found: int = await connection.fetchval("SELECT trade_id FROM trades")
    return trade(trade_id=TradeId(found))


async def test_what_exit_remembers_comes_back_exactly_and_goes_with_the_trade(connection: Connection):
    held = (await held_trade(connection)).trade_id
    await rule_memories.keep_exits(connection, {held: REMEMBERED}, ())
    assert await rule_memories.recall_exits(connection) == {held: REMEMBERED}
    await rule_memories.keep_exits(connection, {held: ExitMemory(met_before=3)}, ())
    assert await rule_memories.recall_exits(connection) == {held: ExitMemory(met_before=3)}
    await rule_memories.keep_exits(connection, {}, [held])
    assert await rule_memories.recall_exits(connection) == {}


def exit_of(wires: Wires, pool: asyncpg.Pool[asyncpg.Record]) -> Exit:
    settings = ExitSection(stop_probability=0.9, retry_seconds=10)
    return Exit(
        clock=Clock(speed=1e-9, venue_origin=NOW.timestamp()),
        strategies=[Strategy(exit=settings)],
        prices=wires.prices,
        board=wires.board,
        open_trades=wires.open_trades,
        controls=wires.controls,
        close_intents=wires.close_intents,
        cycles=wires.cycles,
        pool=pool,
    )


def say(_sentence: str) -> None:
    """Nobody listens."""


async def first_cycle(wires: Wires) -> ExitCycle:
    with anyio.fail_after(20):
        while True:
            for each in wires.cycles.take()[0]:
                assert isinstance(each, ExitCycle)
                return each
            await wires.cycles.wait()


async def test_after_a_restart_exit_goes_on_with_what_it_remembered(
    pool: asyncpg.Pool[asyncpg.Record], connection: Connection, monkeypatch: pytest.MonkeyPatch
):
    """The second attempt was a second ago and the stop is still broken: the next one waits, and is content with less."""
    monkeypatch.setattr(exit_task, "KEEP_EVERY", 0.05)
    held = await held_trade(connection)
    await rule_memories.keep_exits(connection, {held.trade_id: REMEMBERED}, ())
    wires = Wires()
    wires.controls.set(TradingControls())
    wires.prices.set(prices())
    show(wires.board, view(market()))
    wires.open_trades.set(open_trades(trades=(held,)))
    async with anyio.create_task_group() as group:
        group.start_soon(exit_of(wires, pool).run, say)
        cycle = await first_cycle(wires)
        assert cycle.look.before == REMEMBERED
        assert not isinstance(cycle.decided.outcome, CloseIntent)
        wires.open_trades.set(open_trades())
        with anyio.fail_after(20):
            while await rule_memories.recall_exits(connection):  # noqa: ASYNC110 - rows ring no bell
                await anyio.sleep(0.02)
        group.cancel_scope.cancel()
    wires.close()


async def test_a_stop_waits_for_no_row_that_the_database_keeps_back_and_nothing_remembered_is_lost(
    pool: asyncpg.Pool[asyncpg.Record], connection: Connection, monkeypatch: pytest.MonkeyPatch
):
    """A transaction cannot be given up half-way: whoever waits for one at the start sells for seconds nothing."""
    monkeypatch.setattr(exit_task, "KEEP_EVERY", 0.05)
    monkeypatch.setattr(exit_task, "RECALL_LIMIT", 0.2)
    held = await held_trade(connection)
    await rule_memories.keep_exits(connection, {held.trade_id: REMEMBERED}, ())
    wires = Wires()
    wires.controls.set(TradingControls())
    wires.prices.set(prices())
    show(wires.board, view(market()))
    wires.open_trades.set(open_trades(trades=(held,)))
    task = exit_of(wires, pool)
    async with anyio.create_task_group() as group:
        async with pool.acquire() as keeper, keeper.transaction():
            await keeper.execute("LOCK TABLE exit_memories IN ACCESS EXCLUSIVE MODE")
            group.start_soon(task.run, say)
            with anyio.fail_after(6):
                cycle = await first_cycle(wires)
            assert cycle.look.before == ExitMemory()
        with anyio.fail_after(20):
            await task.kept.recalled.wait()
        assert (await rule_memories.recall_exits(connection)).keys() == {held.trade_id}
        group.cancel_scope.cancel()
    wires.close()


async def test_a_memory_that_cannot_be_read_ends_nothing(connection: Connection):
    held = (await held_trade(connection)).trade_id
    await rule_memories.keep_exits(connection, {held: ExitMemory(met_before=3)}, ())
    await connection.execute("""UPDATE exit_memories SET memory = '{"met_before": "many"}'""")
    assert await rule_memories.recall_exits(connection) == {}
