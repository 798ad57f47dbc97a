"""What a person's command holds while its transaction is open, stopped in the middle of it: nothing that an order waits for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal

import anyio
import asyncpg
import pytest

from recio.db import closes, halts, limits, requests, settle_requests, switches
from recio.db.connection import Connection, transaction
from recio.messages.controls import Halt, Switch
from recio.units import Price, Quantity, Side, TradeId
from tests.builders import NOW, TICKER
from tests.db.trigger_scenarios import insert
from tests.runs import begun

AT_MOST = 5.0
"""Seconds for what takes a hundredth of one; a stopped client is let go by the server after fifteen."""
_SETTLED_BY_HAND = "INSERT INTO settlement_answers (request_id, accepted, sentence) VALUES ($1, false, 'no')"
STOP = Halt(cause="c", since=NOW, by="ann", resolution="r")


async def set_halt(connection: Connection) -> object:
    return await halts.set_halt(connection, STOP)


async def clear_halts(connection: Connection) -> object:
    await connection.execute(
        "INSERT INTO halts (level, cause, since, set_by, resolution) VALUES ('halt', 'd', now(), 'a', 'r')"
    )
    return await halts.clear_all(connection, NOW, "ann")


async def turn_switch(connection: Connection) -> object:
    return await switches.turn(connection, Switch.ENTRY, False, NOW, "ann", "news")


async def grant_limit(connection: Connection) -> object:
    return await limits.grant(connection, [("max_open_trades", Decimal(9))], "ann")


async def ask_for_a_trade(connection: Connection) -> object:
    return await requests.ask(connection, TICKER, Side.YES, Quantity(200), Price(5_500), "ann", "why", 60)


async def ask_for_a_close(connection: Connection) -> object:
    return await closes.ask(connection, TradeId(1), None, "ann", "enough")


async def ask_for_a_settlement(connection: Connection) -> object:
    return await settle_requests.ask(connection, TICKER, Price(10_000), "ann", "seen there")


@pytest.mark.parametrize(
    "deed",
    [
        set_halt,
        clear_halts,
        turn_switch,
        grant_limit,
        ask_for_a_trade,
        ask_for_a_close,
        ask_for_a_settlement,
    ],
)
async def test_no_order_waits_for_a_command_that_was_stopped_in_the_middle_of_its_transaction(
    pool: asyncpg.Pool[asyncpg.Record], deed: Callable[[Connection], Awaitable[object]]
):
    async with transaction(pool) as connection:
        writer = await begun(connection)
        await insert(connection, "trades")
        waits = await settle_requests.ask(connection, TICKER, Price(0), "bob", "before")
    async with pool.acquire() as stopped, stopped.transaction():
        await deed(stopped)
        with anyio.fail_after(AT_MOST):
            async with transaction(pool) as connection:
                await _an_exits_move(connection, writer.fencing)
                await connection.execute(_SETTLED_BY_HAND, waits)
    async with transaction(pool) as connection:
        kinds = [row["kind"] for row in await connection.fetch("SELECT kind FROM audit_log ORDER BY seq")]
        assert kinds[0] == "an order", "what was stopped is logged when it is committed"
        assert deed is ask_for_a_settlement or len(kinds) >= 2
        assert await connection.fetchval("SELECT audit_log_breaks_at(0)") is None


async def _an_exits_move(connection: Connection, fencing: int) -> None:
    """What every order does: the lock and a row of the audit log, and its trade moves."""
    await connection.execute(
        "INSERT INTO audit_log (at, kind, trade_id, detail) VALUES (now(), 'an order', 1, '{}')"
    )
    await connection.execute("UPDATE trades SET why = why WHERE trade_id = 1")
    await connection.execute("SELECT l.amount FROM risk_limits AS l WHERE l.fencing = $1", fencing)
