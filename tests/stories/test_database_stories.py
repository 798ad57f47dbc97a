"""The daemon's database goes wrong in every way that is known, and no order leaves without its row or is forgotten."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import asyncpg
import pytest

from recio.db import embedded
from recio.db.embedded import EmbeddedServer
from recio.db.server_programs import run_program
from tests.faults.arena import Arena, until, until_true
from tests.faults.kill_database import kill_server
from tests.faults.one_case import Result, recover
from tests.faults.run_grid import database
from tests.stories.database_relay import Cut, Relay, database_relay

pytestmark = pytest.mark.timeout(400)
PATIENCE = 60.0
"""Host seconds in which trading resumes or says why, once a fault is over; and in which each fault shows itself."""


@dataclass(frozen=True, slots=True)
class Scene:
    arena: Arena
    relay: Relay | None
    server: EmbeddedServer
    root: Path

    @property
    def wire(self) -> Relay:
        assert self.relay is not None
        return self.relay

    async def status(self) -> dict[str, Any]:
        return await self.arena.status() or {"blocks": [], "ready": False, "halts": []}

    async def blocked_by(self, condition: str) -> bool:
        return any(condition in block["condition"] for block in (await self.status())["blocks"])

    async def ready(self) -> bool:
        return (await self.status())["ready"]

    async def administer(self, *statements: str) -> None:
        async with self.arena.connection("postgres") as connection:
            for statement in statements:
                await connection.execute(statement)

    async def orders_at_the_venue(self) -> int:
        return len((await self.arena.admin("/admin/ledger"))["asked_for"])

    async def rows_hold(self) -> None:
        assert await self.arena.broken_now() == []


@asynccontextmanager
async def a_scene() -> AsyncIterator[Scene]:
    """The daemon trades on a database that it reaches through the relay."""
    async with database() as (root, server), database_relay(root / "wire", server.socket_dir) as relay:
        arena = Arena(root=root, server=server, name="scene", through=relay.folder)
        await arena.open()
        try:
            arena.start(exits=True, crash_at=None)
            await until(lambda: "order pending" in arena.log_tail(10**6), PATIENCE, "it does not trade")
            yield Scene(arena, relay, server, root)
        finally:
            with anyio.CancelScope(shield=True):
                await relay.drop_all()
                await arena.close()


def more_intended(arena: Arena) -> Callable[[], bool]:
    before = arena.log_tail(10**7).count('"order pending"')
    return lambda: arena.log_tail(10**7).count('"order pending"') > before


async def comes_back(scene: Scene) -> None:
    """By itself, within the time that is promised, and with books that agree."""
    result = Result(number=1, title="story")
    await recover(scene.arena, result, {}, fresh=False)
    assert result.failures == []


@pytest.mark.parametrize(
    "cut",
    [
        pytest.param(Cut.BEFORE_COMMIT, marks=pytest.mark.long),
        pytest.param(Cut.DURING_COMMIT, marks=pytest.mark.long),
        Cut.AFTER_COMMIT,
    ],
    ids=lambda cut: cut.value,
)
async def test_an_order_row_whose_commit_nobody_answers_is_neither_sent_without_its_row_nor_twice(cut: Cut):
    async with a_scene() as scene:
        scene.wire.cut = cut
        await until(lambda: scene.wire.cuts, PATIENCE, "no order row was written")
        await scene.rows_hold()
        await until(more_intended(scene.arena), PATIENCE, "it does not trade again")
        await scene.rows_hold()
        assert scene.arena.ended() is None
        await comes_back(scene)


async def test_a_database_that_becomes_read_only_stops_entries_by_name_and_trading_resumes_by_itself():
    async with a_scene() as scene:
        await scene.administer(
            "ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()"
        )
        await until_true(
            lambda: scene.blocked_by("database read-only"), PATIENCE, lambda: "it is not noticed"
        )
        before = await scene.orders_at_the_venue()
        await scene.rows_hold()
        assert before == await scene.orders_at_the_venue()
        async with scene.arena.connection("postgres") as connection:
            await connection.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE")
            await connection.execute("ALTER SYSTEM RESET default_transaction_read_only")
            await connection.execute("SELECT pg_reload_conf()")
        await until_true(scene.ready, PATIENCE, lambda: "it does not say that it is ready")
        assert scene.arena.ended() is None
        await comes_back(scene)


async def test_while_every_commit_is_slow_no_order_leaves_before_its_row_and_entries_wait():
    async with a_scene() as scene:
        scene.wire.commit_delay = 1.5
        await until_true(lambda: scene.blocked_by("database slow"), PATIENCE, lambda: "it is not noticed")
        end = time.monotonic() + 5.0
        while time.monotonic() < end:
            await scene.rows_hold()
        scene.wire.commit_delay = 0.0
        await until_true(scene.ready, PATIENCE, lambda: "it does not say that it is ready")
        assert scene.arena.ended() is None
        await comes_back(scene)


# --- a standby takes over ----------------------------------------------------------------------------------


async def _tool(server: EmbeddedServer, name: str, *arguments: str) -> None:
    done = await run_program(server.place, name, *arguments)
    assert done.returncode == 0, (name, done.stdout, done.stderr)


async def _standby(scene: Scene) -> EmbeddedServer:
    """A copy that follows the server, running."""
    home = scene.server.data_dir.parent / "standby"
    home.mkdir(mode=0o700)
    account = scene.server.place.account
    if account is not None:
        os.chown(home, account.uid, account.gid)
    place = replace(scene.server.place, data_dir=home / "data", socket_dir=home)
    standby = EmbeddedServer(place=place)
    source = f"host={scene.server.socket_dir} user={embedded.SUPERUSER}"
    await _tool(
        standby,
        "pg_basebackup",
        "-D",
        str(standby.data_dir),
        "-d",
        source,
        "-R",
        "-X",
        "stream",
        "-c",
        "fast",
    )
    await _turn_on(standby)
    return standby


async def _turn_on(server: EmbeddedServer) -> None:
    options = f"-k '{server.socket_dir}'"
    log = str(server.socket_dir / "standby.log")
    await _tool(server, "pg_ctl", "-D", str(server.data_dir), "-w", "-l", log, "-o", options, "start")


async def _follows(scene: Scene) -> bool:
    async with scene.arena.connection("postgres") as connection:
        return await connection.fetchval(
            "SELECT count(*) = 1 FROM pg_stat_replication WHERE state = 'streaming' AND replay_lsn = sent_lsn"
        )


async def _take_over(scene: Scene, standby: EmbeddedServer) -> None:
    """The standby becomes the server, at the same address."""
    await _tool(standby, "pg_ctl", "-D", str(standby.data_dir), "-w", "promote")
    scene.wire.server = standby.socket_dir
    scene.arena.server = standby


@pytest.mark.parametrize(
    "behind",
    [
        pytest.param(False, marks=pytest.mark.long, id="up to date"),
        pytest.param(True, id="without the last rows"),
    ],
)
async def test_after_a_failover_trading_resumes_and_orders_whose_rows_were_lost_halt_it(behind: bool):
    async with a_scene() as scene:
        standby = await _standby(scene)
        try:
            await until_true(lambda: _follows(scene), PATIENCE, lambda: "the standby does not follow")
            if behind:
                await _tool(standby, "pg_ctl", "-D", str(standby.data_dir), "-m", "fast", "-w", "stop")
                sent = await scene.orders_at_the_venue()
                await until_true(
                    lambda: _more_orders(scene, sent), PATIENCE, lambda: "no further order was sent"
                )
                await scene.arena.kill()
            assert kill_server(scene.server)
            if behind:
                await _turn_on(standby)
            await _take_over(scene, standby)
            if not behind:
                lives = scene.arena.log_tail(10**7).count("database ready")
                await until(
                    lambda: scene.arena.log_tail(10**7).count("database ready") > lives,
                    PATIENCE,
                    "it does not come back",
                )
                assert scene.arena.ended() is None
            if behind:
                scene.arena.start(exits=True, crash_at=None)
                await until_true(lambda: _halted_for_lost_rows(scene), PATIENCE, lambda: "it trades on")
            else:
                await comes_back(scene)
        finally:
            with anyio.CancelScope(shield=True):
                await scene.arena.kill()
                await scene.wire.drop_all()
                kill_server(standby)
                scene.arena.server = await embedded.start_embedded(scene.root)


async def _more_orders(scene: Scene, than: int) -> bool:
    return await scene.orders_at_the_venue() > than


async def _halted_for_lost_rows(scene: Scene) -> bool:
    return any("is at the venue and has no row" in halt["cause"] for halt in (await scene.status())["halts"])


# --- no room left ---------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path):
    """A file system of its own that a test may fill."""
    folder = tmp_path / "disk"
    folder.mkdir(mode=0o711)
    for parent in (tmp_path, *tmp_path.parents):
        if parent.stat().st_uid == os.geteuid() and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o111)
    command = ["mount", "-t", "tmpfs", "-o", "size=800m,mode=0711", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("needs to mount a file system of its own")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.long
async def test_a_full_disk_costs_nothing_but_time(small_disk: Path):
    async with database(small_disk) as (root, server):
        arena = Arena(root=root, server=server, name="full")
        await arena.open()
        ballast = small_disk / "ballast"
        try:
            arena.start(exits=True, crash_at=None)
            await until(lambda: "order pending" in arena.log_tail(10**6), PATIENCE, "it does not trade")
            scene = Scene(arena, None, server, root)
            await anyio.to_thread.run_sync(_fill, ballast)
            await until_true(
                lambda: _wants_room(scene),
                PATIENCE,
                lambda: "the database never ran out of room or nobody noticed",
            )
            ballast.unlink()
            # The server may have ended for want of room; whoever supervises it starts it again.
            await embedded.start_embedded(root)
            if arena.ended() is not None:
                assert arena.ended() == 75, arena.log_tail(6000)
                arena.start(exits=True, crash_at=None)
            await comes_back(scene)
        finally:
            ballast.unlink(missing_ok=True)
            with anyio.CancelScope(shield=True):
                await embedded.start_embedded(root)
                await arena.close()


async def _wants_room(scene: Scene) -> bool:
    """Whether a write has failed for want of room, and the daemon has said something of it or ended.

    Its log lies on the same disk and can say nothing.
    """
    if scene.arena.ended() is not None:
        return True
    try:
        async with scene.arena.connection() as connection:
            await connection.execute("CREATE TABLE IF NOT EXISTS filler (x text)")
            await connection.execute(
                "INSERT INTO filler SELECT repeat(md5(n::text), 30) FROM generate_series(1, 9999) n"
            )
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
        return bool((await scene.status())["blocks"]) or scene.arena.ended() is not None
    return False


def _fill(ballast: Path) -> None:
    """Leave no block: what PostgreSQL has preallocated is used up soon."""
    with ballast.open("wb", buffering=0) as output:
        for size in (1 << 20, 1 << 12):
            try:
                while True:
                    output.write(bytes(size))
            except OSError:
                continue
    assert shutil.disk_usage(ballast.parent).free < 1 << 16
