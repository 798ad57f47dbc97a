"""A database that goes at a bad moment ends the daemon as one that may be started anew, never as one that broke."""

from __future__ import annotations

import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import anyio
import anyio.abc
import asyncpg
import pytest
from anyio.abc import ByteStream

from recio.clock import Clock
from recio.daemon.startup import ACCOUNT_LOCK, owned_pool
from recio.daemon.venue import Venue
from recio.db.embedded import EmbeddedServer
from recio.db.pool import advisory_lock, close
from recio.errors import ExitCode, Fatal
from recio.settings.config import Config
from recio.supervisor import leading_fault
from tests.db.test_pool_and_schema import over_tcp
from tests.kalshi.local_venue import SIGNER

_words = b"SFATAL\0VFATAL\0C57P02\0Mterminating connection because of crash of another server process\0\0"
LAST_WORDS = b"E" + (len(_words) + 4).to_bytes(4, "big") + _words
WAITING = """
    SELECT a.pid FROM pg_stat_activity a JOIN pg_locks l USING (pid)
    WHERE a.datname = current_database() AND NOT l.granted
"""


HERE = Venue(rest_url="", ws_url="", price_urls={}, signer=SIGNER, account="account", clock=Clock())


async def _terminate_whoever_waits(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    with anyio.fail_after(20):
        while (pid := await connection.fetchval(WAITING)) is None:  # noqa: ASYNC110 - the server's own state
            await anyio.sleep(0.005)
    await connection.execute("SELECT pg_terminate_backend($1)", pid)


async def _starts_while_lost(dsn: str, hold: str) -> BaseException:
    """What comes out when the connection that waits behind `hold` is ended under the starting daemon."""
    stranger = await asyncpg.connect(dsn)
    watcher = await asyncpg.connect(dsn)
    try:
        async with stranger.transaction():
            await stranger.execute(hold)
            with pytest.raises(Exception) as caught:  # noqa: PT011 - which one is what is asked
                async with anyio.create_task_group() as group:
                    group.start_soon(_terminate_whoever_waits, watcher)
                    async with owned_pool(Config(), HERE, dsn):
                        pytest.fail("it started without its database")
        return leading_fault(caught.value)
    finally:
        await stranger.close()
        await watcher.close()


@pytest.mark.parametrize(
    "hold",
    [
        f"SELECT pg_advisory_xact_lock({ACCOUNT_LOCK})",
        "LOCK TABLE identity IN ACCESS EXCLUSIVE MODE",
        "LOCK TABLE runs IN EXCLUSIVE MODE",
    ],
    ids=["taking the lock", "claiming its identity", "beginning its run"],
)
async def test_a_connection_lost_while_starting_is_a_passing_end(database_dsn: str, hold: str):
    fault = await _starts_while_lost(database_dsn, hold)
    assert isinstance(fault, Fatal), repr(fault)
    assert fault.exit_code is ExitCode.TEMPORARY


@asynccontextmanager
async def relay(
    server: EmbeddedServer, at: Path | None = None
) -> AsyncGenerator[tuple[int, list[ByteStream]]]:
    """A network in front of the server, at a path or on a port of its own, and the clients' ends of its connections."""
    clients: list[ByteStream] = []

    async def pump(source: ByteStream, target: ByteStream) -> None:
        with suppress(anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
            async for chunk in source:
                await target.send(chunk)

    async def serve(client: ByteStream) -> None:
        clients.append(client)
        async with (
            client,
            await anyio.connect_unix(server.socket_dir / ".s.PGSQL.5432") as upstream,
            anyio.create_task_group() as both,
        ):
            both.start_soon(pump, client, upstream)
            await pump(upstream, client)
            both.cancel_scope.cancel()

    listener = await (
        anyio.create_unix_listener(at) if at else anyio.create_tcp_listener(local_host="127.0.0.1")
    )
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, serve)
        yield 0 if at else listener.extra(anyio.abc.SocketAttribute.local_port), clients
        group.cancel_scope.cancel()


async def test_a_servers_last_words_lose_the_lock_and_break_nothing(
    database_dsn: str, postgres: EmbeddedServer
):
    """A server that ends all its connections because one of its processes crashed says so unasked, and goes."""
    async with (
        relay(postgres) as (port, clients),
        advisory_lock(over_tcp(database_dsn, port), 1) as lock,
    ):
        await clients[0].send(LAST_WORDS)
        with anyio.fail_after(10):
            await lock.lost.wait()


async def test_a_server_that_dies_at_the_farewell_does_not_end_the_daemon_as_one_that_broke(
    database_dsn: str, postgres: EmbeddedServer, tmp_path: Path
):
    dsn = database_dsn.replace(str(postgres.socket_dir), str(tmp_path))
    async with relay(postgres, tmp_path / ".s.PGSQL.5432") as (_, clients):
        connection = await asyncpg.connect(dsn)
        # Without a turn of the loop in between, so that the farewell is the first to notice.
        clients[0].extra(anyio.abc.SocketAttribute.raw_socket).shutdown(socket.SHUT_RDWR)
        await close(connection)
        assert connection.is_closed()


async def test_no_server_that_may_be_written_to_is_a_passing_end(database_dsn: str, postgres: EmbeddedServer):
    """During a failover every server of the list is a copy for a while."""
    async with relay(postgres) as (port, _):
        dsn = over_tcp(database_dsn, port) + "&target_session_attrs=standby"
        with pytest.raises(Fatal) as caught:
            async with advisory_lock(dsn, 1):
                pass
    assert caught.value.exit_code is ExitCode.TEMPORARY
