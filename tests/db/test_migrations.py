"""Migrations: both ways to the present schema are one, each step is whole or not there, and what does not fit is refused."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import TypeAlias

import anyio
import asyncpg
import pytest

from recio.db.connection import transaction
from recio.db.embedded import EmbeddedServer
from recio.db.pool import open_pool
from recio.db.schema import (
    Migration,
    ensure_schema,
    migrate,
    migrations,
    missing,
    rehearse,
    schema_text,
    version_of,
)
from recio.errors import BadConfig, ExitCode, Fatal
from tests.schema_page import PAGE, page_of

DESCRIBE = """
    SELECT concat_ws(' ', 'column', table_name, column_name, data_type, numeric_precision, numeric_scale, is_nullable,
        column_default, is_identity, col_description(table_name::regclass, ordinal_position::integer))
    FROM information_schema.columns WHERE table_schema = 'public'
    UNION ALL SELECT concat_ws(' ', 'constraint', conrelid::regclass, conname, pg_get_constraintdef(oid)) FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace
    UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL SELECT concat_ws(' ', tgenabled, pg_get_triggerdef(oid)) FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT viewname || definition FROM pg_views WHERE schemaname = 'public'
    UNION ALL SELECT 'sequence ' || sequencename FROM pg_sequences WHERE schemaname = 'public'
    UNION ALL SELECT concat_ws(' ', relkind, relname, obj_description(oid, 'pg_class')) FROM pg_class
    WHERE relnamespace = 'public'::regnamespace
    UNION ALL SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace ORDER BY 1
"""
NEWEST = len(migrations())
TWO = Migration(version=NEWEST + 1, name="two", sql="CREATE TABLE two (x int)")
THREE = Migration(version=NEWEST + 2, name="three", sql="CREATE TABLE three (x int)")
BAD = Migration(version=NEWEST + 2, name="bad", sql="CREATE TABLE three (x int); SELECT nonsense")
MORE = (*migrations(), TWO, THREE)
HALF = (*migrations(), TWO, BAD)
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


@pytest.fixture
async def empty(postgres: EmbeddedServer, database_dsn: str) -> AsyncIterator[Pool]:
    name = re.search(r"test_\d+", database_dsn)
    assert name
    async with open_pool(await postgres.ensure_database(f"empty_{name[0]}"), application_name="t") as opened:
        yield opened


async def describe(pool: Pool) -> list[str]:
    return [row[0] for row in await pool.fetch(DESCRIBE)]


async def tables(pool: Pool) -> set[str]:
    rows = await pool.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    return {row["tablename"] for row in rows}


async def test_applying_the_schema_twice_changes_nothing(pool: Pool):
    before = await describe(pool)
    async with transaction(pool) as connection:
        await connection.execute(schema_text())
    assert await describe(pool) == before
    assert any("orders_one_unproven_per_trade" in line for line in before)


async def test_all_steps_one_after_another_lead_to_the_catalog_that_an_empty_database_gets_at_once(
    pool: Pool, empty: Pool
):
    async with transaction(empty) as connection:
        first, *later = migrations()
        await connection.execute(first.sql)
        for step in later:
            await connection.execute(step.sql)
    stepwise = set(await describe(empty))
    assert {line for line in await describe(pool) if "schema_migrations" not in line} == stepwise


async def test_no_step_ends_its_transaction_by_itself():
    for step in migrations():
        outside = re.sub(r"\$\$.*?\$\$", "", step.sql, flags=re.DOTALL)
        assert not re.search(r"^\s*(BEGIN|COMMIT|ROLLBACK)\b|CONCURRENTLY|\bVACUUM\b", outside, re.MULTILINE)


async def test_an_empty_database_counts_as_having_taken_every_step(empty: Pool):
    async with transaction(empty) as connection:
        assert await version_of(connection) is None
        assert await ensure_schema(connection)
        assert not await ensure_schema(connection)
        assert await version_of(connection) == NEWEST
        assert await missing(connection) == []


async def test_an_older_database_is_refused_with_the_command_that_helps_and_takes_each_step_once(pool: Pool):
    with pytest.raises(
        BadConfig, match=f"version {NEWEST}, this recio needs {NEWEST + 2}.*`recio db migrate`"
    ):
        async with transaction(pool) as connection:
            await ensure_schema(connection, MORE)
    assert await migrate(pool, MORE) == [TWO, THREE]
    assert await migrate(pool, MORE) == []
    async with transaction(pool) as connection:
        assert not await ensure_schema(connection, MORE)
    assert {"two", "three"} <= await tables(pool)


async def test_a_newer_database_is_refused_with_what_helps_and_left_as_it_is(pool: Pool):
    await migrate(pool, MORE)
    with pytest.raises(BadConfig, match=rf"version {NEWEST + 2}, this recio knows {NEWEST}.*install\.sh"):
        async with transaction(pool) as connection:
            await ensure_schema(connection)
    with pytest.raises(BadConfig, match="no schema goes back"):
        await migrate(pool)
    assert {"two", "three"} <= await tables(pool)


async def test_a_step_that_fails_leaves_the_steps_before_it_and_nothing_of_itself(pool: Pool):
    with pytest.raises(asyncpg.UndefinedColumnError):
        await migrate(pool, HALF)
    assert "two" in await tables(pool)
    assert "three" not in await tables(pool)
    assert await migrate(pool, MORE) == [THREE]


async def test_a_rehearsal_names_the_steps_or_the_fault_and_keeps_nothing(pool: Pool):
    before = await describe(pool)
    assert await rehearse(pool, MORE) == [TWO, THREE]
    with pytest.raises(asyncpg.UndefinedColumnError):
        await rehearse(pool, HALF)
    assert await describe(pool) == before


async def test_a_rehearsal_on_an_empty_database_names_every_step_and_makes_no_table(empty: Pool):
    assert await rehearse(empty) == list(migrations())
    assert await tables(empty) == set()


async def test_a_step_that_cannot_have_its_table_gives_up_and_says_what_to_do(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("recio.db.schema._PATIENCE", "SET LOCAL lock_timeout = '50ms'")
    blocked = Migration(
        version=NEWEST + 1, name="blocked", sql="ALTER TABLE trades ADD COLUMN x int, ADD COLUMN y int"
    )
    async with pool.acquire() as other, other.transaction():
        await other.execute("SELECT count(*) FROM trades")
        with pytest.raises(Fatal, match="another session holds") as refused:
            await migrate(pool, (*migrations(), blocked))
    assert refused.value.exit_code is ExitCode.TEMPORARY


async def test_two_that_migrate_at_once_take_each_step_once(pool: Pool):
    done: list[Migration] = []

    async def bring_up() -> None:
        done.extend(await migrate(pool, MORE))

    async with anyio.create_task_group() as group:
        group.start_soon(bring_up)
        group.start_soon(bring_up)
    assert sorted(each.version for each in done) == [TWO.version, THREE.version]


async def test_a_database_with_tables_of_another_program_is_refused_untouched(empty: Pool):
    await empty.execute("CREATE TABLE orders (x int)")
    with pytest.raises(BadConfig, match=r"did not make \(orders\).*a database of its own"):
        async with transaction(empty) as connection:
            await ensure_schema(connection)
    with pytest.raises(BadConfig, match="did not make"):
        await migrate(empty)
    assert await tables(empty) == {"orders"}


async def test_a_database_from_before_the_first_version_is_refused_with_a_sentence(empty: Pool):
    await empty.execute("CREATE TABLE schema_version (version int); INSERT INTO schema_version VALUES (19)")
    with pytest.raises(BadConfig, match=r"before its first version.*keep this one aside"):
        async with transaction(empty) as connection:
            await ensure_schema(connection)


async def test_a_database_with_another_history_is_refused(pool: Pool):
    other = Migration(version=NEWEST + 1, name="their_own", sql="CREATE TABLE theirs (x int)")
    await migrate(pool, (*migrations(), other))
    with pytest.raises(BadConfig, match=r"'their_own', here it is 'two'.*another line of recio"):
        await migrate(pool, MORE)


async def test_every_table_and_column_says_what_it_is_and_the_page_says_the_same(pool: Pool):
    async with pool.acquire() as connection:
        page = await page_of(connection)
    bare = re.findall(r"^\| `(\w+)` .*\| (?:None)? \|$|^(None)$", page, re.MULTILINE)
    assert not bare
    assert page == PAGE.read_text(encoding="utf-8"), "run `make schema-page`"


async def test_the_comment_of_a_table_names_the_writer_that_schema_sql_declares():
    declared = re.findall(
        r"^-- (Writer: [^\n]*?)\.?\n(?:--[^\n]*\n)*CREATE TABLE IF NOT EXISTS (\w+)", schema_text(), re.M
    )
    said = dict(re.findall(r"COMMENT ON TABLE (\w+) IS '([^\n]*)';", schema_text()))
    assert len(declared) == len(said)
    for writer, table in declared:
        assert said[table].startswith(writer), table
