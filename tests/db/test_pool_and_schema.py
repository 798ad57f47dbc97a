"""The pool, the lock, the identity and the migrations, on a real server."""

from __future__ import annotations

import anyio
import asyncpg
import pytest

from recio.db import halts, identity
from recio.db.connection import transaction
from recio.db.embedded import EmbeddedServer
from recio.db.migrations import Migration, migrate, schema_text
from recio.db.pool import advisory_lock, open_pool
from recio.errors import BadConfig, ExitCode, Fatal, Transient
from recio.messages import Halt
from tests.builders import NOW

DESCRIBE = """
    SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable FROM information_schema.columns
    WHERE table_schema = 'public'
    UNION ALL SELECT pg_get_constraintdef(oid) FROM pg_constraint
    UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1
"""
Pool = asyncpg.Pool[asyncpg.Record] if hasattr(asyncpg.Pool, "__class_getitem__") else asyncpg.Pool


async def describe(pool: Pool) -> list[str]:
    return [row[0] for row in await pool.fetch(DESCRIBE)]


async def test_applying_the_schema_twice_changes_nothing(pool: Pool):
    before = await describe(pool)
    async with transaction(pool) as connection:
        await connection.execute(schema_text())
    assert await describe(pool) == before
    assert any("orders_one_unproven_per_trade" in line for line in before)


async def test_a_database_newer_than_the_code_is_refused_and_left_as_it_is(pool: Pool):
    await pool.execute("INSERT INTO schema_version (version, name) VALUES (99, 'from the future')")
    with pytest.raises(BadConfig, match=r"version 99.*knows 1"):
        async with transaction(pool) as connection:
            await migrate(connection, schema_text())
    assert await pool.fetchval("SELECT max(version) FROM schema_version") == 99


async def test_an_older_database_takes_each_missing_step_once(pool: Pool):
    steps = (
        Migration(version=2, name="two", sql="CREATE TABLE two (x int)"),
        Migration(version=3, name="three", sql="CREATE TABLE three (x int)"),
    )
    for _ in range(2):
        async with transaction(pool) as connection:
            assert await migrate(connection, schema_text(), steps) == 3
    assert await pool.fetchval("SELECT count(*) FROM schema_version") == 3


async def test_a_step_that_fails_leaves_the_database_as_it_was(pool: Pool):
    steps = (
        Migration(version=2, name="two", sql="CREATE TABLE two (x int)"),
        Migration(version=3, name="three", sql="nonsense"),
    )
    with pytest.raises(asyncpg.PostgresSyntaxError):
        async with transaction(pool) as connection:
            await migrate(connection, schema_text(), steps)
    assert await pool.fetchval("SELECT to_regclass('two')") is None


async def test_a_database_keeps_its_mode_environment_and_account(pool: Pool):
    async with transaction(pool) as connection:
        first = await identity.claim(connection, "demo", "sim", "a")
    async with transaction(pool) as connection:
        assert await identity.claim(connection, "demo", "sim", "a") == first
    for other in (("live", "prod", "a"), ("live", "demo", "a"), ("demo", "sim", "b")):
        with pytest.raises(BadConfig, match="belongs to mode demo, environment sim, account a"):
            async with transaction(pool) as connection:
                await identity.claim(connection, *other)


async def test_the_lock_excludes_a_second_daemon_and_says_who_holds_it(database_dsn: str):
    async with advisory_lock(database_dsn, 1):
        with pytest.raises(BadConfig, match="server process"):
            async with advisory_lock(database_dsn, 1):
                pass
    async with advisory_lock(database_dsn, 1):
        pass


async def test_losing_the_locks_connection_is_noticed(database_dsn: str, pool: Pool):
    async with advisory_lock(database_dsn, 1) as lock:
        await pool.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'recio lock'"
        )
        with anyio.fail_after(5):
            await lock.lost.wait()


async def test_a_connection_that_dies_in_a_transaction_is_transient(pool: Pool, postgres: EmbeddedServer):
    with pytest.raises(Transient, match="database"):
        async with transaction(pool) as connection:
            pid = await connection.fetchval("SELECT pg_backend_pid()")
            killer = await asyncpg.connect(postgres.dsn("postgres"))
            await killer.execute("SELECT pg_terminate_backend($1)", pid)
            await killer.close()
            await connection.fetchval("SELECT 1")
    async with transaction(pool) as connection:
        assert await connection.fetchval("SELECT 1") == 1


async def test_a_database_that_is_away_is_a_temporary_failure_without_its_dsn_in_the_words():
    with pytest.raises(Fatal) as caught:
        async with open_pool("postgresql://me:hunter2@127.0.0.1:1/x", application_name="t"):
            pass
    assert caught.value.exit_code == ExitCode.TEMPORARY
    assert "hunter2" not in str(caught.value)


async def test_a_halt_outlives_its_setter_and_is_cleared_once(pool: Pool):
    halt = Halt(cause="difference", since=NOW, by="test", way_out="look")
    async with transaction(pool) as connection:
        assert await halts.set_halt(connection, halt)
        assert not await halts.set_halt(connection, halt)
        assert await halts.active(connection) == (halt,)
        assert await halts.clear_all(connection, NOW, "me") == ["difference"]
        assert await halts.active(connection) == ()
