"""The exit task at its wires: each sale is decided on what is so when it can be taken up."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace

import anyio
import asyncpg
from msgspec.structs import replace as changed

from recio.clock import Clock
from recio.messages.controls import Halt, HaltLevel, TradingControls
from recio.messages.decisions import CloseIntent
from recio.messages.orders import TradeState, TradeView
from recio.rules.decision.strategy import Strategy
from recio.settings.trading import ExitSection
from recio.tasks.exit import Exit
from recio.units import Price, Ticker, TradeId
from recio.wires import Wires
from tests.builders import NOW, book, market, open_trades, prices, show, trade, view

FLATTEN = Halt(cause="asked for", since=NOW, by="me", resolution="look", level=HaltLevel.FLATTEN)
FIRST, SECOND = Ticker("KX-FIRST"), Ticker("KX-SECOND")


def exit_of(wires: Wires, pool: asyncpg.Pool[asyncpg.Record]) -> Exit:
    return Exit(
        clock=Clock(speed=1e-9, venue_origin=NOW.timestamp()),
        strategies=[Strategy(exit=ExitSection())],
        prices=wires.prices,
        board=wires.board,
        open_trades=wires.open_trades,
        controls=wires.controls,
        close_intents=wires.close_intents,
        cycles=wires.cycles,
        pool=pool,
    )


async def intent(wires: Wires) -> CloseIntent:
    with anyio.fail_after(20):
        return await wires.close_intents.receive()


async def test_of_two_sales_the_second_is_decided_when_the_first_has_its_row_on_the_book_of_that_moment(
    pool: asyncpg.Pool[asyncpg.Record],
):
    """While a row takes the database seconds, a sale that was decided with the first would be too old for its own."""
    wires, one, other = (
        Wires(),
        trade(ticker=FIRST),
        trade(trade_id=TradeId(2), ticker=SECOND),
    )
    wires.controls.set(TradingControls(halts=(FLATTEN,)))
    wires.prices.set(prices())
    shown = changed(view(market(ticker=SECOND)), book=book(4000, 4200))
    show(wires.board, view(market(ticker=FIRST)), shown)
    wires.open_trades.set(open_trades(trades=(one, other)))
    async with anyio.create_task_group() as group:
        group.start_soon(exit_of(wires, pool).run, lambda _sentence: None)
        assert (await intent(wires)).trade_id == one.trade_id
        await anyio.wait_all_tasks_blocked()
        show(wires.board, view(market(ticker=FIRST)), changed(shown, book=book(3000, 3200)))
        wires.open_trades.set(open_trades(trades=(replace(one, state=TradeState.CLOSING), other)))
        wires.close_intents.done()
        second = await intent(wires)
        assert (second.trade_id, second.floor < Price(3001)) == (other.trade_id, True)
        group.cancel_scope.cancel()
    wires.close()


async def test_the_next_sale_waits_for_the_row_of_the_one_before_whatever_else_the_rows_say_meanwhile(
    pool: asyncpg.Pool[asyncpg.Record],
):
    """What a fill or another order changes says nothing of the sale that waits."""
    async with two_to_sell(pool) as (wires, one, other):
        assert (await intent(wires)).trade_id == one.trade_id
        await anyio.wait_all_tasks_blocked()
        wires.open_trades.set(open_trades(trades=(one, other), orders_last_minute=5))
        await anyio.wait_all_tasks_blocked()
        assert wires.close_intents.depth == 0
        wires.open_trades.set(open_trades(trades=(replace(one, state=TradeState.CLOSING), other)))
        wires.close_intents.done()
        assert (await intent(wires)).trade_id == other.trade_id


async def test_a_sale_that_became_no_order_is_decided_anew_at_once_after_the_others(
    pool: asyncpg.Pool[asyncpg.Record],
):
    """It was too old when its turn came, or somebody holds the lock of its row. Nothing was tried, so no pause follows."""
    async with two_to_sell(pool) as (wires, one, other):
        for trade_id in (one.trade_id, other.trade_id, one.trade_id, other.trade_id):
            assert (await intent(wires)).trade_id == trade_id
            wires.close_intents.done()


@asynccontextmanager
async def two_to_sell(
    pool: asyncpg.Pool[asyncpg.Record],
) -> AsyncGenerator[tuple[Wires, TradeView, TradeView]]:
    """Exit sells two trades at once, and whoever reads its intents is the test."""
    wires = Wires()
    one, other = trade(ticker=FIRST), trade(trade_id=TradeId(2), ticker=SECOND)
    wires.controls.set(TradingControls(halts=(FLATTEN,)))
    wires.prices.set(prices())
    show(wires.board, view(market(ticker=FIRST)), view(market(ticker=SECOND)))
    wires.open_trades.set(open_trades(trades=(one, other)))
    async with anyio.create_task_group() as group:
        group.start_soon(exit_of(wires, pool).run, lambda _sentence: None)
        yield wires, one, other
        group.cancel_scope.cancel()
    wires.close()
