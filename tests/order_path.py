"""The order path for tests: a running trade_manager on real rows, its wires, and an entry that was bought and filled whole."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import anyio
import asyncpg

from recio.clock import Clock
from recio.db.connection import transaction
from recio.db.trade_store import Writer
from recio.messages.account import FillSeen
from recio.messages.decisions import OpenIntent
from recio.messages.orders import OrderAccepted, PlaceOrder, TradeState
from recio.rules.decision.strategy import Strategy
from recio.settings.risk import RiskSection
from recio.tasks.entry import Entry
from recio.tasks.trade_manager import TradeManager
from recio.units import BookSide, FillId, Money, Price, Quantity, Side, Ticker, VenueOrderId
from recio.wires import Wires
from tests.builders import EVENT, NOW, TICKER, account, market, show, view
from tests.runs import begun

AT_NOW = Clock(speed=1e-9, venue_origin=NOW.timestamp())
VENUE_ID = VenueOrderId("v-1")
"""Of the entry that `bought` has answered."""


def an_intent(decided_at: datetime = NOW, ticker: Ticker = TICKER) -> OpenIntent:
    return OpenIntent(
        strategy="average",
        ticker=ticker,
        event_ticker=EVENT,
        exchange_index=2,
        side=Side.YES,
        quantity=Quantity(1000),
        limit=Price(5200),
        probability=0.55,
        fee_estimate=Money(174_800),
        closes_at=NOW + timedelta(minutes=10),
        decided_at=decided_at,
        why="test",
        inputs={},
    )


def manager_on(
    pool: asyncpg.Pool[asyncpg.Record], wires: Wires, writer: Writer, clock: Clock = AT_NOW
) -> TradeManager:
    return TradeManager(
        pool=pool,
        clock=clock,
        limits=RiskSection(),
        writer=writer,
        account=wires.account,
        board=wires.board,
        open_intents=wires.open_intents,
        close_intents=wires.close_intents,
        outcomes=wires.outcomes,
        venue_facts=wires.venue_facts,
        open_trades=wires.open_trades,
        orders=wires.orders,
    )


@asynccontextmanager
async def managed(pool: asyncpg.Pool[asyncpg.Record], clock: Clock = AT_NOW) -> AsyncIterator[Wires]:
    """A running trade_manager with its wires; its rows were read when this is entered."""
    async with transaction(pool) as connection:
        writer = await begun(connection)
    wires = Wires()
    wires.account.set(account())
    show(
        wires.board,
        view(),
        view(market(ticker=Ticker("KX-OTHER"))),
        view(market(ticker=Ticker("KX-FRESH"))),
    )
    manager = manager_on(pool, wires, writer, clock)
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(manager.run, lambda _sentence: None)
            with anyio.fail_after(10):
                await wires.open_trades.newer_than(0)
            yield wires
            group.cancel_scope.cancel()
    finally:
        wires.close()


async def seen(wires: Wires, condition: Callable[[Wires], object]) -> None:
    with anyio.fail_after(10):
        version = 0
        while not condition(wires):
            version = await wires.open_trades.newer_than(version)


def states(wires: Wires) -> list[TradeState]:
    now = wires.open_trades.get()
    return [trade.state for trade in (now.trades if now else ())]


async def bought(wires: Wires, ticker: Ticker = TICKER, name: str = "1") -> PlaceOrder:
    """An entry that was answered and filled whole: ten contracts at 52 cents."""
    await wires.open_intents.send(an_intent(ticker=ticker))
    with anyio.fail_after(10):
        command = await wires.orders.receive()
    venue_id = VenueOrderId(f"v-{name}")
    answer = OrderAccepted(
        client_order_id=command.client_order_id,
        venue_order_id=venue_id,
        filled=Quantity(1000),
        remaining=Quantity(0),
        at=NOW,
    )
    await wires.outcomes.send(answer)
    fill = FillSeen(
        fill_id=FillId(f"f-{name}"),
        venue_order_id=venue_id,
        ticker=ticker,
        book_side=BookSide.BID,
        price=Price(5200),
        quantity=Quantity(1000),
        fee=Money(174_800),
        is_taker=True,
        at=NOW,
    )
    await wires.venue_facts.send(fill)
    await seen(wires, lambda w: is_held(w, ticker))
    return command


def is_held(wires: Wires, ticker: Ticker) -> bool:
    now = wires.open_trades.get()
    return (ticker, TradeState.OPEN) in [(each.ticker, each.state) for each in (now.trades if now else ())]


def entry_on(
    wires: Wires,
    pool: asyncpg.Pool[asyncpg.Record],
    clock: Clock,
    strategies: Sequence[Strategy],
    limits: RiskSection,
) -> Entry:
    """The entry task on these wires, as the composition makes it."""
    return Entry(
        clock=clock,
        strategies=strategies,
        limits=limits,
        prices=wires.prices,
        board=wires.board,
        account=wires.account,
        open_trades=wires.open_trades,
        controls=wires.controls,
        assessments=wires.assessments,
        open_intents=wires.open_intents,
        cycles=wires.cycles,
        paper_trades=wires.paper_trades,
        shadow_intents=wires.shadow_intents,
        pool=pool,
    )
