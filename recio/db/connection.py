"""The open connection that every database function takes, and the transaction that gives one."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import asyncpg

from recio.db.pool import HOLDER, transient_faults

if TYPE_CHECKING:
    from asyncpg import Record
    from asyncpg.connection import Connection as DirectConnection
    from asyncpg.pool import PoolConnectionProxy

    Connection = PoolConnectionProxy[Record] | DirectConnection[Record]
else:  # asyncpg's classes are generic in their type stubs only
    Connection = object


ACQUIRE_LIMIT = 10.0
"""Host seconds to wait for a connection of the pool."""


@asynccontextmanager
async def transaction(pool: asyncpg.Pool[asyncpg.Record]) -> AsyncGenerator[Connection]:
    """One connection in one transaction: committed at the end of the block, rolled back on any error.

    Connection faults come out as Transient. If the commit itself fails its outcome is unknown: the
    caller must act as if the rows might be there, which start-up and the resolver do.

    The block is finished even while its task is being cancelled: half a transaction helps nobody,
    and a cancelled rollback would leave its connection unusable. Statements have their own limit.
    """
    with transient_faults(), anyio.CancelScope(shield=True):
        async with pool.acquire(timeout=ACQUIRE_LIMIT) as connection, connection.transaction():
            yield connection


@asynccontextmanager
async def bounded_read(pool: asyncpg.Pool[asyncpg.Record], seconds: float) -> AsyncGenerator[Connection]:
    """A transaction that can write nothing and in which no statement takes longer, for what nobody trades by.

    Raises Transient as `transaction` does, and asyncpg.QueryCanceledError for a statement that took too long.
    """
    async with transaction(pool) as connection:
        await read_only(connection)
        await connection.execute(f"SET LOCAL statement_timeout = '{seconds * 1000:.0f}ms'")
        # Compiling a statement takes longer than a year's rows do.
        await connection.execute("SET LOCAL jit = off")
        yield connection


@asynccontextmanager
async def single_statement(pool: asyncpg.Pool[asyncpg.Record]) -> AsyncGenerator[Connection]:
    """One connection for one statement, which is a transaction of its own: a read on a timer costs no BEGIN and no COMMIT.

    The same promises as those of `transaction`.
    """
    with transient_faults(), anyio.CancelScope(shield=True):
        async with pool.acquire(timeout=ACQUIRE_LIMIT) as connection:
            yield connection


async def is_held(connection: Connection, key: int) -> bool:
    """Whether some session holds this advisory lock of the database now."""
    return await connection.fetchrow(HOLDER, key) is not None


async def without_time_limit(connection: Connection) -> None:
    """No statement takes too long in what is left of this transaction, for commands that read years of rows."""
    await connection.execute("SET LOCAL statement_timeout = 0")


async def read_only(connection: Connection) -> None:
    """Nothing can be written in what is left of this transaction."""
    await connection.execute("SET TRANSACTION READ ONLY")


async def is_superuser(connection: Connection) -> bool:
    """Whether the role that is connected may do anything on the whole server."""
    return await connection.fetchval("SELECT current_setting('is_superuser')") == "on"


async def lock_is_really_held(pool: asyncpg.Pool[asyncpg.Record], dsn: str, key: int) -> bool:
    """Taken for a moment on a connection of its own and looked for on another: a transaction pooler in between shows itself.

    `key` is an advisory lock that nobody else holds now. Raises what connecting to `dsn` raises.
    """
    holder = await asyncpg.connect(dsn, timeout=ACQUIRE_LIMIT, statement_cache_size=0)
    try:
        taken = await holder.fetchval("SELECT pg_try_advisory_lock($1)", key)
        await holder.execute("SELECT 1")
        mine = await holder.fetchval("SELECT pg_backend_pid()")
        async with transaction(pool) as connection:
            seen = await is_held(connection, key)
        same = mine == await holder.fetchval("SELECT pg_backend_pid()")
        await holder.fetchval("SELECT pg_advisory_unlock($1)", key)
    finally:
        await holder.close()  # noqa: ASYNC102 - bounded and shielded by whoever asks
    return bool(taken and seen and same)
