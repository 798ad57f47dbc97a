"""What stops trading comes out of the rows whole, in one statement."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import asyncpg

from recio.db import controls, halts, switches
from recio.db.connection import single_statement, transaction
from recio.messages.controls import Halt, HaltLevel, Switch, SwitchedOff

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


async def test_a_database_that_may_not_be_written_says_so(pool: asyncpg.Pool[asyncpg.Record]):
    async with single_statement(pool) as connection:
        await connection.execute("SET default_transaction_read_only = on")
        assert (await controls.read(connection, [])).read_only
