"""The pool, the lock and the identity, on a real server."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import TypeAlias

import anyio
import anyio.abc
import asyncpg
import pytest
from anyio.abc import ByteStream
from pydantic import SecretStr
from structlog.testing import capture_logs

from recio.clock import Clock
from recio.daemon.database import ACCOUNT_LOCK
from recio.daemon.startup import owned_pool
from recio.daemon.venue import Venue
from recio.db import halts, identity, switches
from recio.db.connection import transaction
from recio.db.embedded import EmbeddedServer
from recio.db.pool import PROOF_HOLDS, advisory_lock, open_pool, starting_faults, transient_faults
from recio.errors import BadConfig, ExitCode, Fatal, Transient
from recio.messages.controls import Halt, HaltLevel, Switch
from recio.settings.config import Config
from tests.builders import NOW
from tests.kalshi.local_venue import SIGNER

_words = b"SFATAL\0VFATAL\0C08P01\0Munsupported startup parameter: statement_timeout\0\0"
REFUSAL = b"E" + (len(_words) + 4).to_bytes(4, "big") + _words
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


def over_tcp(dsn: str, port: int) -> str:
    """The same database through a relay on a port."""
    name = dsn.removeprefix("postgresql:///").split("?")[0]
    return f"postgresql://recio@127.0.0.1:{port}/{name}?sslmode=disable"


@asynccontextmanager
async def relay(
    server: EmbeddedServer, refused: bytes | None = None
) -> AsyncGenerator[tuple[int, anyio.Event]]:
    """A network in front of the server: it can fall silent, or refuse a setting as a pooler does."""
    silence = anyio.Event()

    async def pump(source: ByteStream, target: ByteStream) -> None:
        with suppress(anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
            async for chunk in source:
                if not silence.is_set():
                    await target.send(chunk)
            await target.send_eof()

    async def serve(client: ByteStream) -> None:
        async with client, await anyio.connect_unix(server.socket_dir / ".s.PGSQL.5432") as upstream:
            hello = await client.receive()
            if refused is not None and refused in hello:
                await client.send(REFUSAL)
                return
            await upstream.send(hello)
            async with anyio.create_task_group() as both:
                both.start_soon(pump, client, upstream)
                await pump(upstream, client)

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, serve)
        yield listener.extra(anyio.abc.SocketAttribute.local_port), silence
        group.cancel_scope.cancel()


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


async def test_the_refusal_names_the_holder_of_this_key_and_no_other(database_dsn: str, pool: Pool):
    async with pool.acquire() as stranger, advisory_lock(database_dsn, -7):
        await stranger.execute("SELECT pg_advisory_lock(5)")
        with pytest.raises(BadConfig, match="'recio lock', server process"):
            async with advisory_lock(database_dsn, -7):
                pass


async def test_a_killed_daemons_lock_is_waited_for_until_the_server_notices(database_dsn: str, pool: Pool):
    # The connection outlives the task that speaks on it last.
    async with pool.acquire() as dying, anyio.create_task_group() as group:
        await dying.execute("SELECT pg_advisory_lock(1)")

        async def die_when_somebody_waits() -> None:
            with anyio.fail_after(5):
                while True:
                    if await pool.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                        break
            await dying.execute("SELECT pg_advisory_unlock(1)")

        group.start_soon(die_when_somebody_waits)
        async with advisory_lock(database_dsn, 1) as lock:
            assert not lock.lost.is_set()


async def test_a_network_that_falls_silent_loses_the_lock(database_dsn: str, postgres: EmbeddedServer):
    """No connection is closed, no error arrives: that the lock is held can no longer be proven."""
    async with (
        relay(postgres) as (port, silence),
        advisory_lock(over_tcp(database_dsn, port), 1, patience=PROOF_HOLDS + 0.5) as lock,
    ):
        assert lock.is_proven()
        silence.set()
        with anyio.fail_after(10):
            # What proves nothing any more stops orders before the lock counts as lost.
            while lock.is_proven():  # noqa: ASYNC110 - time itself ends the proof, without an event
                await anyio.sleep(0.01)
            assert not lock.lost.is_set()
            await lock.lost.wait()


async def test_a_pooler_that_refuses_our_time_limit_is_used_without_it(
    database_dsn: str, postgres: EmbeddedServer
):
    async with open_pool(database_dsn, application_name="t") as pool:
        assert await pool.fetchval("SHOW statement_timeout") == "15s"
    async with (
        relay(postgres, refused=b"statement_timeout") as (port, _),
        open_pool(over_tcp(database_dsn, port), application_name="t") as pool,
    ):
        assert await pool.fetchval("SHOW statement_timeout") == "0"
        assert await pool.fetchval("SHOW application_name") == "t"


async def test_a_database_that_dies_while_the_daemon_starts_ends_it_with_the_code_of_what_may_be_started_again(
    pool: Pool, postgres: EmbeddedServer
):
    with pytest.raises(Fatal, match="failed while starting") as ended, starting_faults():
        async with transaction(pool) as connection:
            pid = await connection.fetchval("SELECT pg_backend_pid()")
            await _terminate(postgres, pid)
            await connection.fetchval("SELECT 1")
    assert ended.value.exit_code is ExitCode.TEMPORARY


async def _terminate(postgres: EmbeddedServer, pid: int) -> None:
    killer = await asyncpg.connect(postgres.dsn("postgres"))
    try:
        assert await killer.fetchval("SELECT pg_terminate_backend($1, 5000)", pid)
    finally:
        await killer.close()


async def test_our_own_mistakes_are_not_taken_for_faults_that_pass(pool: Pool):
    with pytest.raises(asyncpg.InterfaceError, match="expects 1 argument"):
        async with transaction(pool) as connection:
            await connection.fetchval("SELECT $1::int")
    with pytest.raises(Transient, match="closed"), transient_faults():
        await pool.close()
        await pool.fetchval("SELECT 1")


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


async def test_a_dsn_that_cannot_be_read_is_refused_without_a_piece_of_its_password():
    with pytest.raises(BadConfig, match="percent-encoded") as caught:
        async with open_pool("postgresql://me:hunt/er2@db/x", application_name="t"):
            pass
    assert "hunt" not in str(caught.value)


async def test_a_transaction_that_was_begun_is_finished_even_while_its_task_is_cancelled(pool: Pool):
    async def work() -> None:
        async with transaction(pool) as connection:
            group.cancel_scope.cancel()
            await connection.execute("CREATE TABLE finished (x int)")
            await connection.execute("INSERT INTO finished VALUES (1)")

    async with anyio.create_task_group() as group:
        group.start_soon(work)
    assert await pool.fetchval("SELECT x FROM finished") == 1


async def test_a_halt_outlives_its_setter_and_is_cleared_once(pool: Pool):
    halt = Halt(cause="difference", since=NOW, by="test", resolution="look", level=HaltLevel.FLATTEN)
    async with transaction(pool) as connection:
        assert await halts.set_halt(connection, halt)
        assert not await halts.set_halt(connection, halt)
        (row,) = await halts.active(connection)
        assert replace(row, halt_id=0) == halt
        assert await halts.clear_all(connection, NOW, "me") == ["difference"]
        assert await halts.active(connection) == ()


async def test_a_lock_that_another_daemon_holds_does_not_make_two_dsns_lead_to_one_database(
    postgres: EmbeddedServer, database_dsn: str
):
    """Over the one way a daemon's lock is seen: it must be ours, taken over the other way."""
    config = Config()
    section = config.database.model_copy(
        update={"dsn": SecretStr(database_dsn), "direct_dsn": SecretStr(postgres.dsn("postgres"))}
    )
    config = config.model_copy(update={"database": section})
    here = Venue(rest_url="", ws_url="", price_urls={}, signer=SIGNER, account="account", clock=Clock())
    async with advisory_lock(database_dsn, ACCOUNT_LOCK):
        with pytest.raises(BadConfig, match="lead to different databases"):
            async with owned_pool(config, here, database_dsn):
                pytest.fail("two daemons drive one database")


async def test_a_start_tells_of_a_switch_whose_strategy_the_config_no_longer_names(
    database_dsn: str, pool: Pool
):
    async with transaction(pool) as connection:
        for strategy in ("", "default", "calm"):
            await switches.turn(connection, Switch.ENTRY, False, NOW, "me", "too wild", strategy)
    config = Config.model_validate({"database": {"dsn": database_dsn}})
    here = Venue(rest_url="", ws_url="", price_urls={}, signer=SIGNER, account="account", clock=Clock())
    with capture_logs() as told:
        async with owned_pool(config, here, database_dsn):
            pass
    (said,) = (each for each in told if each["event"] == "switch of no strategy")
    assert (said["strategy"], said["by"], said["why"]) == ("calm", "me", "too wild")
