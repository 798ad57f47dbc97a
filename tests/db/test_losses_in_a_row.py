"""The database and the program count losses in a row alike, whatever the history."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import TypeAlias

import asyncpg
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from recio.db.connection import Connection
from recio.rules.account.losses import losing_after
from recio.units import Money, TradeId, money_decimal
from tests import runs
from tests.builders import NOW
from tests.runs import begun

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
PNLS = st.lists(st.sampled_from([-2_000_000, -1, 0, 0, 1, 3_000_000]).map(Money), max_size=12)
TRADE = """
    INSERT INTO trades (strategy, ticker, event_ticker, side, state, opened_at, closes_at, closed_at, ended_by, why, inputs)
    VALUES ('s', $1, 'E', 'yes', 'closed', $2, $2, $2, 'exit', 'w', '{}') RETURNING trade_id
"""
ORDER = """
    INSERT INTO orders (client_order_id, trade_id, purpose, attempt, ticker, book_side, price, quantity, reserved, state,
                        fencing, created_at)
    VALUES ($1, $2, 'exit', 1, $1, 'ask', 0.5, 1, 0, 'pending', $3, $4)
"""
FILLED = "UPDATE orders SET state = 'filled', filled = 1, venue_order_id = $1, ended_at = $2 WHERE client_order_id = $1"
FILL = "INSERT INTO fills VALUES ($1, $1, $1, 'ask', 0.5, 1, 0.5 - $2::numeric, true, $3)"


def losses_in_a_row(pnls: Iterable[int]) -> int:
    """By the program, of profits oldest first."""
    losing: tuple[TradeId, ...] = ()
    for nth, pnl in enumerate(pnls):
        losing = losing_after(losing, TradeId(nth), Money(pnl))
    return len(losing)


async def closed_trade(connection: Connection, fencing: int, nth: int, pnl: Money) -> None:
    """A trade that sold for $0.50 and paid the fee that leaves this profit."""
    name, at = f"T{nth}", NOW + timedelta(minutes=nth)
    trade_id = await connection.fetchval(TRADE, name, at)
    await connection.execute(ORDER, name, trade_id, fencing, at)
    await connection.execute(FILLED, name, at)
    await connection.execute(FILL, name, money_decimal(pnl), at)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pnls=PNLS)
@example(pnls=[Money(-1), Money(0), Money(-1)])
@example(pnls=[Money(-1), Money(1), Money(0)])
async def test_the_database_and_the_program_count_losses_in_a_row_alike(pool: Pool, pnls: list[Money]):
    async with pool.acquire() as connection:
        undone = connection.transaction()
        await undone.start()
        fencing = (await begun(connection)).fencing
        for nth, pnl in enumerate(pnls):
            await closed_trade(connection, fencing, nth, pnl)
        assert await runs.losses_in_a_row(connection) == losses_in_a_row(pnls)
        await undone.rollback()


def test_a_gain_ends_the_losses_and_a_zero_changes_nothing():
    assert losses_in_a_row((-1, 1, -1, 0, -1)) == 2
    assert losses_in_a_row((0, 0)) == 0
    assert losses_in_a_row(()) == 0
