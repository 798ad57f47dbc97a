"""Connections to PostgreSQL: the pool, the one-daemon lock, and which of their faults pass by themselves."""

from __future__ import annotations

import json
import math
import os
import ssl
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from urllib.parse import parse_qs, urlsplit

import anyio
import asyncpg
from asyncpg import exceptions as faults

from recio.errors import BadConfig, DatabaseAway, Transient
from recio.test_hooks.crash_points import CrashPoint, reached

OLDEST_VERSION = 15
CONNECT_TIMEOUT = 10.0
STATEMENT_TIMEOUT = 10.0
CLOSE_LIMIT = 5.0
PROOF_EVERY = 0.5
"""Host seconds between two questions on the lock's connection, whose answers prove that it still lives."""
PROOF_HOLDS = 2.0
"""Host seconds for which an answer proves anything; afterwards nothing is sent until the next one."""
PROOF_PATIENCE = 10.0
"""Host seconds to wait for an answer before the lock counts as lost and the daemon ends."""
LOCK_PATIENCE = "3s"
"""How long a killed daemon's connection may take to be noticed by the server and give the lock up."""
SERVER_SETTINGS = {"timezone": "UTC"}
SERVER_LIMIT = {
    "statement_timeout": f"{STATEMENT_TIMEOUT + 5:.0f}s",
    "idle_in_transaction_session_timeout": f"{STATEMENT_TIMEOUT + 5:.0f}s",
}
"""Ends a statement, and a transaction that holds locks, whose client vanished without a word; a live client gives up first."""
SWIFT_KEEPALIVES = {"tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3"}
"""A server across a network lets the lock of a vanished host go in half a minute, not in two hours."""

# PostgreSQL shows the two halves of a 64-bit key; other advisory locks may be held in the same database.
HOLDER = """
    SELECT a.pid, a.application_name, a.backend_start FROM pg_locks l JOIN pg_stat_activity a USING (pid)
    WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND l.classid::bigint = ($1::bigint >> 32) & 4294967295 AND l.objid::bigint = $1::bigint & 4294967295
"""

LOCK_THROUGH_POOLER = (
    "the account's lock would go through a pooler, where it holds nothing: set database.direct_dsn to the address of the"
    " PostgreSQL behind it"
)
_behind_poolers = set[int]()
"""Which open pools, by identity."""
_PROCESS = "SELECT pg_backend_pid()"
_SERVER_SINCE = "SELECT pg_postmaster_start_time()"
SAME_SERVER_WITHIN = 2.0
"""Host seconds in which a server that is there says since when."""

# The server went, or is going, or was never there: the same statement may succeed later.
PASSING = (
    OSError,
    TimeoutError,
    faults.PostgresConnectionError,
    faults.OperatorInterventionError,
    faults.InsufficientResourcesError,
    faults.TransactionRollbackError,
    faults.ReadOnlySQLTransactionError,
    faults.IdleInTransactionSessionTimeoutError,
    faults.PostgresIOError,
    # The driver's own confusion over the last bytes of a server that died.
    asyncpg.InternalClientError,
)
_FILES = ("sslrootcert", "sslcert", "sslkey", "sslcrl")
_REFUSALS = (
    faults.InvalidAuthorizationSpecificationError,
    faults.InvalidCatalogNameError,
    faults.InsufficientPrivilegeError,
)
_JSONB_VERSION = b"\x01"
LOST_SIGNS = ("is closed", "is closing", "released back")


@contextmanager
def transient_faults() -> Generator[None]:
    """Faults of the connection or the server come out as Transient; faults of the statement go through."""
    try:
        yield
    except (*PASSING, asyncpg.InterfaceError) as fault:
        if not _passes(fault):
            raise
        raise Transient(f"database: {type(fault).__name__}: {fault}") from fault


@contextmanager
def starting_faults() -> Generator[None]:
    """While the daemon starts nobody restarts its tasks: what passes ends it with the code of what may be started again."""
    try:
        with transient_faults():
            yield
    except Transient as fault:
        raise DatabaseAway(f"the database failed while starting: {fault}") from fault


def _passes(fault: BaseException) -> bool:
    """asyncpg says InterfaceError for a lost connection and for our own mistakes alike; only words differ."""
    if isinstance(fault, asyncpg.InterfaceError):
        return any(sign in str(fault) for sign in LOST_SIGNS) and not isinstance(fault, ValueError)
    return isinstance(fault, PASSING)


@asynccontextmanager
async def open_pool(
    dsn: str, *, application_name: str, min_size: int = 1, max_size: int = 4, statement_cache_size: int = 0
) -> AsyncGenerator[asyncpg.Pool[asyncpg.Record]]:
    """A pool whose connections keep time in UTC and give up on a statement after ten seconds.

    Statements are kept prepared only if asked for, and never while a transaction pooler stands in between.
    Raises BadConfig for a database that cannot be used, DatabaseAway for one that is away.
    """
    create = partial(
        asyncpg.create_pool,
        dsn,
        min_size=min_size,
        max_size=max_size,
        statement_cache_size=0,
        timeout=CONNECT_TIMEOUT,
        command_timeout=STATEMENT_TIMEOUT,
        init=prepare,
        reset=_as_it_is,
    )
    settings = SERVER_SETTINGS | {"application_name": application_name}
    direct = settings | SERVER_LIMIT | SWIFT_KEEPALIVES
    try:
        _refuse_absent_files(dsn)
        try:
            pool = await create(server_settings=direct)
        except faults.ProtocolViolationError:  # how a pooler refuses a setting that it does not keep
            pool = await create(server_settings=settings)
    except Exception as error:
        raise _cannot_connect(error) from error
    try:
        with starting_faults():
            await _check_version(pool)
            if await _is_pooled(pool):
                _behind_poolers.add(id(pool))
            elif statement_cache_size:
                pool.set_connect_args(
                    dsn,
                    server_settings=direct,
                    statement_cache_size=statement_cache_size,
                    timeout=CONNECT_TIMEOUT,
                    command_timeout=STATEMENT_TIMEOUT,
                )
                await pool.expire_connections()
        yield pool
    finally:
        _behind_poolers.discard(id(pool))
        await close(pool)  # noqa: ASYNC102 - shielded and bounded inside


async def close(held: asyncpg.Pool[asyncpg.Record] | asyncpg.Connection[asyncpg.Record]) -> None:
    """Take leave of the server; one that died or stays silent changes nothing about what was done before, and is left.

    Never cancelled half-way: asyncpg would leak the server's side of the connection.
    """
    with anyio.move_on_after(CLOSE_LIMIT, shield=True):
        try:
            await held.close()
        except (*PASSING, asyncpg.InterfaceError):
            pass  # nobody to say farewell to
        else:
            return
    held.terminate()


@dataclass(slots=True)
class AccountLock:
    """Held as long as its connection lives; `lost` is set once it is gone or nobody answers on it."""

    lost: anyio.Event
    proven_at: float
    """When the last question that was answered had been asked, in host monotonic seconds."""
    server_since: datetime | None = None
    """When the server that holds it had started."""
    process: int = 0
    """Of that server, whose session it is."""

    def is_proven(self) -> bool:
        """Whether this process may act as the only daemon of the account at this moment."""
        return not self.lost.is_set() and time.monotonic() - self.proven_at <= PROOF_HOLDS


@asynccontextmanager
async def advisory_lock(
    dsn: str, key: int, *, patience: float = PROOF_PATIENCE
) -> AsyncGenerator[AccountLock]:
    """Hold a session lock on a connection of its own. Raises BadConfig if another holds it."""
    try:
        _refuse_absent_files(dsn)
        connection = await asyncpg.connect(
            dsn,
            timeout=CONNECT_TIMEOUT,
            command_timeout=STATEMENT_TIMEOUT,
            server_settings=SERVER_SETTINGS | SWIFT_KEEPALIVES | {"application_name": "recio lock"},
        )
    except faults.ProtocolViolationError as error:  # how a pooler refuses a setting that it does not keep
        raise BadConfig(LOCK_THROUGH_POOLER) from error
    except Exception as error:
        raise _cannot_connect(error) from error
    lock = AccountLock(lost=anyio.Event(), proven_at=-math.inf)
    try:
        asked = time.monotonic()
        with starting_faults():
            if not await _taken_in_time(connection, key):
                raise BadConfig(
                    "another recio holds this database's account lock: one daemon per account;"
                    f" it is {await _holder(connection, key)}; stop it first",
                    lock_is_taken=True,
                )
            await _refuse_pooler(connection)
            lock.server_since = await connection.fetchval(_SERVER_SINCE)
            lock.process = connection.get_server_pid()
        reached(CrashPoint.LOCK_HELD)
        lock.proven_at = asked
        connection.add_termination_listener(lambda _: lock.lost.set())
        async with alongside(lambda: _prove(connection, lock, patience)):
            yield lock
    finally:
        if lock.lost.is_set():
            connection.terminate()
        await close(connection)  # noqa: ASYNC102 - shielded and bounded inside


async def holds_here(pool: asyncpg.Pool[asyncpg.Record], key: int, lock: AccountLock) -> bool:
    """Whether `lock` is the very one that is seen here: by its process, on a server that started at the same microsecond.

    When a session began is not told of another role's.
    """
    row = await pool.fetchrow(HOLDER, key)
    if row is None or row["pid"] != lock.process:
        return False
    return await pool.fetchval(_SERVER_SINCE) == lock.server_since


async def is_same_server(pool: asyncpg.Pool[asyncpg.Record], lock: AccountLock) -> bool:
    """Whether the server that gave the lock is still there and answers, though the lock is gone."""
    with anyio.move_on_after(SAME_SERVER_WITHIN):
        try:
            return await pool.fetchval(_SERVER_SINCE) == lock.server_since
        except (*PASSING, asyncpg.InterfaceError):
            return False
    return False


async def _prove(connection: asyncpg.Connection[asyncpg.Record], lock: AccountLock, patience: float) -> None:
    """A network that fell silent closes nothing: ask, and take no answer for a loss."""
    while not lock.lost.is_set():
        await anyio.sleep(PROOF_EVERY)
        asked = time.monotonic()
        try:
            await connection.execute("SELECT 1", timeout=patience)
        except (*PASSING, asyncpg.InterfaceError):
            lock.lost.set()
        else:
            lock.proven_at = asked


@asynccontextmanager
async def alongside(work: Callable[[], Coroutine[object, object, None]]) -> AsyncGenerator[None]:
    """Run endless `work` while the block lasts; a fault of the block comes out as it is, not in a group."""
    fault: BaseException | None = None
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(work)
            try:
                yield
            finally:
                group.cancel_scope.cancel()
    except BaseExceptionGroup as faults:
        fault, *others = faults.exceptions
        if others:
            raise
    if fault is not None:  # raised outside the handler, so that its own cause and context stay
        raise fault


async def _taken_in_time(connection: asyncpg.Connection[asyncpg.Record], key: int) -> bool:
    await connection.execute(f"SET lock_timeout = '{LOCK_PATIENCE}'")
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", key)
    except faults.LockNotAvailableError:
        return False
    return True


async def _refuse_pooler(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """A lock of a session means nothing where each transaction gets another session. Raises BadConfig.

    A pooler answers the greeting itself, with a process number of its own.
    """
    if await connection.fetchval(_PROCESS) != connection.get_server_pid():
        raise BadConfig(LOCK_THROUGH_POOLER)


async def _holder(connection: asyncpg.Connection[asyncpg.Record], key: int) -> str:
    row = await connection.fetchrow(HOLDER, key)
    if row is None:
        return "not visible to us"
    since: datetime | None = row["backend_start"]
    if since is None:  # nobody sees more of another role's session
        return f"server process {row['pid']} of another role"
    return (
        f"{row['application_name'] or 'a client without a name'!r}, server process {row['pid']},"
        f" connected since {since:%Y-%m-%d %H:%M:%S} UTC"
    )


async def prepare(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """JSON goes in and comes out as Python values, in the binary format: a whole row with a text column has none."""
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", encoder=_jsonb, decoder=_from_jsonb, format="binary"
    )


async def _as_it_is(_: object) -> None:
    """Nobody changes the settings of a pooled connection; asyncpg itself rolls back what was left open."""


def _jsonb(value: object) -> bytes:
    return _JSONB_VERSION + json.dumps(value).encode()


def _from_jsonb(value: bytes) -> object:
    return json.loads(value[len(_JSONB_VERSION) :])


def is_behind_pooler(pool: asyncpg.Pool[asyncpg.Record]) -> bool:
    """Whether each of its transactions may get another session of the server, so that nothing can be prepared in one for the next.

    A statement without a name is parsed and carried out in one go, which no pooler parts. True for poolers of every mode.
    """
    return id(pool) in _behind_poolers


async def _is_pooled(pool: asyncpg.Pool[asyncpg.Record]) -> bool:
    async with pool.acquire() as connection, connection.transaction():
        return await connection.fetchval(_PROCESS) != connection.get_server_pid()


async def _check_version(pool: asyncpg.Pool[asyncpg.Record]) -> None:
    async with pool.acquire() as connection:
        version = connection.get_server_version()
    if version.major < OLDEST_VERSION:
        raise BadConfig(
            f"database.dsn leads to PostgreSQL {version.major}; recio needs {OLDEST_VERSION} or newer"
        )


def _refuse_absent_files(dsn: str) -> None:
    """A file of the DSN that is not there would look like a server that is away. Raises BadConfig."""
    for name in _FILES:
        for path in parse_qs(urlsplit(dsn).query).get(name, ()):
            if not os.access(path, os.R_OK):
                raise BadConfig(
                    f"database.dsn: its {name} = {path} is not there, or this user may not read it"
                )


def _cannot_connect(error: Exception) -> Exception:
    """The sentence for a database that cannot be reached; it never repeats the DSN."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return BadConfig(
            f"database.dsn: the server cannot be trusted ({error.verify_message}): its sslrootcert must name the file of the"
            " authority that signed the server's certificate, and its host a name that stands in it"
        )
    if isinstance(error, ValueError):  # its words may quote a piece of the password
        return BadConfig(
            "database.dsn cannot be read: write postgresql://user:password@host:port/name,"
            " with every special character of the password percent-encoded"
        )
    if isinstance(error, _REFUSALS):
        return BadConfig(f"database.dsn: the database refuses us: {error}")
    if isinstance(error, PASSING):
        return DatabaseAway(f"the database cannot be reached: {type(error).__name__}: {error}")
    return error
