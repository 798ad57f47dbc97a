"""The stream of changes in a bucket: encrypted before it leaves, any instant brought back from there, and what is broken there refused by name."""

from __future__ import annotations

import shutil
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest

from recio.commands import backups as command
from recio.commands.backup_places import source
from recio.commands.installation import Installation
from recio.db import backup_rows, wal_bucket
from recio.db.backup_bucket import Bucket, bucket_at, keys_below, put
from recio.db.backups import FACTS, MANIFEST, Kind, first_segment, read_backup, take, wal_of
from recio.db.connection import transaction
from recio.db.encryption import new_key
from recio.db.restores import proven, restored
from recio.db.stream_copies import Mark, Reach, Sender, copy_stream
from recio.db.wal_stream import follow
from recio.errors import BadConfig, ExitCode, Fatal
from tests.test_backup_copies import environment, server
from tests.test_backups import Pool, folder, kinds_in, live, until_received, write

__all__ = ["environment", "folder", "server"]
pytestmark = pytest.mark.timeout(300)
QUICKLY = 0.05
"""Host seconds between two looks for what is new."""


@dataclass(frozen=True, slots=True)
class Scene:
    folder: Path
    pool: Pool
    place: Installation
    bucket: Bucket
    address: str
    public: str

    @property
    def key(self) -> Path:
        return self.folder / "key"


async def noted(pool: Pool, good: Callable[[Any], bool]) -> Any:
    """The row of the copy, once it is so."""
    with anyio.fail_after(60):
        while True:
            row = await pool.fetchrow("SELECT * FROM stream_copies")
            if row is not None and good(row):
                return row
            await anyio.sleep(0.05)


async def until_there(scene: Scene) -> None:
    """What is committed now is in the bucket."""
    await until_received(scene.pool)
    now = await scene.pool.fetchval("SELECT clock_timestamp()")
    await noted(scene.pool, lambda row: row["reaches_at"] is not None and row["reaches_at"] >= now)


@asynccontextmanager
async def streamed(folder: Path, address: str, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Scene]:
    """A live database whose changes are followed and sent, with one base backup there."""
    monkeypatch.setattr("recio.db.stream_copies.NOTED_EVERY", timedelta(0))
    public = new_key(folder / "key")
    async with live(folder) as (client, pool), anyio.create_task_group() as group:
        scene = Scene(
            folder, pool, Installation(data_dir=folder / "data", dsn=client.dsn), bucket_at(address), address, public
        )  # fmt: skip
        group.start_soon(follow, client, wal_of(folder / "backups"))
        await until_received(pool)
        taken = await take(client, folder / "backups", Kind.BASE, datetime.now(UTC), [public])
        put(scene.bucket, taken)
        group.start_soon(copy_stream, pool, scene.bucket, wal_of(folder / "backups"), [public], QUICKLY)
        yield scene
        group.cancel_scope.cancel()


async def brought_back(scene: Scene, into: str, at: datetime | None = None) -> list[str]:
    with source(scene.address, scene.key, at) as found:
        (only,) = (found.folder / "base").iterdir()
        backup = read_backup(only)
        where = scene.folder / into
        async with restored(backup, wal_of(found.folder), where, at, found.key) as (_, dsn):
            await proven(dsn)
            return await kinds_in(dsn)


async def test_a_lost_machine_loses_what_came_after_the_last_look_and_any_instant_comes_back(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    async with streamed(folder, "s3://backups/instants", monkeypatch) as scene:
        await write(scene.pool, "four")
        await scene.pool.execute("SELECT pg_switch_wal()")
        between = await scene.pool.fetchval("SELECT clock_timestamp()")
        await write(scene.pool, "fine-secret-five")
        await until_there(scene)
        shutil.rmtree(folder / "backups" / "base")  # nothing but the bucket is left
        everything = ["one", "two", "three", "four", "fine-secret-five"]
        assert await brought_back(scene, "end") == everything
        assert await brought_back(scene, "then", between) == everything[:4]
        names = wal_bucket.files_in(scene.bucket)
        assert len([each for each in names if each.endswith(".partial")]) == 1
        for name in names:
            key = wal_bucket.key_of(scene.bucket, name)
            body = scene.bucket.client.get_object(Bucket="backups", Key=key)["Body"].read()
            assert body.startswith(b"age-encryption.org/v1")
        with pytest.raises(BadConfig, match="no backup from before"):
            await brought_back(scene, "before", datetime(2020, 1, 1, tzinfo=UTC))
        with (
            pytest.raises(BadConfig, match="name the file of that key with --key"),
            source(scene.address, None),
        ):
            pass  # fmt: skip


def body_of(scene: Scene, key: str) -> bytes:
    return scene.bucket.client.get_object(Bucket="backups", Key=key)["Body"].read()


def write_body(scene: Scene, key: str, body: bytes) -> None:
    scene.bucket.client.put_object(Bucket="backups", Key=key, Body=body)


def full_ones(scene: Scene) -> list[str]:
    """Keys of the full files of the stream, oldest first."""
    names = [each for each in wal_bucket.files_in(scene.bucket) if not each.endswith(".partial")]
    return [wal_bucket.key_of(scene.bucket, each) for each in names]


def flip(scene: Scene) -> None:
    key = full_ones(scene)[-2]
    body = bytearray(body_of(scene, key))
    body[len(body) // 2] ^= 1
    write_body(scene, key, bytes(body))


def cut(scene: Scene) -> None:
    key = full_ones(scene)[-2]
    write_body(scene, key, body_of(scene, key)[:-100])


def lose(scene: Scene) -> None:
    scene.bucket.client.delete_object(Bucket="backups", Key=full_ones(scene)[-2])


def put_in_another_s_place(scene: Scene) -> None:
    one, other = full_ones(scene)[-2:]
    write_body(scene, one, body_of(scene, other))


def change_the_base(scene: Scene) -> None:
    (key,) = (each for each in keys_below(scene.bucket, "base/") if each.endswith("/base.tar.gz.age"))
    write_body(scene, f"{scene.bucket.prefix}base/{key}", b"age-encryption.org/v1 of somebody else")


def lose_the_facts(scene: Scene) -> None:
    (key,) = (each for each in keys_below(scene.bucket, "base/") if each.endswith("/backup.json"))
    scene.bucket.client.delete_object(Bucket="backups", Key=f"{scene.bucket.prefix}base/{key}")


BREAKS = [
    (flip, "cannot be decrypted"),
    (cut, "cannot be decrypted"),
    (lose, "has a gap before"),
    (put_in_another_s_place, "is another file of the stream under that name"),
    (change_the_base, "has changed"),
    (lose_the_facts, "has no backup"),
]


@pytest.mark.long
async def test_a_drill_from_the_bucket_proves_all_and_fails_by_name_for_each_thing_that_is_broken_there(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    async with streamed(folder, "s3://backups/drills", monkeypatch) as scene:
        for kind in ("four", "five", "six"):
            await write(scene.pool, kind)
            await scene.pool.execute("SELECT pg_switch_wal()")
        await until_there(scene)
        assert await command.drill(scene.place, scene.address, scene.key) is ExitCode.OK
        said = capsys.readouterr().out
        assert "s3://backups/drills/base/" in said
        assert "newest audit row 6 of" in said
        assert "RPO 0.0 s" in said
        whole = {each: body_of(scene, scene.bucket.prefix + each) for each in keys_below(scene.bucket, "")}
        for spoil, why in BREAKS:
            spoil(scene)
            with pytest.raises(Fatal, match=why):
                await command.drill(scene.place, scene.address, scene.key)
            row = await scene.pool.fetchrow("SELECT * FROM drills ORDER BY drill_id DESC LIMIT 1")
            assert row is not None
            assert why in row["error"]
            assert row["place"].startswith("s3://backups/drills")
            for each, body in whole.items():
                write_body(scene, scene.bucket.prefix + each, body)
        assert await command.drill(scene.place, scene.address, scene.key) is ExitCode.OK


async def test_a_bucket_that_is_away_costs_no_row_and_is_sent_everything_once_it_is_back(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("recio.db.stream_copies.NOTED_EVERY", timedelta(0))
    public, away = new_key(folder / "key"), bucket_at("s3://not-made-yet/x")
    async with live(folder) as (client, pool), anyio.create_task_group() as group:
        wal = wal_of(folder / "backups")
        group.start_soon(follow, client, wal)
        await until_received(pool)
        group.start_soon(copy_stream, pool, away, wal, [public], QUICKLY)
        row = await noted(pool, lambda row: row["error"] != "")
        assert "no such bucket" in row["error"]
        assert row["reaches_at"] is None
        for kind in ("four", "five"):
            await write(pool, kind)
            await pool.execute("SELECT pg_switch_wal()")
        await noted(pool, lambda row: row["waiting"] >= 2)
        async with transaction(pool) as connection:
            seen = await backup_rows.seen(connection)
        assert seen.copy is not None
        assert "no such bucket" in seen.copy.why
        away.client.create_bucket(Bucket="not-made-yet")
        row = await noted(pool, lambda row: row["error"] == "" and row["reaches_at"] is not None)
        assert row["waiting"] == 0
        there = wal_bucket.files_in(away)
        assert {each.name for each in Sender(away, wal, [public]).waiting()} <= {*there}
        group.cancel_scope.cancel()


async def test_what_no_backup_there_needs_goes_and_all_stays_while_there_is_none(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    async with streamed(folder, "s3://backups/kept", monkeypatch) as scene:
        old = "0000000100000000000000"
        for name in ("00", "01"):
            file = folder / f"{old}{name}"
            file.write_bytes(bytes(100))
            wal_bucket.send(scene.bucket, file, [scene.public])
        (backup,) = (folder / "backups" / "base").iterdir()
        needed = first_segment(read_backup(backup))
        assert wal_bucket.oldest_needed(scene.bucket) == needed
        await until_there(scene)
        gone = wal_bucket.expire_stream(scene.bucket)
        assert {f"{old}00", f"{old}01"} <= {*gone}
        assert wal_bucket.files_in(scene.bucket)[0].removesuffix(".partial") >= needed
        lose_the_facts(scene)
        assert wal_bucket.expire_stream(scene.bucket) == []


def test_a_damaged_copy_keeps_nothing_of_the_stream_from_being_sent(tmp_path: Path):
    bucket, name = bucket_at("s3://backups/torn"), f"{1:024X}"
    for each in (FACTS, MANIFEST):
        bucket.client.put_object(Bucket="backups", Key=f"torn/base/20260101T000000Z/{each}", Body=b'{"cut')
    (tmp_path / "wal").mkdir()
    (tmp_path / "wal" / name).write_bytes(bytes(100))
    Sender(bucket, tmp_path / "wal", [new_key(tmp_path / "key")]).send_new()
    assert wal_bucket.files_in(bucket) == [name]
    with pytest.raises(
        Fatal, match="cannot be read"
    ):  # what a copy needs of which nobody can tell it must stay
        wal_bucket.expire_stream(bucket)


def test_what_was_written_before_a_look_is_reached_once_that_much_was_received():
    at = datetime(2026, 11, 30, tzinfo=UTC)
    reach = Reach()
    for second, (written, received) in enumerate(
        [(100, None), (200, 90), (300, 150), (400, 250), (400, 400)]
    ):
        reach.add(Mark(at + timedelta(seconds=second), written, received))
        expected = {2: 0, 3: 1, 4: 4}.get(second)
        assert reach.at == (None if expected is None else at + timedelta(seconds=expected))
    assert reach.marks == []
