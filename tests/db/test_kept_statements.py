"""What the daemon's connections keep: statements prepared once, and plans that no statistics of an empty table decide."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest

from recio.daemon.startup import KEPT_PREPARED
from recio.db import audit_log
from recio.db.connection import Connection
from recio.db.own_connection import own_connection
from recio.db.pool import open_pool
from tests.builders import NOW

ROWS = 40
READ_WHOLE = """
    SELECT coalesce(sum(seq_scan), 0) FROM pg_stat_xact_user_tables WHERE relname IN ('audit_log', 'orders', 'trades')
"""


@pytest.fixture
async def pool(database_dsn: str) -> AsyncIterator[asyncpg.Pool[asyncpg.Record]]:
    """One connection, so that whoever asks next gets it."""
    async with open_pool(
        database_dsn, application_name="test", max_size=1, statement_cache_size=KEPT_PREPARED
    ) as opened:
        yield opened


async def _times_prepared(connection: Connection, query: str) -> int:
    return await connection.fetchval(
        "SELECT count(*) FROM pg_prepared_statements WHERE statement = $1", query
    )


async def test_a_statement_that_was_asked_once_is_not_parsed_again(pool: asyncpg.Pool[asyncpg.Record]):
    query = "SELECT count(*) FROM trades WHERE trade_id = $1"
    for _ in range(2):
        async with pool.acquire() as connection:
            await connection.fetchval(query, 1)
    async with pool.acquire() as connection:
        assert await _times_prepared(connection, query) == 1


async def test_nothing_is_kept_prepared_unless_asked_for(database_dsn: str):
    query = "SELECT count(*) FROM trades WHERE trade_id = $1"
    async with (
        open_pool(database_dsn, application_name="test") as plain,
        plain.acquire() as connection,
    ):
        await connection.fetchval(query, 1)
        assert await _times_prepared(connection, query) == 0


async def test_a_table_that_was_empty_when_it_was_analysed_is_still_read_by_its_index(
    pool: asyncpg.Pool[asyncpg.Record],
):
    async with pool.acquire() as connection:
        await connection.execute("VACUUM ANALYZE audit_log")
    async with own_connection(pool) as own, own.transaction() as connection:
        for _ in range(ROWS):
            await audit_log.append(connection, NOW, "test")
        assert await connection.fetchval(READ_WHOLE) == 0


async def test_a_task_gives_its_connection_back_as_it_was(pool: asyncpg.Pool[asyncpg.Record]):
    async with own_connection(pool) as own:
        assert await own.connection.fetchval("SHOW enable_seqscan") == "off"
    async with pool.acquire() as connection:
        assert await connection.fetchval("SHOW enable_seqscan") == "on"
        assert await connection.fetchval("SHOW jit") == await connection.fetchval(
            "SELECT reset_val FROM pg_settings WHERE name = 'jit'"
        )
