"""What the statements of the order path answer where there is more than one row: the right one, and no other is touched."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from recio.db import held_rows, orders, trades
from recio.db.connection import Connection
from recio.messages.account import SettlementSeen
from recio.rules.account.held import SLACK
from recio.rules.account.lifecycle import COUNTED, RECENT
from recio.rules.account.risk import RATE_SPAN
from recio.units import ClientOrderId, EventTicker, Quantity, Side, Ticker
from tests.db.breaches import ENDED, TICKER
from tests.db.looks import without_triggers
from tests.db.trigger_scenarios import insert

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
OTHER, THIRD = Ticker("KX-OTHER"), Ticker("KX-THIRD")


def at(minutes: float) -> str:
    return (NOON + timedelta(minutes=minutes)).isoformat()


@pytest.fixture
async def connection(pool: asyncpg.Pool[asyncpg.Record]) -> AsyncIterator[Connection]:
    """In a transaction in which rows are what a test writes: no trigger counts or refuses anything."""
    async with pool.acquire() as opened:
        attempt = opened.transaction()
        await attempt.start()
        await without_triggers(opened)
        await insert(opened, "runs")
        yield opened
        await attempt.rollback()


async def a_trade(connection: Connection, number: int, **changes: Any) -> None:
    await insert(connection, "trades", {"trade_id": number, "ticker": f"KX-{number}"} | changes)


async def an_order(connection: Connection, trade: int, minutes: float, **changes: Any) -> None:
    usual = {"client_order_id": f"o{trade}", "trade_id": trade, "created_at": at(minutes)}
    await insert(connection, "orders", usual | changes)


REJECTED = {"state": "rejected", "ended_at": at(60)}


async def test_a_start_reads_again_from_the_oldest_order_without_an_end_else_the_newest_fill_else_the_newest_order(
    connection: Connection,
):
    """A later moment would leave fills of an order out that nobody asks for again."""
    assert await orders.backfill_from(connection) is None
    for number, minutes in ((1, 1), (2, 3), (3, 2)):
        await a_trade(connection, number)
        await an_order(connection, number, minutes, **REJECTED)
    assert await orders.backfill_from(connection) == NOON + timedelta(minutes=3)
    for number, minutes in ((1, 10), (2, 12), (3, 11)):
        await insert(connection, "fills", {"fill_id": f"f{number}", "at": at(minutes)})
    assert await orders.backfill_from(connection) == NOON + timedelta(minutes=12)
    for number, minutes in ((4, 6), (5, 5), (6, 7)):
        await a_trade(connection, number)
        await an_order(connection, number, minutes)
    assert await orders.backfill_from(connection) == NOON + timedelta(minutes=5)


async def test_a_close_that_moves_moves_the_live_trade_of_that_market_and_no_other(connection: Connection):
    await a_trade(connection, 1, **ENDED, ticker=TICKER)
    await a_trade(connection, 2, ticker=TICKER)
    await a_trade(connection, 3)
    later = NOON + timedelta(hours=1)
    before = await connection.fetch(
        "SELECT trade_id, closes_at FROM trades WHERE trade_id <> 2 ORDER BY trade_id"
    )
    assert await trades.move_close(connection, Ticker(TICKER), later) == 2
    assert await connection.fetchval("SELECT closes_at FROM trades WHERE trade_id = 2") == later
    assert (
        await connection.fetch("SELECT trade_id, closes_at FROM trades WHERE trade_id <> 2 ORDER BY trade_id")
        == before
    )
    assert await trades.move_close(connection, Ticker(TICKER), later) is None


async def test_what_no_live_trade_holds_is_somebody_else_s_on_either_side(connection: Connection):
    for ticker, yes, no in ((TICKER, 10, 0), (OTHER, 0, 10), (THIRD, 7, 2)):
        await insert(connection, "market_positions", {"ticker": ticker, "yes": yes, "no": no})
    open_ = {"state": "open", "entry_cost": 1}
    await a_trade(connection, 1, ticker=TICKER, entry_quantity=6, exit_quantity=2, **open_)
    await a_trade(connection, 2, ticker=OTHER, side="no", entry_quantity=8, **open_)
    await a_trade(connection, 3, ticker=THIRD, entry_quantity=5, entry_cost=1, **ENDED)
    await insert(connection, "settlements", {"ticker": THIRD})
    found = await trades.ledgers(connection, [Ticker(TICKER), OTHER, THIRD, Ticker("KX-NEVER")])
    assert {name: (each.yes, each.no, each.external, each.is_settled) for name, each in found.items()} == {
        TICKER: (1000, 0, 600, False),
        OTHER: (0, 1000, -200, False),
        THIRD: (700, 200, 500, True),
    }


@pytest.mark.parametrize(
    ("ticker", "result", "minutes", "is_told"),
    [
        (OTHER, Side.YES, 0, True),
        (TICKER, Side.YES, 20, False),
        (TICKER, Side.NO, 16, True),
        (TICKER, Side.NO, 15, True),
        (TICKER, Side.NO, 14, False),
        (THIRD, Side.YES, 14, True),
    ],
    ids=["not settled", "the same again", "newer", "at the same time", "older", "settled by hand"],
)
async def test_a_settlement_is_told_that_is_new_or_another_and_no_older_or_was_made_by_hand(
    connection: Connection, ticker: Ticker, result: Side, minutes: int, is_told: bool
):
    await insert(connection, "settlements", {"settled_at": at(15)})
    await insert(connection, "settlements", {"ticker": THIRD, "settled_at": at(15), "set_by": "me"})
    seen = SettlementSeen(
        ticker=Ticker(ticker), result=result, settled_at=NOON + timedelta(minutes=minutes), revenue_cents=0
    )
    assert await orders.settlements_to_tell(connection, [seen]) == ({ticker} if is_told else set())


async def test_what_is_held_has_the_day_before_for_as_long_as_a_clock_may_be_set_back(connection: Connection):
    for day in ("2026-11-21", "2026-11-22", "2026-11-23"):
        await insert(connection, "day_figures", {"day": day})
    midnight = NOON.replace(hour=0)
    for moment, first in ((midnight + SLACK - SECOND, 22), (midnight + SLACK, 23)):
        held = await held_rows.load(connection, moment)
        assert min(held.days) == midnight.replace(day=first).date()


async def test_what_is_held_has_the_entries_of_a_close_an_hour_ago_and_slack(connection: Connection):
    for name, beyond in (("KX-IN", SECOND), ("KX-OUT", 0 * SECOND)):
        closes = {"closes_at": (NOON - COUNTED - SLACK + beyond).isoformat(), "entries": 1}
        await insert(connection, "event_entries", {"event_ticker": name} | closes)
        await insert(connection, "market_entries", {"ticker": name} | closes)
    held = await held_rows.load(connection, NOON)
    assert (held.events.keys(), held.markets.keys()) == ({EventTicker("KX-IN")}, {Ticker("KX-IN")})


async def test_what_is_held_has_the_orders_of_the_last_minute_and_slack(connection: Connection):
    limit = -(RATE_SPAN + SLACK) / timedelta(minutes=1)
    for number, minutes in ((1, limit + 0.1), (2, limit)):
        await a_trade(connection, number)
        await an_order(connection, number, minutes, **REJECTED)
    held = await held_rows.load(connection, NOON)
    assert held.sent == {ClientOrderId("o1"): NOON + timedelta(minutes=limit + 0.1)}


async def test_what_is_held_has_the_newest_that_ended_and_all_that_has_not(connection: Connection):
    """Of two at the same moment that which was written later."""
    for number in range(1, RECENT + 2):
        minutes = max(number, 2)
        await a_trade(connection, number, **(ENDED | {"closed_at": at(20 + minutes)}))
        await an_order(connection, number, minutes, **REJECTED)
    await a_trade(connection, 50)
    await an_order(connection, 50, -50, client_order_id="waits")
    held = await held_rows.load(connection, NOON)
    assert held.recent_trades.keys() == set(range(2, RECENT + 2))
    assert held.recent_orders.keys() == {f"o{number}" for number in range(2, RECENT + 2)}
    assert (held.trades.keys(), held.orders.keys()) == ({50}, {"waits"})
    assert held.orders[ClientOrderId("waits")].quantity == Quantity(1000)
