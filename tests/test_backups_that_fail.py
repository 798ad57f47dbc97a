"""Backups and drills that go wrong: each leaves its row, nothing that runs on, and no restore that quietly ends too early."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import shutil
import signal
import subprocess
import sys
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import anyio
import asyncpg
import pytest

from recio.commands import backups as commands
from recio.db import embedded, restores
from recio.db.backups import (
    FACTS,
    MANIFEST,
    SEGMENT_BYTES,
    SUMS,
    Backup,
    Kind,
    last_segment,
    stream_in,
    take,
    wal_of,
)
from recio.db.restores import proven, restored
from recio.db.wal_stream import SLOT, begun_anew, end_when_lost, follow
from recio.errors import ExitCode, Fatal
from recio.settings.files import MARKER
from tests.test_backups import fake, folder, kinds_in, live, recio, row, until_received, write

__all__ = ["folder"]
pytestmark = pytest.mark.timeout(300)


class Disk(NamedTuple):
    total: int
    used: int
    free: int


def marked(folder: Path) -> None:
    (folder / "data" / MARKER).write_text('{"mode": "live", "environment": "demo"}\n', encoding="utf-8")


async def until(query: str, connection: asyncpg.Connection[asyncpg.Record]) -> None:
    with anyio.fail_after(60):
        while not await connection.fetchval(query):  # noqa: ASYNC110 - another process has no event of ours
            await anyio.sleep(0.05)


async def test_a_backup_that_is_asked_to_end_ends_with_its_program_and_leaves_a_row(folder: Path):
    async with live(folder) as (client, _):
        marked(folder)
        watcher = await asyncpg.connect(client.dsn)
        holder = await asyncpg.connect(client.dsn)
        async with holder.transaction():
            await holder.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
            asked = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "recio",
                    "backup",
                    "--data-dir",
                    "data",
                    "--to",
                    "backups",
                    "--kind",
                    "dump",
                ],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
            dumps = "SELECT count(*) {} FROM pg_stat_activity WHERE application_name = 'pg_dump'"
            await until(dumps.format("> 0"), watcher)
            asked.send_signal(signal.SIGTERM)
            _, said = await anyio.to_thread.run_sync(lambda: asked.communicate(timeout=40))
            assert asked.returncode == 130, said
            await until(dumps.format("= 0"), watcher)
        assert await watcher.fetchval("SELECT error FROM backups") == "it was given up half-way"
        assert [*(folder / "backups" / "base").iterdir()] == []
        await watcher.close()
        await holder.close()


async def test_a_drill_without_any_backup_leaves_a_row_that_says_so(folder: Path):
    async with live(folder) as (client, _):
        marked(folder)
        (folder / "backups" / "base").mkdir(parents=True)
        done = recio(folder, "drill", "--data-dir", "data", "--from", "backups")
        assert done.returncode == 78
        assert "has no backup" in (await row(client.dsn, "SELECT error FROM drills"))["error"]


async def test_a_backup_that_breaks_off_by_a_fault_that_nobody_foresaw_leaves_a_row(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    async def broken(*_: object) -> Backup:
        raise ZeroDivisionError("nobody foresaw it")

    async with live(folder) as (client, _):
        marked(folder)
        monkeypatch.setattr(commands, "take", broken)
        place = commands.Installation(data_dir=folder / "data")
        with pytest.raises(ZeroDivisionError):
            await commands.backup(place, folder / "backups", Kind.DUMP, 1, 1)
        assert (await row(client.dsn, "SELECT error FROM backups"))["error"] == "nobody foresaw it"


async def test_a_disk_without_room_for_what_is_restored_is_left_as_it_is(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    async with live(folder) as (client, _):
        made = await take(client, folder / "backups", Kind.BASE, datetime.now(UTC))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Disk(1, 1, 520_000_000))
    with pytest.raises(Fatal, match=r"520 MB free, and .* needs"):
        async with restored(made, None, folder / "again"):
            pass
    assert not (folder / "again").exists()


def end_with_the_backup(backup: Backup) -> None:
    """As a receiver leaves it that stopped at the backup's last record: the rest of its last file is zeros."""
    manifest = (backup.folder / "backup_manifest").read_text(encoding="utf-8")
    low = int(manifest.split('"End-LSN": "')[1].split('"')[0].split("/")[1], 16)
    path, last = backup.folder / "pg_wal.tar.gz", last_segment(backup)
    kept: list[tuple[tarfile.TarInfo, bytes]] = []
    with tarfile.open(path, "r:gz") as archive:
        for member in archive.getmembers():
            stream = archive.extractfile(member)
            content = b"" if stream is None else stream.read()
            if member.name.removeprefix("./") == last:
                content = content[: low % SEGMENT_BYTES].ljust(SEGMENT_BYTES, b"\0")
            kept.append((member, content))
    with tarfile.open(path, "w:gz") as archive:
        for member, content in kept:
            archive.addfile(member, io.BytesIO(content))
    sums = (backup.folder / SUMS).read_text(encoding="utf-8").splitlines()
    new = hashlib.sha256(path.read_bytes()).hexdigest()
    said = "".join(f"{f'{new}  {path.name}' if each.endswith(path.name) else each}\n" for each in sums)
    (backup.folder / SUMS).write_text(said, encoding="utf-8")


async def streamed(folder: Path, files: int = 1) -> Backup:
    """A backup, and a row in each of so many files of the stream after it."""
    async with live(folder) as (client, pool), anyio.create_task_group() as group:
        group.start_soon(follow, client, wal_of(folder / "backups"))
        await until_received(pool)
        made = await take(client, folder / "backups", Kind.BASE, datetime.now(UTC))
        for number in range(files):
            await write(pool, f"after {number}")
            await pool.fetchval("SELECT pg_switch_wal()")
        await write(pool, "last")
        await until_received(pool)
        group.cancel_scope.cancel()
        return made
    raise AssertionError("unreachable")


async def test_a_restore_goes_beyond_a_backup_whose_last_file_ends_where_it_ended(folder: Path):
    made = await streamed(folder)
    end_with_the_backup(made)
    async with restored(made, wal_of(folder / "backups"), folder / "again") as (_, dsn):
        await proven(dsn)
        assert await kinds_in(dsn) == ["one", "two", "three", "after 0", "last"]


async def test_a_server_that_takes_its_time_to_come_up_is_waited_for_and_one_that_takes_too_long_is_ended(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    """A slow disk takes minutes until all files of a backup are written for good: that says nothing against the backup."""
    async with live(folder) as (client, _):
        made = await take(client, folder / "backups", Kind.BASE, datetime.now(UTC))
    monkeypatch.setattr(embedded, "START_LOOK", 1)
    monkeypatch.setattr(restores, "NO_ARCHIVE", "sleep 3; false")
    async with restored(made, None, folder / "slow") as (_, dsn):
        assert await kinds_in(dsn) == ["one", "two", "three"]
    monkeypatch.setattr(restores, "RECOVERY_LIMIT", 2.0)
    with pytest.raises(Fatal, match="was not done again within") as late:
        async with restored(made, None, folder / "slower"):
            pass
    assert late.value.exit_code is ExitCode.TEMPORARY
    assert not (folder / "slower" / "postgres" / "postmaster.pid").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: a disk of its own is mounted")
@pytest.mark.parametrize("megabytes", [16, 48, 60])
async def test_a_disk_that_runs_full_while_a_backup_is_restored_says_nothing_against_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch, megabytes: int
):
    async with live(folder) as (client, pool), anyio.create_task_group() as group:
        group.start_soon(follow, client, wal_of(folder / "backups"))
        await until_received(pool)
        made = await take(client, folder / "backups", Kind.BASE, datetime.now(UTC))
        await write(pool, "four")
        await until_received(pool)
        group.cancel_scope.cancel()
    disk = folder / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0711", "disk", str(disk)], check=False
    )
    if mounted.returncode != 0:
        pytest.skip("nothing can be mounted here")
    monkeypatch.setattr(
        restores, "SPARE_BYTES", -10_000_000_000
    )  # somebody else fills it once it was looked at
    try:
        with pytest.raises(
            Fatal, match=r"No space left on device.*nothing is wrong with the backup"
        ) as refused:
            async with restored(made, wal_of(folder / "backups"), disk / "again"):
                pass
        assert refused.value.exit_code is ExitCode.TEMPORARY
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


async def test_a_stream_with_a_gap_is_refused_for_the_end_and_followed_to_an_instant_before_it(folder: Path):
    made = await streamed(folder, files=3)
    wal = wal_of(folder / "backups")
    later = [each for each in stream_in(wal) if each.name > last_segment(made)]
    later[1].unlink()
    with pytest.raises(Fatal, match=r"has a gap before .*restore with an --at before"):
        async with restored(made, wal, folder / "end"):
            pass
    async with restored(made, wal, folder / "instant", made.finished_at) as (_, dsn):
        await proven(dsn)


async def test_a_server_that_gave_the_stream_up_ends_it_and_the_next_one_begins_anew(folder: Path):
    async with live(folder) as (_, pool):
        assert await pool.fetchval("SHOW max_slot_wal_keep_size") == "2GB"
        await pool.execute("SELECT pg_create_physical_replication_slot($1, true)", SLOT)
        async with pool.acquire() as connection:
            assert not await begun_anew(connection)
            await connection.execute("ALTER SYSTEM SET idle_replication_slot_timeout = '1s'")
            await connection.execute("SELECT pg_reload_conf()")
            lost = "SELECT wal_status = 'lost' FROM pg_replication_slots"
            with anyio.fail_after(60):
                while not await connection.fetchval(lost):
                    await connection.execute("CHECKPOINT")
                    await asyncio.sleep(0.2)
        with anyio.fail_after(20), pytest.raises(Fatal, match="the stream has a gap"):
            await end_when_lost(pool, every=0.05)
        async with pool.acquire() as connection:
            assert await begun_anew(connection)
            assert await connection.fetchval("SELECT count(*) FROM pg_replication_slots") == 0


@pytest.mark.parametrize("damaged", [FACTS, MANIFEST])
async def test_a_damaged_old_backup_stands_in_the_way_of_no_newer_one(folder: Path, damaged: str):
    async with live(folder) as (client, _):
        marked(folder)
        old = fake(folder / "backups", datetime.now(UTC) - timedelta(days=2))
        (old.folder / damaged).write_text('{"cut', encoding="utf-8")
        made = await take(client, folder / "backups", Kind.DUMP, datetime.now(UTC))
        checked = recio(folder, "backup", "--to", "backups", "--check")
        assert checked.returncode == 0, checked.stderr
        drilled = recio(folder, "drill", "--data-dir", "data", "--from", "backups")
        assert drilled.returncode == 0, drilled.stderr
        another = recio(folder, "backup", "--data-dir", "data", "--to", "backups", "--kind", "dump")
        assert (another.returncode, f"{old.folder} is no whole backup" in another.stderr) == (0, True)
        assert made.folder.exists()


async def test_a_backup_of_a_clock_that_was_ahead_is_named_and_not_taken_for_the_newest(folder: Path):
    async with live(folder) as (client, _):
        marked(folder)
        await take(client, folder / "backups", Kind.DUMP, datetime.now(UTC))
        later = fake(folder / "backups", datetime.now(UTC) + timedelta(days=400))
        for arguments in (
            ("backup", "--to", "backups", "--check"),
            ("drill", "--data-dir", "data", "--from", "backups"),
        ):
            done = recio(folder, *arguments)
            assert (done.returncode, f"{later.folder} was made at" in done.stderr) == (65, True)
        shutil.move(later.folder, folder)
        assert recio(folder, "backup", "--to", "backups", "--check").returncode == 0


async def test_a_backup_for_which_there_is_no_room_makes_room_for_the_next(folder: Path):
    async with live(folder):
        marked(folder)
        old, kept = (fake(folder / "backups", datetime.now(UTC) - timedelta(days=each)) for each in (50, 40))
        arguments = "-m recio backup --data-dir data --to backups --keep 1 --kind dump"
        done = subprocess.run(
            ["/bin/sh", "-c", f"ulimit -f 8 && exec {sys.executable} {arguments}"],
            cwd=folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (done.returncode, "pg_dump failed" in done.stderr) == (75, True), done.stderr
        assert (old.folder.exists(), kept.folder.exists()) == (False, True)


@pytest.mark.parametrize(
    ("options", "programs"),
    [
        (("--kind", "dump"), "SELECT count(*) {} FROM pg_stat_activity WHERE application_name = 'pg_dump'"),
        (("--stream",), "SELECT count(*) {} FROM pg_stat_replication WHERE state = 'streaming'"),
    ],
    ids=["a backup", "the stream"],
)
async def test_a_kill_ends_the_program_of_a_backup_too(folder: Path, options: tuple[str, ...], programs: str):
    async with live(folder) as (client, _):
        marked(folder)
        watcher, holder = await asyncpg.connect(client.dsn), await asyncpg.connect(client.dsn)
        async with holder.transaction():
            await holder.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
            killed = subprocess.Popen(
                [sys.executable, "-m", "recio", "backup", "--data-dir", "data", "--to", "backups", *options],
                cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            await until(programs.format("> 0"), watcher)
            killed.kill()
            await anyio.to_thread.run_sync(killed.wait)
            await until(programs.format("= 0"), watcher)
        await watcher.close()
        await holder.close()
