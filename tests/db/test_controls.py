"""What stops trading comes out of the rows whole, in one statement."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import asyncpg

from recio.db import controls, halts, limits, switches
from recio.db.connection import single_statement, transaction
from recio.messages.controls import Halt, HaltLevel, LowerLimit, Switch, SwitchedOff
from recio.settings.risk import RiskSection
from tests.runs import begun

NOW = datetime(2026, 6, 1, 12, 0, 0, 125_000, tzinfo=UTC)
SETTLED, LASTING = (
    Halt(level=HaltLevel.FLATTEN, cause=cause, since=NOW, by="ann", resolution="look, then resume")
    for cause in ("an order 'so' without a row", "positions differ")
)


async def test_one_look_sees_halts_switches_and_what_was_ever_cleared(pool: asyncpg.Pool[asyncpg.Record]):
    async with transaction(pool) as connection:
        await halts.set_halt(connection, SETTLED)
        await halts.clear_all(connection, NOW, "bob")
        await halts.set_halt(connection, LASTING)
        await switches.turn(connection, Switch.EXIT, False, NOW, "cy", "by hand")
        await switches.turn(connection, Switch.ENTRY, False, NOW, "cy", "a while")
        await switches.turn(connection, Switch.ENTRY, True, NOW + timedelta(seconds=1), "cy", "again")
    async with single_statement(pool) as connection:
        found = await controls.read(connection, [SETTLED.cause, LASTING.cause, "never heard of"])
    assert [replace(each, halt_id=0) for each in found.halts] == [LASTING]
    assert found.switched_off == (SwitchedOff(switch=Switch.EXIT, since=NOW, by="cy", why="by hand"),)
    assert found.ever_cleared == {SETTLED.cause}
    assert not found.read_only


async def test_one_look_sees_each_strategys_switch_and_every_limit_that_was_lowered(
    pool: asyncpg.Pool[asyncpg.Record],
):
    async with transaction(pool) as connection:
        await begun(connection, RiskSection())
        for strategy in ("b", "a", "c"):
            await switches.turn(connection, Switch.ENTRY, False, NOW, "cy", "", strategy)
        await switches.turn(connection, Switch.ENTRY, True, NOW, "cy", "", "c")
        for amount in (2, 1):
            await limits.cut(connection, "max_open_trades", Decimal(amount), "cy", "")
    async with transaction(pool) as connection:
        found = await controls.read(connection, [])
    assert [(each.switch, each.strategy) for each in found.switched_off] == [
        (Switch.ENTRY, "a"),
        (Switch.ENTRY, "b"),
    ]
    assert found.lowered == (LowerLimit(name="max_open_trades", amount=Decimal(1)),)


async def test_a_database_that_may_not_be_written_says_so(pool: asyncpg.Pool[asyncpg.Record]):
    async with single_statement(pool) as connection:
        await connection.execute("SET default_transaction_read_only = on")
        assert (await controls.read(connection, [])).read_only
