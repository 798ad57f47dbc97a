"""What a timer or an order's path asks of the database costs the same after a hundred times as much trading."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, TypeAlias

import pytest

from recio.db import (
    cash,
    controls,
    halts,
    held_rows,
    kill_switch,
    orders,
    paper_trades,
    requests,
    settle_requests,
    switches,
    trade_store,
    trades,
)
from recio.db.connection import Connection
from recio.db.pool import open_pool
from recio.db.trade_store import Writer
from recio.messages.account import FillSeen, OrderSeen, SettlementSeen, VenueOrderStatus
from recio.messages.controls import Halt
from recio.messages.decisions import CloseIntent
from recio.messages.orders import OrderAccepted, OrderUnknown, PlaceOrder
from recio.rules.account.risk import Approved, Collar
from recio.settings.risk import RiskSection
from recio.units import (
    BookSide,
    ClientOrderId,
    FillId,
    Money,
    Price,
    Quantity,
    Side,
    Ticker,
    TradeId,
    VenueOrderId,
)
from tests.builders import NOW, TICKER, section
from tests.history import add_history
from tests.order_path import an_intent
from tests.runs import begun, losses_in_a_row, placed_entry, placed_exit

SOON = timedelta(seconds=2)
SMALL, LARGE = 200, 20_000
ROWS_MORE = 30
"""Rows by which two counts may differ: pages of an index, versions of a row that were not cleared away yet."""
BLOCKS_MORE = 80
"""Blocks by which they may differ: an index of many rows is a level deeper, and forty rows that were neighbours in a small
table lie in blocks of their own. A table read from front to end would be four hundred more."""
TOUCHED = """
    SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::bigint FROM pg_stat_xact_user_tables
"""
BOUNDLESS = section(RiskSection, max_daily_loss_dollars=Decimal(1_000_000), max_consecutive_losses=1_000_000)
Call: TypeAlias = "Callable[[Connection, Writer], Awaitable[object]]"


def approved(ticker: Ticker = TICKER) -> Approved:
    collar = Collar(ask=Price(5200), model_value=Decimal("0.55"))
    return Approved(intent=an_intent(ticker=ticker), reserved=Money(5_374_800), collar=collar)


async def _entered(connection: Connection, writer: Writer) -> PlaceOrder:
    return await placed_entry(connection, writer, approved(), NOW, SOON)


def _accepted(order: PlaceOrder, venue_id: str = "v-new") -> OrderAccepted:
    return OrderAccepted(
        client_order_id=order.client_order_id,
        venue_order_id=VenueOrderId(venue_id),
        filled=order.quantity,
        remaining=Quantity(0),
        at=NOW,
    )


FILL = FillSeen(
    fill_id=FillId("f-new"),
    venue_order_id=VenueOrderId("v-new"),
    ticker=TICKER,
    book_side=BookSide.BID,
    price=Price(5200),
    quantity=Quantity(1000),
    fee=Money(17_500),
    is_taker=True,
    at=NOW,
)
CORRECTED = SettlementSeen(
    ticker=Ticker("T-101"), result=None, settled_at=NOW, revenue_cents=0, value=Price(5000)
)
SETTLED = SettlementSeen(ticker=TICKER, result=Side.NO, settled_at=NOW, revenue_cents=0)


async def _whole_life(connection: Connection, writer: Writer) -> None:
    """Entry, answer, fill, an exit that finds nobody, and a settlement that loses."""
    entry = await _entered(connection, writer)
    await trade_store.record_outcome(connection, _accepted(entry))
    await trade_store.record_fact(connection, FILL, NOW)
    trade_id = TradeId(int(entry.client_order_id.split("-")[2]))
    close = CloseIntent(
        trade_id=trade_id,
        exchange_index=2,
        quantity=Quantity(1000),
        floor=Price(100),
        decided_at=NOW,
        why="w",
    )
    exit_order = await placed_exit(connection, writer, close, NOW, SOON)
    assert exit_order is not None
    nobody = replace(_accepted(exit_order, "v-exit"), filled=Quantity(0))
    await trade_store.record_outcome(connection, nobody)
    assert (await trade_store.record_fact(connection, SETTLED, NOW)).ended


async def _fill_before_its_answer(connection: Connection, writer: Writer) -> None:
    entry = await _entered(connection, writer)
    await trade_store.record_fact(connection, FILL, NOW)
    lost = OrderUnknown(client_order_id=entry.client_order_id, why="no answer", at=NOW)
    await trade_store.record_outcome(connection, lost)
    seen = OrderSeen(
        venue_order_id=VenueOrderId("v-new"),
        client_order_id=entry.client_order_id,
        ticker=TICKER,
        status=VenueOrderStatus.EXECUTED,
        filled=Quantity(1000),
        remaining=Quantity(0),
    )
    assert (await trade_store.record_fact(connection, seen, NOW)).opened


async def _stop(connection: Connection, writer: Writer) -> None:
    entry = await _entered(connection, writer)
    assert await orders.mark_unanswered(connection) == [entry.client_order_id]


OLD_ORDER = ClientOrderId("recio-old-T-101-entry")
HALT = Halt(cause="by hand", since=NOW, by="test", resolution="resume")
CALLS: dict[str, Call] = {
    "an entry": _entered,
    "the whole life of a trade": _whole_life,
    "a fill before its answer": _fill_before_its_answer,
    "a stop": _stop,
    "what is held": lambda c, _: held_rows.load(c, NOW),
    "orders that the venue lists": lambda c, _: orders.states(c, [OLD_ORDER], [VenueOrderId("v-T-101-exit")]),
    "orders without a row": lambda c, _: orders.without_row(c, [OLD_ORDER]),
    "fills without a row": lambda c, _: orders.fills_without_row(c, [FillId("v-T-101-entry-1")]),
    "settlements to tell": lambda c, _: orders.settlements_to_tell(c, [SETTLED]),
    "a settlement that is corrected": lambda c, _: orders.correct_settlement(c, CORRECTED, NOW),
    "positions by the fills": lambda c, _: trades.ledgers(c, [Ticker("T-101"), Ticker("KX-NEVER")]),
    "since when to read again": lambda c, _: orders.backfill_from(c),
    "markets ever traded": lambda c, _: trades.ever_traded(c, [Ticker("T-101"), Ticker("KX-NEVER")]),
    "losses in a row": lambda c, _: losses_in_a_row(c),
    "cash in the ledger": lambda c, _: cash.ledger_cash(c),
    "what was settled by hand": lambda c, _: cash.manual_settlements(c, NOW - timedelta(minutes=10)),
    "the opening balance": lambda c, _: cash.opening_balance(c),
    "a difference that was accepted": lambda c, _: cash.is_accepted(c, "halt 101"),
    "halts in force": lambda c, _: halts.active(c),
    "a new halt": lambda c, _: halts.set_halt(c, HALT),
    "switches": lambda c, _: switches.off(c),
    "all that stops trading": lambda c, _: controls.read(c, ["order 100"]),
    "verified halts": lambda c, _: kill_switch.checks(c),
    "the order group": lambda c, _: kill_switch.order_group(c, 2),
    "settlements that a person asks for": lambda c, _: settle_requests.waiting(c),
    "requests of a person": lambda c, _: requests.waiting(c),
    "paper trades that count": lambda c, _: paper_trades.counted(c, NOW),
}
STATEMENTS: dict[str, tuple[str, tuple[Any, ...]]] = {
    "what is held": (held_rows.LOAD, (NOW.date(), NOW, NOW, 20)),
    "an entry's limits": ("SELECT count(*), sum(cost), sum(contracts) FROM live_exposure", ()),
    "the day": ("SELECT realised_since($1)", (NOW.replace(hour=0),)),
    "a market's position": ("SELECT * FROM posted_position($1)", ("T-101",)),
    "a limit's ceiling": ("SELECT limit_ceiling($1, 'max_open_trades')", (1_000_000,)),
}


@pytest.fixture
async def grown(database_dsn: str) -> AsyncIterator[Callable[[int, int], Awaitable[Connection]]]:
    """Grows the history from trade to trade, and gives a fresh connection each time: no plan is left over."""
    async with open_pool(database_dsn, application_name="grown", max_size=4) as pool:

        async def grow(first: int, last: int) -> Connection:
            async with pool.acquire() as connection:
                if first == 1:
                    await begun(connection, BOUNDLESS)
                await add_history(connection, first, last)
            await pool.expire_connections()
            return await pool.acquire()

        yield grow


async def _rows(connection: Connection, writer: Writer) -> dict[str, int]:
    """Rows that each call touches, those of functions and triggers included; nothing of it stays."""
    touched: dict[str, int] = {}
    for name, call in CALLS.items():
        undone = connection.transaction()
        await undone.start()
        before = await connection.fetchval(TOUCHED) or 0
        await call(connection, writer)
        touched[name] = await connection.fetchval(TOUCHED) - before
        await undone.rollback()
    return touched


async def _blocks(connection: Connection, writer: Writer) -> dict[str, int]:
    """Blocks that a statement touches, by the server's own count; what it calls is counted with it."""
    entry = approved().intent
    place = (
        trade_store.PLACE_ENTRY,
        (
            writer.tag,
            writer.fencing,
            "average",
            "KX-BLOCKS",
            "KX-EVENT",
            2,
            "yes",
            Decimal(10),
            Decimal("0.52"),
            Decimal("5.4"),
            Decimal("0.52"),
            Decimal("0.55"),
            NOW,
            entry.closes_at,
            NOW,
            "why",
            {},
        ),
    )
    found: dict[str, int] = {}
    for name, (statement, values) in {**STATEMENTS, "an entry": place}.items():
        undone = connection.transaction()
        await undone.start()
        for _ in range(2):  # the first use of a function reads the catalog
            told = await connection.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", *values)
            await undone.rollback()
            undone = connection.transaction()
            await undone.start()
            plan = json.loads(told)[0]["Plan"]
            found[name] = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
        await undone.rollback()
    return found


@pytest.mark.timeout(180)
async def test_a_hundred_times_the_history_costs_no_more_rows_and_no_more_blocks(
    grown: Callable[[int, int], Awaitable[Connection]],
):
    small = await grown(1, SMALL)
    writer = await begun(small, BOUNDLESS)
    rows, blocks = await _rows(small, writer), await _blocks(small, writer)
    large = await grown(SMALL + 1, LARGE)
    assert await large.fetchval("SELECT count(*) FROM trades") == LARGE
    rows_later, blocks_later = await _rows(large, writer), await _blocks(large, writer)
    grew = {name: (rows[name], now) for name, now in rows_later.items() if now > rows[name] + ROWS_MORE}
    assert grew == {}
    deeper = {
        name: (blocks[name], now) for name, now in blocks_later.items() if now > blocks[name] + BLOCKS_MORE
    }
    assert deeper == {}
