"""The database itself refuses every breach: each constraint of the catalog has one here, and each is the only one that refuses it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest

from recio.db.connection import Connection
from tests.db.breaches import CHECKS, GOOD, LET_IN, MAY_BE_EMPTY, REFERENCES, UNIQUE, Row
from tests.db.index_uses import UNREAD, USES
from tests.db.looks import (
    a_check,
    a_column_with_a_value,
    a_condition,
    a_primary_key,
    a_reference,
    a_trigger,
    a_unique_index,
    an_index,
    names,
    refusal,
    tables,
    without_triggers,
)
from tests.db.trigger_scenarios import SCENARIOS

_OF_KIND = "SELECT conname FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype = $1::text::\"char\""
_INDEXES = """
    SELECT c.relname FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
    WHERE NOT i.indisprimary AND c.relnamespace = 'public'::regnamespace AND i.indisunique = $1
"""
_WITH_CONDITION = f"{_INDEXES} AND i.indpred IS NOT NULL"
_PRIMARY = "SELECT conrelid::regclass::text, conname FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype = 'p'"
_NOT_NULL = """
    SELECT attrelid::regclass::text || '.' || attname FROM pg_attribute JOIN pg_class AS c ON c.oid = attrelid
    WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND attnum > 0 AND attnotnull AND attgenerated = ''
"""
_COLUMNS = """
    SELECT array_agg(attname::text) FROM pg_attribute
    WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
"""
_TRIGGERS = "SELECT tgrelid::regclass::text AS of_table, tgname FROM pg_trigger WHERE NOT tgisinternal"
ALSO = {"paper_trades_quantity_check": "paper_trades_sold"}
"""Breaches that another constraint refuses as well, which PostgreSQL asks later."""


@pytest.fixture
async def connection(pool: asyncpg.Pool[asyncpg.Record]) -> AsyncIterator[Connection]:
    """In a transaction in which no trigger of ours speaks before a constraint does."""
    async with pool.acquire() as opened:
        attempt = opened.transaction()
        await attempt.start()
        await without_triggers(opened)
        yield opened
        await attempt.rollback()


async def test_every_table_has_a_good_row_that_nothing_refuses(connection: Connection):
    assert await tables(connection) == GOOD.keys()
    for table, row in GOOD.items():
        assert set(await connection.fetchval(_COLUMNS, table)) == row.keys(), table
        assert await refusal(connection, table, {}) == ""


async def test_every_check_refuses_its_breach(connection: Connection):
    assert await names(connection, _OF_KIND, "c") == CHECKS.keys()
    for name in CHECKS:
        await a_check(connection, name)


async def test_every_foreign_key_refuses_a_row_that_refers_to_nothing(connection: Connection):
    assert await names(connection, _OF_KIND, "f") == REFERENCES.keys()
    for name in REFERENCES:
        await a_reference(connection, name)


async def test_every_unique_index_refuses_a_second_row(connection: Connection):
    assert await names(connection, _INDEXES, True) == UNIQUE.keys()
    for name in UNIQUE:
        await a_unique_index(connection, name)


async def test_a_unique_index_with_a_condition_lets_in_twice_what_is_over(connection: Connection):
    assert await names(connection, _WITH_CONDITION, True) == LET_IN.keys()
    for name in LET_IN:
        await a_condition(connection, name)


async def test_every_table_has_a_primary_key_and_it_refuses_the_same_row_twice(connection: Connection):
    primary = {row[0]: row[1] for row in await connection.fetch(_PRIMARY)}
    assert primary == {table: f"{table}_pkey" for table in GOOD}
    for name in primary.values():
        await a_primary_key(connection, name)


async def test_every_column_that_must_have_a_value_refuses_none(connection: Connection):
    columns = {
        f"{table}.{column}"
        for table, row in GOOD.items()
        for column in row.keys() - MAY_BE_EMPTY.get(table, set())
    }
    assert await names(connection, _NOT_NULL) == columns
    for name in columns:
        await a_column_with_a_value(connection, name)


async def test_every_other_index_is_what_a_read_of_the_program_goes_by(connection: Connection):
    assert await names(connection, _INDEXES, False) == USES.keys() | UNREAD.keys()
    for name in USES:
        await an_index(connection, name)


async def test_without_its_constraint_each_breach_is_let_in(connection: Connection):
    """So each is a breach of its own constraint alone."""
    breaches: dict[str, tuple[str, tuple[Row, ...]]] = {
        name: (table, (breach,)) for name, (table, breach) in (CHECKS | REFERENCES).items()
    }
    breaches |= {name: (table, (first, first | second)) for name, (table, first, second) in UNIQUE.items()}
    for name, (table, rows) in breaches.items():
        attempt = connection.transaction()
        await attempt.start()
        await connection.execute(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name} CASCADE")
        await connection.execute(f"DROP INDEX IF EXISTS {name}")
        others = await refusal(connection, table, *rows)
        await attempt.rollback()
        assert others == ALSO.get(name, ""), name


async def test_every_trigger_does_its_work_and_nothing_else_does_it(pool: asyncpg.Pool[asyncpg.Record]):
    async with pool.acquire() as connection:
        found = {row["tgname"]: row["of_table"] for row in await connection.fetch(_TRIGGERS)}
        assert found.keys() == SCENARIOS.keys()
        for name, table in found.items():
            await a_trigger(connection, name)
            attempt = connection.transaction()
            await attempt.start()
            await connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER {name}")
            assert not await SCENARIOS[name](connection), f"{name} is not there"
            await attempt.rollback()
