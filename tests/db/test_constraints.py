"""The database itself refuses every breach: each constraint of the catalog has one here, and each is the only one that refuses it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest

from recio.db.connection import Connection
from tests.db.breaches import CHECKS, GOOD, REFERENCES, UNIQUE, Row
from tests.db.trigger_scenarios import SCENARIOS, insert

_OF_KIND = "SELECT conname FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype = $1::text::\"char\""
_UNIQUE = """
    SELECT c.relname FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
    WHERE i.indisunique AND NOT i.indisprimary AND c.relnamespace = 'public'::regnamespace
"""
_TABLES = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
_PRIMARY = "SELECT conrelid::regclass::text, conname FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype = 'p'"
_NOT_NULL = """
    SELECT attrelid::regclass::text AS of_table, attname FROM pg_attribute JOIN pg_class AS c ON c.oid = attrelid
    WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND attnum > 0 AND attnotnull AND attgenerated = ''
"""
_COLUMNS = """
    SELECT array_agg(attname::text) FROM pg_attribute
    WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
"""
_PARENTS = """
    SELECT DISTINCT confrelid::regclass::text FROM pg_constraint WHERE contype = 'f' AND conrelid = $1::text::regclass
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
        for table in await names(opened, _TABLES):
            await opened.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        yield opened
        await attempt.rollback()


async def names(connection: Connection, query: str, *values: object) -> set[str]:
    return {row[0] for row in await connection.fetch(query, *values)}


async def parents_of(connection: Connection, table: str) -> list[str]:
    """Tables whose good rows must be there first, the farthest first."""
    found: list[str] = []
    for parent in sorted(await names(connection, _PARENTS, table)):
        found = [*found, *(await parents_of(connection, parent)), parent]
    return list(dict.fromkeys(found))


async def refusal(connection: Connection, table: str, *rows: Row) -> str:
    """The name of what refuses the last of these rows, a column's for one that must not be NULL; empty: nothing does."""
    attempt = connection.transaction()
    await attempt.start()
    try:
        for parent in await parents_of(connection, table):
            await insert(connection, parent)
        if table == "loss_run":
            await insert(connection, "trades", {"trade_id": 2, "ticker": "another"})
        for row in rows[:-1]:
            await insert(connection, table, row)
        try:
            await insert(connection, table, rows[-1])
        except asyncpg.NotNullViolationError as error:
            return f"{error.table_name}.{error.column_name}"
        except asyncpg.IntegrityConstraintViolationError as error:
            return str(error.constraint_name)
    finally:
        await attempt.rollback()
    return ""


async def test_every_table_has_a_good_row_that_nothing_refuses(connection: Connection):
    assert await names(connection, _TABLES) == GOOD.keys()
    for table, row in GOOD.items():
        assert set(await connection.fetchval(_COLUMNS, table)) == row.keys(), table
        assert await refusal(connection, table, {}) == ""


async def test_every_check_refuses_its_breach(connection: Connection):
    assert await names(connection, _OF_KIND, "c") == CHECKS.keys()
    for name, (table, breach) in CHECKS.items():
        assert await refusal(connection, table, breach) == name


async def test_every_foreign_key_refuses_a_row_that_refers_to_nothing(connection: Connection):
    assert await names(connection, _OF_KIND, "f") == REFERENCES.keys()
    for name, (table, breach) in REFERENCES.items():
        assert await refusal(connection, table, breach) == name


async def test_every_unique_index_refuses_a_second_row(connection: Connection):
    assert await names(connection, _UNIQUE) == UNIQUE.keys()
    for name, (table, first, second) in UNIQUE.items():
        assert await refusal(connection, table, first, first | second) == name


async def test_every_table_has_a_primary_key_and_it_refuses_the_same_row_twice(connection: Connection):
    primary = {row[0]: row[1] for row in await connection.fetch(_PRIMARY)}
    assert primary.keys() == GOOD.keys()
    for table, name in primary.items():
        assert await refusal(connection, table, {}, {}) == name


async def test_every_column_that_must_have_a_value_refuses_none(connection: Connection):
    """Which those are stands in docs/schema.md, so that one that is dropped is seen."""
    columns = [(row["of_table"], row["attname"]) for row in await connection.fetch(_NOT_NULL)]
    assert len(columns) > len(GOOD)
    for table, column in columns:
        assert await refusal(connection, table, {column: None}) == f"{table}.{column}"


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
            for is_there in (True, False):
                attempt = connection.transaction()
                await attempt.start()
                if not is_there:
                    await connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER {name}")
                assert await SCENARIOS[name](connection) == is_there, f"{name}, there: {is_there}"
                await attempt.rollback()
