"""Connections to PostgreSQL: the pool, the one-daemon lock, and which of their faults pass by themselves."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import anyio
import asyncpg
from asyncpg import exceptions as faults

from recio.errors import BadConfig, ExitCode, Fatal, Transient

OLDEST_VERSION = 15
CONNECT_TIMEOUT = 10.0
STATEMENT_TIMEOUT = 10.0
CLOSE_LIMIT = 5.0

# The server went, or is going, or was never there: the same statement may succeed later.
PASSING = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    faults.PostgresConnectionError,
    faults.OperatorInterventionError,
    faults.InsufficientResourcesError,
    faults.TransactionRollbackError,
    faults.ReadOnlySQLTransactionError,
    faults.IdleInTransactionSessionTimeoutError,
    faults.PostgresIOError,
)


@contextmanager
def transient_faults() -> Generator[None]:
    """Faults of the connection or the server come out as Transient; faults of the statement go through."""
    try:
        yield
    except PASSING as fault:
        raise Transient(f"database: {type(fault).__name__}: {fault}") from fault


@asynccontextmanager
async def open_pool(
    dsn: str, *, application_name: str, min_size: int = 1, max_size: int = 4
) -> AsyncGenerator[asyncpg.Pool[asyncpg.Record]]:
    """A pool whose connections keep time in UTC and give up on a statement after ten seconds.

    Prepared statements are not cached, so that a transaction pooler may stand in between.
    Raises BadConfig for a database that cannot be used, Fatal(TEMPORARY) for one that is away.
    """
    try:
        pool = await asyncpg.create_pool(
            dsn,
            min_size=min_size,
            max_size=max_size,
            statement_cache_size=0,
            timeout=CONNECT_TIMEOUT,
            command_timeout=STATEMENT_TIMEOUT,
            init=_prepare,
            server_settings={"application_name": application_name, "timezone": "UTC"},
        )
    except Exception as error:
        raise _cannot_connect(error) from error
    try:
        await _check_version(pool)
        yield pool
    finally:
        # asyncpg leaks the server's side of a connection whose close is cancelled.
        with anyio.move_on_after(CLOSE_LIMIT, shield=True) as limit:
            await pool.close()
        if limit.cancelled_caught:
            pool.terminate()


@dataclass(frozen=True, slots=True)
class AccountLock:
    """Held as long as its connection lives; `lost` is set the moment that can no longer be proven."""

    lost: anyio.Event


@asynccontextmanager
async def advisory_lock(dsn: str, key: int) -> AsyncGenerator[AccountLock]:
    """Hold a session lock on a connection of its own. Raises BadConfig if another holds it."""
    try:
        connection = await asyncpg.connect(
            dsn,
            timeout=CONNECT_TIMEOUT,
            command_timeout=STATEMENT_TIMEOUT,
            server_settings={"application_name": "recio lock"},
        )
    except Exception as error:
        raise _cannot_connect(error) from error
    lost = anyio.Event()
    try:
        if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", key):
            raise BadConfig(
                "another recio holds this database's account lock: one daemon per account;"
                f" it is {await _holder(connection)}; stop it first"
            )
        connection.add_termination_listener(lambda _: lost.set())
        yield AccountLock(lost)
    finally:
        with anyio.move_on_after(CLOSE_LIMIT, shield=True) as limit:
            await connection.close()
        if limit.cancelled_caught:
            connection.terminate()


async def _holder(connection: asyncpg.Connection[asyncpg.Record]) -> str:
    row = await connection.fetchrow(
        "SELECT a.pid, a.backend_start FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
        " WHERE l.locktype = 'advisory' AND l.granted AND l.database ="
        " (SELECT oid FROM pg_database WHERE datname = current_database()) LIMIT 1"
    )
    if row is None:
        return "not visible to us"
    return f"server process {row['pid']}, connected since {row['backend_start']:%Y-%m-%d %H:%M:%S} UTC"


async def _prepare(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads)


async def _check_version(pool: asyncpg.Pool[asyncpg.Record]) -> None:
    async with pool.acquire() as connection:
        version = connection.get_server_version()
    if version.major < OLDEST_VERSION:
        raise BadConfig(
            f"database.dsn leads to PostgreSQL {version.major}; recio needs {OLDEST_VERSION} or newer"
        )


def _cannot_connect(error: Exception) -> Exception:
    """The sentence for a database that cannot be reached; it never repeats the DSN."""
    if isinstance(
        error, faults.InvalidAuthorizationSpecificationError | faults.InvalidCatalogNameError | ValueError
    ):
        return BadConfig(f"database.dsn: the database refuses us: {error}")
    if isinstance(error, PASSING):
        return Fatal(f"the database cannot be reached: {type(error).__name__}: {error}", ExitCode.TEMPORARY)
    return error
