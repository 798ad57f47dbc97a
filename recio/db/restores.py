"""Brings a backup back into a cluster of its own and proves what is in it; it never writes to a database that somebody uses."""

from __future__ import annotations

import errno
import os
import shutil
import tarfile
import zlib
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import anyio
import anyio.to_thread
import asyncpg

from recio.db import general_ledger
from recio.db.backups import (
    DUMP,
    MANIFEST,
    Backup,
    Kind,
    check_sums,
    last_segment,
    restored_bytes,
    segment_number,
    stream_in,
)
from recio.db.client_programs import Client
from recio.db.connection import Connection, transaction
from recio.db.dumps import restore_dump
from recio.db.embedded import DATABASE, EmbeddedServer, start_embedded, stop_embedded
from recio.db.encryption import SUFFIX, Identity, decrypt, refuse_wrong_key
from recio.db.newer_tables import steps_to_run_on
from recio.db.placement import place
from recio.db.pool import open_pool
from recio.db.schema import ensure_schema
from recio.db.server_programs import last_words, run_program, tail
from recio.errors import BadConfig, DatabaseAway, ExitCode, Fatal
from recio.scratch import scratch_folder

NO_ROOM = os.strerror(errno.ENOSPC)
RECOVERY_LIMIT = 3600.0
MEGABYTE = 1_000_000
SPARE_BYTES = 500 * MEGABYTE
"""What stays free for whoever shares the disk."""
RECOVERY_POLL = 0.1
NO_ARCHIVE = "false"
"""The command that fetches a file: all that there are lie in their place already."""
_RECOVERY = ("restore_command", "recovery_target_time", "recovery_target_action")
_HEAD = "SELECT seq, at, seal FROM audit_log ORDER BY seq DESC LIMIT 1"
_SEAL = "SELECT seal FROM audit_log WHERE seq = $1"
_NOT_VALID = "SELECT conrelid::regclass || '.' || conname FROM pg_constraint WHERE NOT convalidated LIMIT 1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The newest row of an audit log."""

    seq: int
    at: datetime
    seal: bytes


@asynccontextmanager
async def restored(
    backup: Backup,
    wal: Path | None,
    root: Path,
    at: datetime | None = None,
    key: Identity | None = None,
) -> AsyncGenerator[tuple[EmbeddedServer, str]]:
    """The server of a new data directory with what the backup holds, and the DSN of the database in it.

    It has the name that a daemon of a data directory looks for, whatever it was called on the server that it comes from. `wal` is the
    stream of changes, followed to its end or to `at`; `key` opens what is encrypted. Raises Fatal for a backup that is damaged, and
    BadConfig for a directory that is not empty.
    """
    refuse_wrong_key(key, backup.folder, backup.recipients)
    await anyio.to_thread.run_sync(_refuse_used, root)
    await anyio.to_thread.run_sync(_refuse_small_disk, backup, wal, root)
    await anyio.to_thread.run_sync(check_sums, backup)
    if at is None and backup.kind is Kind.BASE:
        await anyio.to_thread.run_sync(_refuse_gap, backup, wal)
    if backup.kind is Kind.DUMP:
        if at is not None:
            raise BadConfig("a dump is restored as it is: only a base backup reaches another instant")
        server = await start_embedded(root)
    else:
        with _opened(backup, root, key) as readable:
            await _unpacked(backup, readable, wal, root, at)
        server = await _recovered(root, at)
    try:
        if backup.kind is Kind.DUMP:
            with _opened(backup, root, key) as readable:
                await _loaded(backup, readable, server)
        yield server, await server.rename(backup.database, DATABASE)
    finally:
        with anyio.CancelScope(shield=True):
            await stop_embedded(server)


def _refuse_used(root: Path) -> None:
    try:
        is_used = root.exists() and any(root.iterdir())
    except OSError as error:
        raise BadConfig(
            f"{root} cannot be looked at by this account ({error.strerror}): name a new folder where it may write"
        ) from error
    if is_used:
        raise BadConfig(f"{root} is not empty: name a folder that is not there yet")


def _refuse_small_disk(backup: Backup, wal: Path | None, root: Path) -> None:
    """Before anything is written: a disk that runs full in the middle may be the one that a live database needs."""
    needed = restored_bytes(backup) + sum(each.stat().st_size for each in stream_in(wal))
    place = next(each for each in (root, *root.parents) if each.exists())
    free = shutil.disk_usage(place).free
    if free < needed + SPARE_BYTES:
        raise Fatal(
            f"{place} has {free / MEGABYTE:,.0f} MB free, and {backup.folder} needs {needed / MEGABYTE:,.0f} MB there beside"
            f" {SPARE_BYTES / MEGABYTE:,.0f} that stay free: make room, or name a larger disk (a drill takes that of TMPDIR)",
            ExitCode.TEMPORARY,
        )


def _refuse_gap(backup: Backup, wal: Path | None) -> None:
    """What comes after a gap cannot be brought back, and nobody must take what comes before it for everything."""
    own = last_segment(backup)
    numbers = {segment_number(each.name): each for each in stream_in(wal) if each.name[:8] == own[:8]}
    ends = segment_number(own)
    for number, following in pairwise((ends, *sorted(each for each in numbers if each > ends))):
        if following != number + 1:
            last = (
                datetime.fromtimestamp(numbers[number].stat().st_mtime, UTC)
                if number in numbers
                else backup.finished_at
            )
            raise Fatal(
                f"the stream of changes has a gap before {numbers[following].name}: what was committed since cannot be followed;"
                f" restore with an --at before {last:%Y-%m-%dT%H:%M:%S}Z, or a base backup that is newer than the gap",
                ExitCode.DATA,
            )


@contextmanager
def _opened(backup: Backup, root: Path, key: Identity | None) -> Generator[Path]:
    """The folder of its readable files: for an encrypted one a private folder beside `root`, which goes as soon as it was read."""
    if key is None or not backup.recipients:
        yield backup.folder
        return
    root.parent.mkdir(parents=True, exist_ok=True)
    with scratch_folder(".recio-opened-", root.parent) as folder:
        for each in sorted(backup.folder.glob(f"*{SUFFIX}")):
            decrypt(each, key, folder / each.name.removesuffix(SUFFIX))
        yield folder


async def _loaded(backup: Backup, readable: Path, server: EmbeddedServer) -> None:
    dsn = await server.ensure_database(backup.database)
    client = Client(dsn=dsn, programs=server.place.binaries / "bin")
    try:
        await restore_dump(client, readable / DUMP)
    except (Fatal, asyncpg.PostgresError) as error:
        raise _refused(f"the backup {backup.folder} cannot be restored: {error}") from error


def _refused(said: str) -> Fatal:
    """A disk that another program has filled meanwhile says nothing against the backup."""
    if NO_ROOM in said:
        return Fatal(
            f"{said}; nothing is wrong with the backup: make room, and restore again", ExitCode.TEMPORARY
        )
    return Fatal(said, ExitCode.DATA)


async def _unpacked(
    backup: Backup, readable: Path, wal: Path | None, root: Path, at: datetime | None
) -> None:
    """The files of the cluster as they were, verified against their manifest, then what recovery needs."""
    where = await anyio.to_thread.run_sync(place, root)
    data = where.data_dir
    try:
        await anyio.to_thread.run_sync(_extract, backup, readable, data)
    except (OSError, EOFError, tarfile.TarError, zlib.error) as error:
        raise _refused(f"the backup {backup.folder} cannot be unpacked: {error}") from error
    await anyio.to_thread.run_sync(_hand_over, data, where.account and (where.account.uid, where.account.gid))
    verified = await run_program(where, "pg_verifybackup", "--exit-on-error", data.name)
    if verified.returncode != 0:
        raise Fatal(f"the backup {backup.folder} is damaged: {last_words(verified.stderr)}", ExitCode.DATA)
    try:
        await anyio.to_thread.run_sync(_follow, data, wal, at)
    except OSError as error:
        raise _refused(f"the stream of changes cannot be copied: {error}") from error
    await anyio.to_thread.run_sync(_hand_over, data, where.account and (where.account.uid, where.account.gid))


def _extract(backup: Backup, readable: Path, data: Path) -> None:
    data.mkdir(mode=0o700)
    for name, target in (("base.tar.gz", data), ("pg_wal.tar.gz", data / "pg_wal")):
        with tarfile.open(readable / name, "r:gz") as archive:
            archive.extractall(target, filter="data")
    shutil.copyfile(backup.folder / MANIFEST, data / MANIFEST)
    # The tar's own filter opens folders up; PostgreSQL wants them to itself.
    for folder, _, files in os.walk(data):
        os.chmod(folder, 0o700)
        for each in files:
            os.chmod(os.path.join(folder, each), 0o600)


def _hand_over(data: Path, account: tuple[int, int] | None) -> None:
    if account is None:
        return
    os.chown(data, *account)
    for folder, folders, files in os.walk(data):
        for each in (*folders, *files):
            os.chown(os.path.join(folder, each), *account)


def _follow(data: Path, wal: Path | None, at: datetime | None) -> None:
    """The stream beside what the backup brought; of a file that both have the one that reaches further.

    The backup's last one may end where the backup did, and recovery with it; the stream's last one is unfinished.
    """
    for each in stream_in(wal):
        target = data / "pg_wal" / each.name.removesuffix(".partial")
        if not target.exists() or _reach(each) > _reach(target):
            shutil.copyfile(each, target)
            target.chmod(0o600)
    lines = [f"restore_command = '{NO_ARCHIVE}'", "recovery_target_action = 'promote'"]
    if at is not None:
        lines.append(f"recovery_target_time = '{at.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}+00'")
    with (data / "postgresql.auto.conf").open("a", encoding="utf-8") as settings:
        settings.write("".join(f"{line}\n" for line in lines))
    (data / "recovery.signal").touch(mode=0o600)


def _reach(segment: Path) -> int:
    """Up to which byte something is written in it: what was not received yet is zeros."""
    return len(segment.read_bytes().rstrip(b"\0"))


async def _recovered(root: Path, at: datetime | None) -> EmbeddedServer:
    """Started, and through with what it has to do again. Raises Fatal where the stream does not reach `at`."""
    server = EmbeddedServer(place=await anyio.to_thread.run_sync(place, root))
    try:
        await start_embedded(root, make=False, within=RECOVERY_LIMIT)
        await _promoted(server)
    except (Fatal, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        await stop_embedded(server)  # noqa: ASYNC120 - nothing is lost: the fault is told or raised anew
        said = tail(server.log_path)
        if isinstance(error, DatabaseAway | TimeoutError):
            raise Fatal(
                f"what changed since the backup was not done again within {RECOVERY_LIMIT / 60:.0f} minutes: {said};"
                " restore on a faster disk, or once this one has less to do",
                ExitCode.TEMPORARY,
            ) from error
        reach = f" to {at:%Y-%m-%d %H:%M:%S} UTC" if at else ""
        raise _refused(
            f"the backup could not be followed{reach}: {said}"
            + ("" if NO_ROOM in said else "; an earlier --at, or another backup, may be reached")
        ) from error
    return server


async def _promoted(server: EmbeddedServer) -> None:
    connection = await asyncpg.connect(server.dsn("postgres"), timeout=RECOVERY_LIMIT)
    try:
        with anyio.fail_after(RECOVERY_LIMIT):
            while await connection.fetchval("SELECT pg_is_in_recovery()"):  # noqa: ASYNC110 - the server tells nobody
                await anyio.sleep(RECOVERY_POLL)
        for name in _RECOVERY:
            await connection.execute(f"ALTER SYSTEM RESET {name}")
    finally:
        with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            await connection.close()  # noqa: ASYNC102 - of a server that is ours and about to end


async def proven(dsn: str) -> Head | None:
    """Raises Fatal if the rows of the database are not whole: schema, constraints, ledger, counters, chain of the audit log."""
    async with open_pool(dsn, application_name="recio drill") as pool, transaction(pool) as connection:
        if await ensure_schema(connection, await steps_to_run_on(connection)):
            raise Fatal("the restored database is empty", ExitCode.DATA)
        await general_ledger.prove(connection, whole=True)
        unproven: str | None = await connection.fetchval(_NOT_VALID)
        if unproven is not None:
            raise Fatal(f"constraint {unproven} of the restored database was never proven", ExitCode.DATA)
        if await connection.fetchval("SELECT count(*) FROM identity") != 1:
            raise Fatal("the restored database belongs to nobody: its identity is gone", ExitCode.DATA)
        return await head(connection)


async def head(connection: Connection) -> Head | None:
    """None for an audit log without rows."""
    row = await connection.fetchrow(_HEAD)
    return None if row is None else Head(seq=row["seq"], at=row["at"], seal=row["seal"])


async def lost(connection: Connection, before: Head | None, brought_back: Head | None) -> float:
    """Seconds between the newest row of the restored audit log and `before`, the newest of the live one when it began.

    Raises Fatal where the restored log is no beginning of the live one.
    """
    if brought_back is not None and await connection.fetchval(_SEAL, brought_back.seq) != brought_back.seal:
        raise Fatal(
            f"the backup's audit log is no beginning of the live one: row {brought_back.seq} has another seal",
            ExitCode.DATA,
        )
    if before is None:
        return 0.0
    if brought_back is None:
        return (datetime.now(UTC) - before.at).total_seconds()
    return max((before.at - brought_back.at).total_seconds(), 0.0)
