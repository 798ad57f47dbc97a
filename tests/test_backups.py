"""Backups that were restored: to the end and to an instant, proven, refused when broken, and never under the old order ids."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeAlias

import anyio
import asyncpg
import pytest

from recio.daemon import data_dir
from recio.db import audit_log, identity
from recio.db.backups import (
    FACTS,
    MANIFEST,
    SUMS,
    Backup,
    Kind,
    expire,
    first_segment,
    places_in,
    read_backup,
    take,
    wal_of,
)
from recio.db.client_programs import Client
from recio.db.connection import transaction
from recio.db.embedded import DATABASE, embedded_server, start_embedded, stop_embedded
from recio.db.pool import open_pool
from recio.db.restores import head, lost, proven, restored
from recio.db.schema import ensure_schema
from recio.db.wal_stream import follow
from recio.errors import BadConfig, Fatal
from recio.settings.config import parse
from recio.settings.files import MARKER
from tests.builders import NOW

pytestmark = pytest.mark.timeout(300)
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


@pytest.fixture
def folder() -> Generator[Path]:
    made = Path(tempfile.mkdtemp(prefix="recio-backups-"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made, ignore_errors=True)


@asynccontextmanager
async def live(folder: Path, database: str = DATABASE) -> AsyncGenerator[tuple[Client, Pool]]:
    """A data directory of recio with its tables, an identity and three audit rows, while its server runs."""
    async with embedded_server(folder / "data") as server:
        dsn = await server.ensure_database(database)
        async with open_pool(dsn, application_name="live") as pool:
            async with transaction(pool) as connection:
                await ensure_schema(connection)
                await identity.claim(connection, "live", "demo", "account")
            await write(pool, "one", "two", "three")
            yield Client(dsn=dsn, programs=server.place.binaries / "bin"), pool


async def write(pool: Pool, *kinds: str) -> None:
    async with transaction(pool) as connection:
        for kind in kinds:
            await audit_log.append(connection, datetime.now(UTC), kind)


async def kinds_in(dsn: str) -> list[str]:
    connection = await asyncpg.connect(dsn)
    try:
        return [row["kind"] for row in await connection.fetch("SELECT kind FROM audit_log ORDER BY seq")]
    finally:
        await connection.close()


async def until_received(pool: Pool) -> None:
    """What is committed now has reached the stream's disk."""
    with anyio.fail_after(30):
        while True:
            if await pool.fetchval(
                "SELECT coalesce(bool_and(flush_lsn >= pg_current_wal_lsn()), false) FROM pg_stat_replication"
                " WHERE application_name = 'pg_receivewal'"
            ):
                return
            await anyio.sleep(0.02)


@pytest.mark.parametrize("kind", list(Kind))
async def test_a_backup_is_restored_with_every_row_and_proven(folder: Path, kind: Kind):
    async with live(folder) as (client, pool):
        made = await take(client, folder / "backups", kind, datetime.now(UTC))
        await write(pool, "after")
        async with restored(made, None, folder / "again") as (_, dsn):
            found = await proven(dsn)
            assert await kinds_in(dsn) == ["one", "two", "three"]
        async with transaction(pool) as connection:
            live_head = await head(connection)
            assert found is not None
            assert live_head is not None
            behind = await lost(connection, live_head, found)
        assert behind == (live_head.at - found.at).total_seconds() > 0


@pytest.mark.parametrize("kind", list(Kind))
async def test_whatever_a_database_was_called_a_daemon_of_the_restored_data_directory_finds_it(
    folder: Path, kind: Kind
):
    """A daemon that found nothing under its own name would begin an empty database, and know of no position."""
    async with live(folder, "recio-two") as (client, _):
        connection = await asyncpg.connect(client.dsn)
        await connection.execute('CREATE DATABASE "recio"')  # of another account, on the same server
        await connection.close()
        made = await take(client, folder / "backups", kind, datetime.now(UTC))
    async with restored(made, None, folder / "again") as (server, dsn):
        assert dsn == server.dsn(DATABASE)
        assert await kinds_in(dsn) == ["one", "two", "three"]
        assert not await server.has_database("recio-two")


async def followed(folder: Path) -> tuple[Backup, datetime]:
    """A backup, and an instant between the two rows that came after it."""
    async with live(folder) as (client, pool), anyio.create_task_group() as group:
        group.start_soon(follow, client, wal_of(folder / "backups"))
        await until_received(pool)
        made = await take(client, folder / "backups", Kind.BASE, datetime.now(UTC))
        await write(pool, "early")
        instant: datetime = await pool.fetchval("SELECT clock_timestamp()")
        await write(pool, "late")
        await until_received(pool)
        group.cancel_scope.cancel()
        return made, instant
    raise AssertionError("unreachable")


async def test_the_stream_of_changes_brings_back_what_came_after_the_backup_and_any_instant_of_it(
    folder: Path,
):
    made, instant = await followed(folder)
    wal = wal_of(folder / "backups")
    async with restored(made, wal, folder / "end") as (_, dsn):
        await proven(dsn)
        assert await kinds_in(dsn) == ["one", "two", "three", "early", "late"]
    async with restored(made, wal, folder / "instant", instant) as (_, dsn):
        await proven(dsn)
        assert await kinds_in(dsn) == ["one", "two", "three", "early"]
    with pytest.raises(Fatal, match=r"could not be followed to .*an earlier --at"):
        async with restored(made, wal, folder / "never", instant + timedelta(days=1)):
            pass


def truncate(backup: Backup) -> None:
    path = backup.folder / "base.tar.gz"
    os.truncate(path, path.stat().st_size // 2)


def flip(backup: Backup) -> None:
    path = backup.folder / "pg_wal.tar.gz"
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)


def lose_manifest(backup: Backup) -> None:
    (backup.folder / MANIFEST).unlink()


def lose_facts(backup: Backup) -> None:
    (backup.folder / FACTS).write_text("{", encoding="utf-8")


def forge_with_new_sums(backup: Backup) -> None:
    """Somebody who changes a file of the cluster and sums everything anew."""
    path = backup.folder / "base.tar.gz"
    raw = bytearray(gzip.decompress(path.read_bytes()))
    place = raw.index(b"PG_VERSION") + 512
    raw[place : place + 2] = b"17"
    path.write_bytes(gzip.compress(raw))
    made = subprocess.run(
        ["sha256sum", *sorted(each.name for each in backup.folder.iterdir() if each.name != SUMS)],
        cwd=backup.folder, capture_output=True, check=True, text=True,
    )  # fmt: skip
    (backup.folder / SUMS).write_text(made.stdout, encoding="utf-8")


@pytest.mark.parametrize("breach", [truncate, flip, lose_manifest, lose_facts, forge_with_new_sums])
async def test_a_backup_that_was_broken_is_refused_by_name_before_anybody_trusts_it(
    folder: Path, breach: Callable[[Backup], None]
):
    async with live(folder) as (client, _):
        made = await take(client, folder / "backups", Kind.BASE, datetime.now(UTC))
    breach(made)
    with pytest.raises(Fatal, match=r"is damaged|no whole backup|cannot be unpacked"):
        (again,) = backups_in(folder / "backups")
        async with restored(again, None, folder / "again") as (_, dsn):
            await proven(dsn)


async def test_rows_that_were_forged_before_the_backup_fail_the_proof(folder: Path):
    async with live(folder) as (client, pool):
        await pool.execute("ALTER TABLE audit_log DISABLE TRIGGER USER")
        await pool.execute("UPDATE audit_log SET kind = 'forged' WHERE seq = 2")
        made = await take(client, folder / "backups", Kind.DUMP, datetime.now(UTC))
    async with restored(made, None, folder / "again") as (_, dsn):
        with pytest.raises(Fatal, match="the seal of row 2 does not fit"):
            await proven(dsn)


async def test_a_backup_of_another_past_is_no_beginning_of_the_live_database(folder: Path):
    async with live(folder) as (client, pool):
        made = await take(client, folder / "backups", Kind.DUMP, datetime.now(UTC))
        async with restored(made, None, folder / "again") as (_, dsn):
            found = await proven(dsn)
        await pool.execute("ALTER TABLE audit_log DISABLE TRIGGER USER")
        await pool.execute("UPDATE audit_log SET seal = '\\x00' WHERE seq = 3")
        async with transaction(pool) as connection:
            with pytest.raises(Fatal, match="no beginning of the live one: row 3"):
                await lost(connection, found, found)


async def test_a_draft_of_a_killed_backup_is_no_backup_and_goes_with_the_next(folder: Path):
    draft = folder / "backups" / "base" / ".draft-20260101T000000Z"
    draft.mkdir(parents=True)
    assert backups_in(folder / "backups") == []
    async with live(folder) as (client, _):
        made = await take(client, folder / "backups", Kind.DUMP, datetime.now(UTC))
    assert not draft.exists()
    assert backups_in(folder / "backups") == [made]


async def test_a_backup_that_fails_leaves_nothing_and_shows_no_password(folder: Path):
    dsn = "postgresql://me:hunter2@127.0.0.1:1/recio"
    async with embedded_server(folder / "data") as server:
        client = Client(dsn=dsn, programs=server.place.binaries / "bin")
    assert "hunter2" not in client.connection()
    with pytest.raises(Fatal, match="pg_dump failed") as refused:
        await take(client, folder / "backups", Kind.DUMP, datetime.now(UTC))
    assert "hunter2" not in str(refused.value)
    assert [*(folder / "backups" / "base").iterdir()] == []


def backups_in(directory: Path) -> list[Backup]:
    """Oldest first. Raises Fatal for one that is damaged."""
    return [read_backup(each) for each in places_in(directory)]


def fake(folder: Path, at: datetime, start: str = "0/5000028") -> Backup:
    place = folder / "base" / f"{at:%Y%m%dT%H%M%SZ}"
    place.mkdir(parents=True)
    facts = {"kind": "base", "database": "recio", "started_at": at.isoformat(), "finished_at": at.isoformat()}
    (place / FACTS).write_text(json.dumps(facts), encoding="utf-8")
    manifest = {"WAL-Ranges": [{"Timeline": 1, "Start-LSN": start, "End-LSN": start}]}
    (place / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    return next(each for each in backups_in(folder) if each.folder == place)


def test_what_is_old_goes_with_the_stream_that_only_it_needs_but_never_the_last_ones(tmp_path: Path):
    old = fake(tmp_path, NOW - timedelta(days=40), "0/3000028")
    kept = fake(tmp_path, NOW - timedelta(days=35), "0/5000028")
    newest = fake(tmp_path, NOW - timedelta(days=1), "1/AB000028")
    assert first_segment(newest) == "0000000100000001000000AB"
    wal = wal_of(tmp_path)
    wal.mkdir()
    for number in (3, 4, 5, 6):
        (wal / f"0000000100000000{number:08X}").touch()
    assert expire(tmp_path, NOW, keep=2, days=30) == [old]
    assert backups_in(tmp_path) == [kept, newest]
    assert sorted(each.name[-1] for each in wal.iterdir()) == ["5", "6"]
    assert expire(tmp_path, NOW, keep=2, days=30) == []


def test_what_is_damaged_is_neither_removed_nor_kept_in_the_place_of_a_good_one(tmp_path: Path):
    """A removal that is broken off leaves a draft: what is in its place is whole or was damaged by somebody else."""
    old, damaged, newest = (fake(tmp_path, NOW - timedelta(days=each)) for each in (50, 45, 40))
    (damaged.folder / FACTS).unlink()
    assert expire(tmp_path, NOW, keep=1, days=30) == [old]
    assert places_in(tmp_path) == [damaged.folder, newest.folder]


def recio(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "recio", *arguments],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert "Traceback" not in done.stdout + done.stderr
    return done


async def row(dsn: str, query: str) -> asyncpg.Record:
    connection = await asyncpg.connect(dsn)
    try:
        found = await connection.fetchrow(query)
        assert found is not None
        return found
    finally:
        await connection.close()


async def test_a_person_backs_up_checks_drills_and_restores_under_a_new_tag(folder: Path):
    async with live(folder) as (client, pool):
        (folder / "data" / MARKER).write_text('{"mode": "live", "environment": "demo"}\n', encoding="utf-8")
        made = recio(folder, "backup", "--data-dir", "data", "--to", "backups")
        assert made.returncode == 0, made.stderr
        noted = await row(client.dsn, "SELECT kind, error, bytes > 1000000 AS is_large FROM backups")
        assert tuple(noted) == ("base", "", True)
        assert recio(folder, "backup", "--to", "backups", "--check").returncode == 0
        drilled = recio(folder, "drill", "--data-dir", "data", "--from", "backups")
        assert drilled.returncode == 0, drilled.stderr
        assert "RTO" in drilled.stdout
        told = await row(client.dsn, "SELECT error, rpo_seconds = 0 AS is_whole, rto_seconds > 0 FROM drills")
        assert tuple(told) == ("", True, True)
        tag = await pool.fetchval("SELECT tag FROM identity")
    back = recio(folder, "restore", "--from", "backups", "--into", "back")
    assert back.returncode == 0, back.stderr
    server = await start_embedded(folder / "back", make=False)
    try:
        found = await row(server.dsn("recio"), "SELECT tag, old_tag, new_tag FROM identity, restores")
        assert found["old_tag"] == tag != found["tag"] == found["new_tag"]
        assert found["new_tag"] in back.stdout
    finally:
        await stop_embedded(server)
    assert json.loads((folder / "back" / MARKER).read_text()) == {"mode": "live", "environment": "demo"}
    assert 'dsn = ""' in back.stdout
    kalshi = {"environment": "demo", "key_id": "k", "key_path": "key.pem"}
    own = {"mode": "live", "data_dir": str(folder / "back"), "kalshi": kalshi}
    assert data_dir.is_ours(parse(own, "recio.toml"))
    with pytest.raises(BadConfig, match=r"database\.dsn names another"):
        data_dir.claim(parse({**own, "database": {"dsn": "postgresql:///recio"}}, "recio.toml"))
    used = recio(folder, "restore", "--from", "backups", "--into", "back")
    assert used.returncode == 78
    assert "is not empty" in used.stderr


async def test_a_drill_of_a_broken_backup_fails_and_its_row_says_why(folder: Path):
    async with live(folder) as (client, _):
        (folder / "data" / MARKER).write_text('{"mode": "live", "environment": "demo"}\n', encoding="utf-8")
        truncate(await take(client, folder / "backups", Kind.BASE, datetime.now(UTC)))
        failed = recio(folder, "drill", "--data-dir", "data", "--from", "backups")
        assert failed.returncode == 65
        assert "base.tar.gz has changed" in failed.stderr
        told = await row(client.dsn, "SELECT error, rpo_seconds FROM drills")
        assert "base.tar.gz has changed" in told["error"]
        assert told["rpo_seconds"] is None
        assert recio(folder, "backup", "--to", "backups", "--check").returncode == 65
