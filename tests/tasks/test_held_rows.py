"""What trade_manager holds in memory: it follows what was committed, and never goes on when the rows say something else."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

import anyio
import asyncpg
import pytest

from recio.clock import Clock
from recio.db import halts
from recio.db.connection import transaction
from recio.db.own_connection import own_connection
from recio.errors import ExitCode, Fatal, Transient
from recio.messages.account import SettlementSeen
from recio.messages.controls import Halt
from recio.messages.decisions import CloseIntent
from recio.settings.risk import RiskSection
from recio.supervisor import leading_fault
from recio.units import Price, Quantity, Side, TradeId
from recio.wires import Wires
from tests.builders import NOW, TICKER, account
from tests.order_path import an_intent, bought, managed, seen, states

LOST = SettlementSeen(ticker=TICKER, result=Side.NO, settled_at=NOW, revenue_cents=0)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("UPDATE trades SET why = 'another'", "trades"),
        ("UPDATE trades SET state = 'closing'", "trades"),
        ("UPDATE day_figures SET realised = realised - 1", "realised_today"),
        ("UPDATE event_entries SET entries = entries + 1", "entries_by_event"),
        ("INSERT INTO loss_run VALUES (1, now(), true)", "losses_in_a_row"),
    ],
)
async def test_rows_that_somebody_else_changed_end_the_daemon_which_says_what_differs(
    pool: asyncpg.Pool[asyncpg.Record], change: str, named: str
):
    with pytest.raises(BaseExceptionGroup) as caught:
        async with managed(pool) as wires:
            await bought(wires)
            if "day_figures" in change:
                await wires.venue_facts.send(LOST)
                await seen(wires, lambda w: states(w) == [])
            await pool.execute(change)
            wires.account.set(account())
            await anyio.sleep(10)
    fault = leading_fault(caught.value)
    assert isinstance(fault, Fatal)
    assert (fault.exit_code, f"{named}: held" in str(fault)) == (ExitCode.TEMPORARY, True)


GOES_AWAY = """
    CREATE FUNCTION away() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        RAISE EXCEPTION 'the server goes away' USING ERRCODE = 'admin_shutdown'; END $$;
    CREATE TRIGGER away BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION away()
"""


async def test_a_difference_ends_the_daemon_also_when_its_last_orders_cannot_be_marked(
    pool: asyncpg.Pool[asyncpg.Record],
):
    """Otherwise the fault that passes would be taken for the reason, and only the task would begin anew."""
    with pytest.raises(BaseExceptionGroup) as caught:
        async with managed(pool) as wires:
            await wires.open_intents.send(an_intent())
            await wires.orders.receive()
            await pool.execute(GOES_AWAY)
            await pool.execute("UPDATE trades SET why = 'another'")
            wires.account.set(account())
            await anyio.sleep(10)
    assert isinstance(leading_fault(caught.value), Fatal)


async def test_a_cleared_halt_forgives_losses_without_a_message_and_is_no_difference(
    pool: asyncpg.Pool[asyncpg.Record],
):
    async with managed(pool) as wires:
        await bought(wires)
        await wires.venue_facts.send(LOST)
        await seen(wires, _losing(1))
        async with transaction(pool) as connection:
            await halts.set_halt(connection, Halt(cause="c", since=NOW, by="test", resolution="r"))
            await halts.clear_all(connection, NOW, "somebody")
        await seen(wires, _losing(0))


def _losing(times: int) -> Callable[[Wires], bool]:
    def is_so(wires: Wires) -> bool:
        now = wires.open_trades.get()
        return now is not None and now.losses_in_a_row == times

    return is_so


async def test_facts_that_change_nothing_leave_the_wire_alone(pool: asyncpg.Pool[asyncpg.Record]):
    async with managed(pool) as wires:
        await bought(wires)
        before = wires.open_trades.version
        for _ in range(3):
            await wires.venue_facts.send(
                SettlementSeen(ticker=TICKER, result=Side.YES, settled_at=NOW, revenue_cents=0)
            )
        with anyio.fail_after(10):
            while wires.venue_facts.unfinished:  # noqa: ASYNC110 - a queue has no event for being dealt with
                await anyio.sleep(0.01)
        assert states(wires) == []
        assert wires.open_trades.version == before + 1


async def test_an_exit_that_was_decided_too_long_ago_is_refused_and_a_fresh_one_is_sent(
    pool: asyncpg.Pool[asyncpg.Record],
):
    async with managed(pool) as wires:
        await bought(wires)
        for age, floor in ((timedelta(minutes=5), 1000), (timedelta(0), 3000)):
            intent = CloseIntent(
                trade_id=TradeId(1),
                exchange_index=2,
                quantity=Quantity(1000),
                floor=Price(floor),
                decided_at=NOW - age,
                why="stop",
            )
            await wires.close_intents.send(intent)
        with anyio.fail_after(10):
            command = await wires.orders.receive()
        assert (command.price, command.client_order_id.endswith("-exit-1")) == (Price(3000), True)


SLOW_SALES = """
    CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(2.1); RETURN NEW; END $$;
    CREATE TRIGGER slow BEFORE INSERT ON orders FOR EACH ROW WHEN (NEW.purpose = 'exit') EXECUTE FUNCTION slow()
"""
"""Slower than a decision may be late."""


async def test_an_exit_whose_row_took_the_database_longer_than_a_decision_may_be_late_still_leaves(
    pool: asyncpg.Pool[asyncpg.Record],
):
    clock = Clock(host_origin=time.time(), venue_origin=NOW.timestamp())
    async with managed(pool, clock) as wires:
        await bought(wires)
        await pool.execute(SLOW_SALES)
        decided_at = clock.utc()
        intent = CloseIntent(
            trade_id=TradeId(1),
            exchange_index=2,
            quantity=Quantity(1000),
            floor=Price(3000),
            decided_at=decided_at,
            why="flatten",
        )
        await wires.close_intents.send(intent)
        with anyio.fail_after(10):
            command = await wires.orders.receive()
        assert clock.utc() > decided_at + timedelta(seconds=RiskSection().max_send_delay_seconds)
        assert command.send_before > clock.utc()


async def test_an_own_connection_that_is_cut_is_a_passing_fault_and_the_next_one_works(
    pool: asyncpg.Pool[asyncpg.Record],
):
    with pytest.raises(Transient):
        async with own_connection(pool) as own:
            pid = await own.connection.fetchval("SELECT pg_backend_pid()")
            await pool.execute("SELECT pg_terminate_backend($1)", pid)
            await own.fetchrow("SELECT 1")
    async with own_connection(pool) as own:
        row = await own.fetchrow("SELECT 1 AS x")
        assert row is not None
