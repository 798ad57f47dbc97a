"""What the database refuses by itself: second orders of one trade, orders of no run, second settlements."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal

import asyncpg
import pytest

from recio.db import identity, orders
from recio.db.connection import Connection
from recio.db.trade_store import Writer
from recio.errors import ExitCode, Fatal
from recio.messages.account import SettlementSeen
from recio.messages.orders import PlaceOrder
from recio.rules.account.risk import Approved, Collar
from recio.units import Money, Price, Side
from tests.builders import NOW, TICKER
from tests.order_path import an_intent
from tests.runs import begun, placed_entry

SOON = timedelta(seconds=2)
COLLAR = Collar(ask=Price(5200), model_value=Decimal("0.55"))


@pytest.fixture
async def connection(pool: asyncpg.Pool[asyncpg.Record]) -> AsyncIterator[Connection]:
    async with pool.acquire() as opened:
        yield opened


@pytest.fixture
async def writer(connection: Connection) -> Writer:
    return await begun(connection)


async def pending_order(connection: Connection, writer: Writer) -> PlaceOrder:
    approved = Approved(intent=an_intent(), reserved=Money(5_374_800), collar=COLLAR)
    return await placed_entry(connection, writer, approved, NOW, SOON)


SECOND = """
    INSERT INTO orders (client_order_id, trade_id, purpose, attempt, ticker, exchange_index, book_side, price, quantity,
                        reserved, state, fencing, created_at)
    SELECT $1, trade_id, 'exit', 1, ticker, exchange_index, book_side, price, quantity, 0, 'pending', $2, created_at
    FROM orders
"""


async def test_a_trade_cannot_have_a_second_order_while_the_first_is_unproven(
    connection: Connection, writer: Writer
):
    await pending_order(connection, writer)
    with pytest.raises(asyncpg.UniqueViolationError, match="orders_one_unproven_per_trade"):
        await connection.execute(SECOND, "recio-second", writer.fencing)


async def test_an_order_cannot_belong_to_a_run_that_never_began(connection: Connection, writer: Writer):
    await pending_order(connection, writer)
    await connection.execute("UPDATE orders SET state = 'rejected', ended_at = $1", NOW)
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await connection.execute(SECOND, "recio-nobody", writer.fencing + 1_000)


async def test_a_run_that_is_over_writes_no_order_and_its_daemon_ends(connection: Connection, writer: Writer):
    await begun(connection)
    with pytest.raises(Fatal, match="another daemon has taken over this account") as ended:
        await pending_order(connection, writer)
    assert ended.value.exit_code is ExitCode.TEMPORARY
    assert await connection.fetchval("SELECT count(*) FROM orders") == 0


async def test_the_run_that_wrote_an_order_cannot_be_changed(connection: Connection, writer: Writer):
    await pending_order(connection, writer)
    later = await identity.begin_run(connection)
    with pytest.raises(asyncpg.RestrictViolationError, match="an intent cannot change"):
        await connection.execute("UPDATE orders SET fencing = $1", later)


async def test_a_market_settles_once_and_its_result_and_its_value_say_the_same(connection: Connection):
    def settled(result: Side | None, value: Price | None = None) -> SettlementSeen:
        return SettlementSeen(ticker=TICKER, result=result, settled_at=NOW, revenue_cents=0, value=value)

    for contradiction in (
        settled(Side.YES, Price(0)),
        settled(Side.NO, Price(5000)),
        settled(None, Price(10_001)),
    ):
        with pytest.raises(asyncpg.CheckViolationError):
            await orders.insert_settlement(connection, contradiction)
    assert await orders.insert_settlement(connection, settled(Side.YES))
    assert not await orders.insert_settlement(connection, settled(Side.NO))
    assert await orders.settled_at(connection, TICKER) == ("yes", 10_000)
