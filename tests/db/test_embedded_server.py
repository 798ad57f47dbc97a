"""The embedded server: survives what kills it, excludes nobody's work, and runs wherever recio runs."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import asyncpg
import pytest

from recio.db import embedded
from recio.db.embedded import EmbeddedServer, embedded_server, shorten_log, start_embedded, stop_embedded
from recio.errors import BadConfig, DatabaseAway, Fatal

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: PostgreSQL itself refuses to run as root")
START = """
import sys, anyio
from pathlib import Path
from recio.db.embedded import start_embedded
server = anyio.run(start_embedded, Path(sys.argv[1]))
print(server.data_dir, flush=True)
sys.stdin.read()
"""

WANTED_SETTINGS = {
    "listen_addresses": "",
    "data_checksums": "on",
    "synchronous_commit": "on",
    "fsync": "on",
    "full_page_writes": "on",
    "shared_buffers": "128MB",
    "max_connections": "30",
    "server_encoding": "UTF8",
    "TimeZone": "UTC",
}


@pytest.fixture
def root() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="recio-embedded-"))
    made.chmod(0o711)
    yield made / "data"
    shutil.rmtree(made, ignore_errors=True)


async def until(happened: Callable[[], bool]) -> None:
    """Wait for a state of the files that the server writes."""
    with anyio.fail_after(30):
        while True:
            if happened():
                return
            await anyio.sleep(0.001)


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


async def test_a_new_server_waits_for_what_a_killed_one_left_behind(root: Path):
    """Two servers writing one cluster is the end of it: an orphan that still runs must hold the next back."""
    server = await start_embedded(root)
    await write(server, 1)
    connection = await asyncpg.connect(server.dsn("postgres"))
    orphan = await connection.fetchval("SELECT pg_backend_pid()")
    os.kill(orphan, signal.SIGSTOP)
    os.kill(postmaster(server), signal.SIGKILL)
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(start_embedded, root)
            await until(lambda: "still in use" in server.log_path.read_text(encoding="utf-8"))
            assert Path(f"/proc/{orphan}/cwd").resolve() == server.data_dir
            os.kill(orphan, signal.SIGKILL)
        assert await read(server) == [1]
    finally:
        connection.terminate()
        await stop_embedded(server)


async def test_a_killed_first_start_leaves_nothing_half_made(root: Path):
    with subprocess.Popen(
        [sys.executable, "-c", START, str(root)], stdin=subprocess.PIPE, start_new_session=True
    ) as starter:
        await until(lambda: bool(list(root.glob("postgres.new.*/PG_VERSION"))))
        starter.kill()
    assert not (root / "postgres").exists()
    async with embedded_server(root) as server:
        await write(server, 1)
    await until(lambda: is_empty(group=starter.pid))
    async with embedded_server(root) as server:
        await write(server, 2)
        assert not list(root.glob("postgres.new.*"))


def is_empty(*, group: int) -> bool:
    """Whether no process of the group is left: what initdb began goes on without the one that called it."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


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


async def test_databases_of_one_kind_are_dropped_but_for_the_one_kept(root: Path):
    async with embedded_server(root) as server:
        for name in ("demo_1", "demo_2", "demo_3", "other"):
            await server.ensure_database(name)
        used = await asyncpg.connect(server.dsn("demo_3"))
        await server.drop_others("demo_", "demo_1")
        rows = await used.fetch("SELECT datname FROM pg_database ORDER BY 1")
        await used.close()
        assert {"demo_1", "demo_3", "other"} <= {row["datname"] for row in rows}
        assert "demo_2" not in {row["datname"] for row in rows}


async def test_a_start_that_was_killed_half_way_leaves_nothing_in_the_way(root: Path):
    half = root / "postgres.new.killed"
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


async def test_both_lock_files_of_a_dead_server_may_name_a_living_program_of_its_account(root: Path):
    """Which is what a restart of the machine or of a container leaves behind."""
    server = await start_embedded(root)
    await write(server, 1)
    real = postmaster(server)
    account = server.place.account
    with subprocess.Popen(
        ["/bin/cat"],
        stdin=subprocess.PIPE,
        cwd="/",
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
    ) as stranger:
        os.kill(real, signal.SIGKILL)
        for lock in (server.data_dir / "postmaster.pid", server.socket_dir / ".s.PGSQL.5432.lock"):
            lock.write_text(lock.read_text(encoding="utf-8").replace(str(real), str(stranger.pid), 1))
        async with embedded_server(root) as again:
            assert await read(again) == [1]
            assert stranger.poll() is None


async def test_the_server_has_the_settings_that_keep_money_and_stay_off_the_network(root: Path):
    async with embedded_server(root) as server:
        connection = await asyncpg.connect(server.dsn("postgres"))
        shown = {name: await connection.fetchval(f"SHOW {name}") for name in WANTED_SETTINGS}
        await connection.close()
        assert shown == WANTED_SETTINGS
        assert server.socket_dir.stat().st_mode & 0o077 == 0


async def test_the_log_stays_within_its_limit_while_the_server_runs(root: Path):
    async def complain(words: str) -> None:
        connection = await asyncpg.connect(server.dsn("postgres"))
        with pytest.raises(asyncpg.UndefinedTableError):
            await connection.execute(f"SELECT * FROM {words}")
        await connection.close()

    async with embedded_server(root) as server:
        await complain("before")
        shorten_log(server, limit=10)
        await complain("after")
        shown = server.log_path.read_text(encoding="utf-8")
        assert "before" not in shown
        assert "after" in shown
        assert "before" in server.log_path.with_suffix(".log.old").read_text(encoding="utf-8")


async def test_a_fault_of_the_caller_comes_out_as_it_is_and_the_server_is_stopped(root: Path):
    with pytest.raises(BadConfig, match="mine") as caught:
        async with embedded_server(root) as server:
            raise BadConfig("mine") from KeyError("why")
    assert isinstance(caught.value.__cause__, KeyError)
    assert not (server.data_dir / "postmaster.pid").exists()


async def test_a_root_that_cannot_be_a_directory_is_refused_in_a_sentence(root: Path):
    root.write_text("a file", encoding="utf-8")
    with pytest.raises(BadConfig, match="cannot be used"):
        await start_embedded(root)


@pytest.mark.parametrize("name", ["it's 100%, & more", '$HOME `id` the "bot" #1;x\\'])
async def test_a_root_with_spaces_and_signs_in_its_name_is_no_obstacle(root: Path, name: str):
    async with embedded_server(root / name) as server:
        await write(server, 1)
        assert server.data_dir == root / name / "postgres"
        assert [each.name for each in root.iterdir()] == [name]
    if not server.socket_dir.is_relative_to(root):
        shutil.rmtree(server.socket_dir)


FOREIGN = {
    "PGHOST": "db.example.invalid",
    "PGPORT": "6543",
    "PGDATABASE": "other",
    "PGUSER": "postgres",
    "PGPASSWORD": "x",
    "PGSSLMODE": "require",
    "PGSSLROOTCERT": "/nowhere",
    "PGPASSFILE": "/nowhere",
    "PGTARGETSESSIONATTRS": "read-only",
    "PGOPTIONS": "-c default_transaction_read_only=on",
    "PGSERVICE": "none",
    "PGGSSLIB": "x",
    "PGSSLNEGOTIATION": "x",
    "PGDATA": "/nowhere",
    "PGTZ": "Asia/Tokyo",
    "PGCLIENTENCODING": "LATIN1",
}
"""What others set for databases of their own."""


async def test_variables_for_other_databases_change_nothing(root: Path, monkeypatch: pytest.MonkeyPatch):
    for name, value in FOREIGN.items():
        monkeypatch.setenv(name, value)
    async with embedded_server(root) as server:
        await write(server, 1)
        assert await read(server) == [1]


async def test_a_start_that_is_given_up_half_way_leaves_no_server(root: Path):
    async with embedded_server(root) as server:
        pass
    is_up = True
    while is_up:  # a slow look may come when nothing is left to be given up
        is_up = False

        async def starts() -> None:
            nonlocal is_up
            await start_embedded(root)
            is_up = True

        async with anyio.create_task_group() as group:
            group.start_soon(starts)
            await until((server.data_dir / "postmaster.pid").exists)
            group.cancel_scope.cancel()
        if is_up:
            await stop_embedded(server)
    assert not (server.data_dir / "postmaster.pid").exists()


async def test_a_server_that_takes_its_time_is_told_as_away_and_found_by_who_tries_again(
    root: Path, monkeypatch: pytest.MonkeyPatch
):
    """The daemon waits for a database that is away; a process that ended would only find it away again."""
    async with embedded_server(root) as server:
        await write(server, 1)
    with (server.data_dir / "postgresql.auto.conf").open("a", encoding="utf-8") as settings:
        settings.write("restore_command = 'sleep 3; false'\n")
    (server.data_dir / "recovery.signal").touch()
    shutil.chown(server.data_dir / "recovery.signal", (server.data_dir / "PG_VERSION").owner())
    monkeypatch.setattr(embedded, "START_LOOK", 1)
    with pytest.raises(DatabaseAway, match="does not serve within 2 s"):
        await start_embedded(root, within=2.0)
    assert await read(await start_embedded(root)) == [1]
    await stop_embedded(server)


async def test_a_connection_that_is_about_to_go_keeps_no_server(root: Path):
    """As one of our own that was given up half-way: the server lists it until it tries to answer it."""
    server = await start_embedded(root)
    leaving = await asyncpg.connect(server.dsn("postgres"))
    asked = anyio.Event()

    async def leave() -> None:
        await asked.wait()
        await leaving.close()

    async def another_is_connected(its: EmbeddedServer) -> bool:
        found = await is_another_connected(its)
        asked.set()
        return found

    is_another_connected = embedded._is_another_connected
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embedded, "_is_another_connected", another_is_connected)
        async with anyio.create_task_group() as group:
            group.start_soon(leave)
            await stop_embedded(server)
    assert not (server.data_dir / "postmaster.pid").exists()


async def test_a_server_whose_number_is_not_in_its_file_yet_is_stopped_once_it_is(root: Path):
    server = await start_embedded(root)
    number = server.data_dir / "postmaster.pid"
    text = number.read_text(encoding="utf-8")
    number.write_text("", encoding="utf-8")
    async with anyio.create_task_group() as group:
        group.start_soon(stop_embedded, server)
        await anyio.sleep(0.5)
        number.write_text(text, encoding="utf-8")
    assert not number.exists()


async def test_whoever_asks_for_no_new_cluster_gets_none(root: Path):
    with pytest.raises(BadConfig, match="there is no database"):
        async with embedded_server(root, make=False):
            pass
    assert not (root / "postgres").exists()


@as_root
@pytest.mark.parametrize("umask", [0o027, 0o077])
async def test_a_strict_umask_of_root_keeps_nobody_out_of_its_own_files(root: Path, umask: int):
    place = root.parent / "made" / "data"
    started = subprocess.run(
        [sys.executable, "-c", START, str(place)],
        stdin=subprocess.DEVNULL,
        umask=umask,
        check=False,
        capture_output=True,
    )
    assert started.returncode == 0, started.stderr.decode()
    async with embedded_server(place) as server:
        await write(server, 1)
        assert server.data_dir.stat().st_mode & 0o777 == 0o700
    if not server.data_dir.is_relative_to(root.parent):
        shutil.rmtree(server.data_dir.parent)


async def test_a_path_too_long_for_a_socket_is_no_obstacle(root: Path):
    deep = root / ("x" * 60) / ("y" * 60)
    async with embedded_server(deep) as server:
        assert len(str(server.socket_dir)) < 100
        await write(server, 1)
        assert server.socket_dir.stat().st_mode & 0o077 == 0
    shutil.rmtree(server.socket_dir)


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
async def test_a_cluster_kept_elsewhere_is_found_again_when_its_root_moves_or_opens_up(root: Path):
    closed = root.parent / "closed"
    closed.mkdir(mode=0o700)
    async with embedded_server(closed / "data") as server:
        await write(server, 1)
    closed.chmod(0o711)
    (closed / "data").rename(root)
    try:
        async with embedded_server(root) as again:
            assert again.data_dir == server.data_dir
            assert await read(again) == [1]
    finally:
        shutil.rmtree(server.data_dir.parent)
    with pytest.raises(BadConfig, match="bring that directory back"):
        await start_embedded(root)


@as_root
async def test_a_cluster_of_another_account_is_refused_in_a_sentence(root: Path):
    async with embedded_server(root) as server:
        pass
    os.chown(server.data_dir, 12345, 12345)
    os.chown(server.data_dir / "PG_VERSION", 0, 0)
    with pytest.raises(BadConfig, match=r"belongs to user 12345.*chown"):
        await start_embedded(root)


def ordinary_python(environment: dict[str, str]) -> str | None:
    """An interpreter of this version that an ordinary user may run, and that may read our files.

    Ours, or the whole tree, may lie in a private home.
    """
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for candidate in (sys.executable, f"/usr/bin/{name}", f"/usr/local/bin/{name}"):
        try:
            subprocess.run(
                [candidate, "-c", "import recio.db.embedded"],
                check=True,
                cwd="/",
                user="nobody",
                group=65534,
                extra_groups=[],
                env=environment,
                capture_output=True,
            )
        except (OSError, subprocess.CalledProcessError):
            continue
        return candidate
    return None


@as_root
async def test_as_an_ordinary_user(root: Path):
    libraries = Path(asyncpg.__file__).parents[1]
    environment = {
        "PYTHONPATH": f"{Path(__file__).parents[2]}:{libraries}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": "/nonexistent",
        "PATH": "/usr/bin:/bin",
    }
    python = ordinary_python(environment)
    if python is None:
        pytest.skip("Python or this tree lies where an ordinary user may not go")
    account = pwd.getpwnam("nobody")
    root.mkdir()
    os.chown(root, account.pw_uid, account.pw_gid)
    done = await anyio.run_process(
        [python, "-c", START, str(root)],
        input=b"",
        check=False,
        user=account.pw_uid,
        group=account.pw_gid,
        extra_groups=[],
        cwd="/",
        env=environment,
    )
    assert done.returncode == 0, done.stderr.decode()
    async with embedded_server(root) as server:  # root finds the user's server, uses it and stops it
        assert server.data_dir == root / "postgres"
        assert Path(f"/proc/{postmaster(server)}").stat().st_uid == account.pw_uid
        await write(server, 1)
        assert all(path.stat().st_uid == account.pw_uid for path in root.iterdir())
