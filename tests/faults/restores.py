"""Restores at random instants while rows are written: each is proven, holds exactly what was committed by then, and says how long it took.

`make restores` runs it; RESTORES=200 takes so many, within RESTORE_MINUTES. Each is told as it ends; at last it prints its figures as JSON
and ends with 1 where one was wrong, or where time was up before the last.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import asyncpg

from recio.db.backups import Backup, Kind, take, wal_of
from recio.db.restores import proven, restored
from recio.db.wal_stream import follow
from recio.errors import Fatal
from tests.test_backups import Pool, live, until_received, write

BETWEEN_ROWS = 0.01


async def _load(pool: Pool, written: list[datetime]) -> None:
    """Rows as fast as an order's path writes them, with the instant after each commit."""
    while True:
        await write(pool, "row")
        written.append(await pool.fetchval("SELECT clock_timestamp()"))
        await anyio.sleep(BETWEEN_ROWS)


async def _restored_rows(dsn: str) -> int:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval("SELECT count(*) FROM audit_log WHERE kind = 'row'")
    finally:
        await connection.close()


@dataclass(frozen=True, slots=True)
class Followed:
    backup: Backup
    written: tuple[datetime, ...]
    """After each commit."""


async def _followed(folder: Path, seconds: float) -> Followed:
    written: list[datetime] = []
    async with live(folder) as (client, pool), anyio.create_task_group() as group:
        group.start_soon(follow, client, wal_of(folder / "backups"))
        await until_received(pool)
        made = await take(client, folder / "backups", Kind.BASE, datetime.now(UTC))
        with anyio.move_on_after(seconds):
            await _load(pool, written)
        # What the stream has not received yet no restore can reach: a proof of that would wait for a backup that never ends.
        await until_received(pool)
        group.cancel_scope.cancel()
        return Followed(made, tuple(written))
    raise AssertionError("unreachable")


async def _one(folder: Path, source: Followed, at: datetime, times: list[float]) -> str:
    """What is wrong with what came back; empty: nothing."""
    begun = time.monotonic()
    try:
        async with restored(source.backup, wal_of(folder / "backups"), folder / "again", at) as (_, dsn):
            await proven(dsn)
            times.append(time.monotonic() - begun)
            found = await _restored_rows(dsn)
    except Fatal as error:
        return f"{at.isoformat()}: {error}"
    # The clock is read after the commit: a row may be in though its reading is a moment later.
    least = sum(1 for each in source.written if each <= at)
    return "" if least <= found <= least + 1 else f"{at.isoformat()}: {found} rows, {least} committed"


async def restores(number: int, seed: int, seconds: float, minutes: float) -> dict[str, object]:
    until, done = time.monotonic() + minutes * 60, 0
    chance, folder = random.Random(seed), Path(tempfile.mkdtemp(prefix="recio-restores-"))
    folder.chmod(0o711)
    times: list[float] = []
    wrong: list[str] = []
    try:
        source = await _followed(folder, seconds)
        span = (source.written[-3] - source.backup.finished_at).total_seconds()
        while done < number and time.monotonic() < until:
            at = source.backup.finished_at + timedelta(seconds=chance.random() * span)
            if said := await _one(folder, source, at, times):
                wrong.append(said)
            shutil.rmtree(folder / "again", ignore_errors=True)
            done += 1
            sys.stderr.write(f"{done} of {number}: {said or 'every row'}\n")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {
        "restores": done, "asked_for": number, "seed": seed, "rows": len(source.written), "wrong": wrong,
        "rto_seconds": {"median": round(statistics.median(times), 2), "most": round(max(times), 2)} if times else None,
    }  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--restores", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--minutes", type=float, default=60.0)
    asked = parser.parse_args()
    found = anyio.run(restores, asked.restores, asked.seed, asked.seconds, asked.minutes)
    sys.stdout.write(json.dumps(found, indent=1) + "\n")
    sys.exit(1 if found["wrong"] or found["restores"] != asked.restores else 0)
