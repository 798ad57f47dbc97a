"""Restores at random instants while rows are written: each is proven, holds exactly what was committed by then, and says how long it took.

`make restores` runs it; RESTORES=200 takes so many, within RESTORE_MINUTES, two beside each other. Each is told as it ends; at last it
writes its report, and ends with 1 where one was wrong, or where time was up before the last. With --in-memory what is restored lies in
memory: most of what a restore takes on a busy disk is waiting until thousands of files are written for good, which no row depends on here.
"""

from __future__ import annotations

import argparse
import math
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import asyncpg

from recio.db.backups import Backup, Kind, take, wal_of
from recio.db.restores import proven, restored
from recio.db.wal_stream import follow
from recio.errors import Fatal
from tests.faults.proof_reports import commit, recovery
from tests.faults.proof_reports import write as write_report
from tests.faults.told_to_end import ends_with_all_it_started
from tests.test_backups import Pool, live, until_received, write

BETWEEN_ROWS = 0.01
AT_ONCE = 2
MEMORY = "/dev/shm"


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


@dataclass(slots=True)
class Tally:
    done: int = 0
    wrong: list[str] = field(default_factory=list[str])
    times: list[float] = field(default_factory=list[float])
    """Host seconds until each was proven."""


async def _one(source: Followed, folder: Path, into: Path, at: datetime, tally: Tally) -> str:
    """What is wrong with what came back; empty: nothing."""
    begun = time.monotonic()
    try:
        async with restored(source.backup, wal_of(folder / "backups"), into, at) as (_, dsn):
            await proven(dsn)
            tally.times.append(round(time.monotonic() - begun, 2))
            found = await _restored_rows(dsn)
    except Fatal as error:
        return f"{at.isoformat()}: {error}"
    finally:
        shutil.rmtree(into, ignore_errors=True)
    # The clock is read after the commit: a row may be in though its reading is a moment later.
    least = sum(1 for each in source.written if each <= at)
    return "" if least <= found <= least + 1 else f"{at.isoformat()}: {found} rows, {least} committed"


async def _some(
    source: Followed, folder: Path, instants: Iterator[datetime], tally: Tally, until: float, number: int
) -> None:
    """One after another, of what is left of all."""
    into = folder / f"again-{number}"
    for at in instants:
        if time.monotonic() > until:
            return
        said = await _one(source, folder, into, at, tally)
        tally.done += 1
        tally.wrong += [said] if said else []
        sys.stderr.write(f"{tally.done}: {said or 'every row'}\n")


async def restores(
    number: int, seed: int, seconds: float, minutes: float, *, in_memory: bool
) -> dict[str, Any]:
    began, tried = time.monotonic(), commit()
    chance, tally = random.Random(seed), Tally()
    folder = Path(tempfile.mkdtemp(prefix="recio-restores-", dir=MEMORY if in_memory else None))
    folder.chmod(0o711)
    try:
        source = await _followed(folder, seconds)
        span = (source.written[-3] - source.backup.finished_at).total_seconds()
        instants = iter(
            [source.backup.finished_at + timedelta(seconds=chance.random() * span) for _ in range(number)]
        )
        async with anyio.create_task_group() as group:
            for each in range(AT_ONCE):
                group.start_soon(_some, source, folder, instants, tally, began + minutes * 60, each)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {
        "commit": tried, "seed": seed, "seconds": round(time.monotonic() - began),
        "restores": tally.done, "asked_for": number, "at_once": AT_ONCE, "in_memory": in_memory,
        "rows": len(source.written), "span_seconds": math.floor(span), "failed": tally.wrong,
        "load": [round(each, 1) for each in os.getloadavg()], "rto_seconds": recovery(tally.times),
    }  # fmt: skip


if __name__ == "__main__":
    ends_with_all_it_started()
    parser = argparse.ArgumentParser()
    parser.add_argument("--restores", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--in-memory", action="store_true")
    parser.add_argument("--report", type=Path, required=True)
    asked = parser.parse_args()
    found = anyio.run(
        lambda: restores(asked.restores, asked.seed, asked.seconds, asked.minutes, in_memory=asked.in_memory)
    )
    write_report(asked.report, found)
    sys.exit(1 if found["failed"] or found["restores"] != asked.restores else 0)
