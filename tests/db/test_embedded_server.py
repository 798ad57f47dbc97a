"""The embedded server: survives what kills it, excludes nobody's work, and runs wherever recio runs."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import anyio
import asyncpg
import pytest

from recio.db.embedded import EmbeddedServer, embedded_server, start_embedded, stop_embedded
from recio.errors import Fatal

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: PostgreSQL itself refuses to run as root")
START = """
import sys, anyio
from pathlib import Path
from recio.db.embedded import start_embedded
server = anyio.run(start_embedded, Path(sys.argv[1]))
print(server.data_dir, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def root() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="recio-embedded-"))
    made.chmod(0o711)
    yield made / "data"
    shutil.rmtree(made, ignore_errors=True)


def postmaster(server: EmbeddedServer) -> int:
    return int((server.data_dir / "postmaster.pid").read_text(encoding="utf-8").split()[0])


async def write(server: EmbeddedServer, value: int) -> None:
    connection = await asyncpg.connect(server.dsn("postgres"))
    await connection.execute("CREATE TABLE IF NOT EXISTS kept (x int)")
    await connection.execute("INSERT INTO kept VALUES ($1)", value)
    await connection.close()


async def read(server: EmbeddedServer) -> list[int]:
    connection = await asyncpg.connect(server.dsn("postgres"))
    rows = await connection.fetch("SELECT x FROM kept ORDER BY x")
    await connection.close()
    return [row["x"] for row in rows]


async def test_what_was_acknowledged_survives_the_killing_of_the_server(root: Path):
    server = await start_embedded(root)
    try:
        for value in range(3):
            await write(server, value)
            os.kill(postmaster(server), signal.SIGKILL)
            assert await read(await start_embedded(root)) == list(range(value + 1))
    finally:
        await stop_embedded(server)


async def test_a_server_that_outlived_its_recio_is_found_and_used(root: Path):
    with subprocess.Popen(
        [sys.executable, "-c", START, str(root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as starter:
        assert starter.stdout is not None
        await anyio.to_thread.run_sync(starter.stdout.readline)
        starter.kill()
    async with embedded_server(root) as server:
        pid = postmaster(server)
        async with embedded_server(root) as again:
            assert postmaster(again) == pid
        # The inner one had nobody else connected and stopped it; the next start brings it back.
        await write(await start_embedded(root), 1)


async def test_a_server_that_somebody_uses_is_not_stopped(root: Path):
    async with embedded_server(root) as server:
        connection = await asyncpg.connect(server.dsn("postgres"))
        await stop_embedded(server)
        assert await connection.fetchval("SELECT 1") == 1
        await connection.close()


async def test_a_start_that_was_killed_half_way_leaves_nothing_in_the_way(root: Path):
    half = root / "postgres.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n", encoding="utf-8")
    async with embedded_server(root) as server:
        await write(server, 1)


async def test_a_stale_pid_file_of_another_program_is_no_obstacle(root: Path):
    async with embedded_server(root) as server:
        await write(server, 1)
        lines = (server.data_dir / "postmaster.pid").read_text(encoding="utf-8").splitlines()
    pid_file = server.data_dir / "postmaster.pid"
    pid_file.write_text("\n".join([str(os.getppid()), *lines[1:]]) + "\n", encoding="utf-8")
    async with embedded_server(root) as again:
        assert await read(again) == [1]


async def test_a_path_too_long_for_a_socket_is_no_obstacle(root: Path):
    deep = root / ("x" * 60) / ("y" * 60)
    async with embedded_server(deep) as server:
        assert len(str(server.socket_dir)) < 100
        await write(server, 1)
        assert server.socket_dir.stat().st_mode & 0o077 == 0


async def test_a_cluster_of_another_major_version_is_refused_with_the_way_out(root: Path):
    async with embedded_server(root) as server:
        version = server.data_dir / "PG_VERSION"
        real = version.read_text(encoding="utf-8")
    version.write_text("14\n", encoding="utf-8")
    with pytest.raises(Fatal, match=r"made by PostgreSQL 14.*dump it"):
        await start_embedded(root)
    version.write_text(real, encoding="utf-8")


async def test_two_starts_at_once_share_one_server(root: Path):
    servers: list[EmbeddedServer] = []

    async def start() -> None:
        servers.append(await start_embedded(root))

    async with anyio.create_task_group() as group:
        group.start_soon(start)
        group.start_soon(start)
    assert servers[0] == servers[1]
    await write(servers[0], 1)
    await stop_embedded(servers[0])


@as_root
async def test_as_root_in_a_directory_nobody_else_may_enter(root: Path):
    closed = root.parent / "closed"
    closed.mkdir(mode=0o700)
    async with embedded_server(closed / "data") as server:
        await write(server, 1)
        assert server.data_dir.stat().st_uid != 0
        assert closed.stat().st_mode & 0o777 == 0o700
    shutil.rmtree(server.data_dir.parent)


@as_root
async def test_as_an_ordinary_user(root: Path):
    account = pwd.getpwnam("nobody")
    root.mkdir()
    os.chown(root, account.pw_uid, account.pw_gid)
    try:
        done = await anyio.run_process(
            [sys.executable, "-c", START, str(root)],
            input=b"",
            check=False,
            user=account.pw_uid,
            group=account.pw_gid,
            extra_groups=[],
            cwd="/",
            env={
                "PYTHONPATH": str(Path(__file__).parents[2]),
                "HOME": "/nonexistent",
                "PATH": "/usr/bin:/bin",
            },
        )
    except PermissionError:
        pytest.skip("this Python lies where an ordinary user may not go")
    assert done.returncode == 0, done.stderr.decode()
    assert (root / "postgres").stat().st_uid == account.pw_uid
    os.kill(int((root / "postgres" / "postmaster.pid").read_text().split()[0]), signal.SIGINT)
