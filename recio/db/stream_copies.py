"""Sends the stream of changes into a bucket while it is followed, and keeps a row of how far it is; a bucket that is away costs neither a row nor the stream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import anyio
import anyio.to_thread
import asyncpg
import structlog

from recio.db import wal_bucket
from recio.db.backup_bucket import Bucket
from recio.db.backups import stream_in
from recio.db.connection import Connection, transaction
from recio.db.wal_bucket import PARTIAL
from recio.db.wal_stream import SLOT
from recio.errors import ExitCode, Fatal, Transient

log: structlog.stdlib.BoundLogger = structlog.get_logger()
EVERY = 10.0
"""Host seconds between two looks for what is new."""
NOTED_EVERY = timedelta(minutes=1)
"""The row of each look would itself be a change to send."""
KEPT_MARKS = 1_000
_MARK = """
    SELECT clock_timestamp() AS at, pg_wal_lsn_diff(pg_current_wal_flush_lsn(), '0/0')::bigint AS written,
        (SELECT pg_wal_lsn_diff(restart_lsn, '0/0')::bigint FROM pg_replication_slots WHERE slot_name = $1) AS received
"""
_NOTE = """
    INSERT INTO stream_copies (place, at, reaches_at, waiting, error) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (place) DO UPDATE SET at = $2, reaches_at = least(coalesce($3, stream_copies.reaches_at), $2), waiting = $4, error = $5
"""


@dataclass(frozen=True, slots=True)
class Mark:
    at: datetime
    """By the database's clock."""
    written: int
    """How far the server had its changes on the disk then."""
    received: int | None
    """How far the stream had them."""


@dataclass(slots=True)
class Reach:
    """Up to which instant everything that was committed is in the files that the stream has received."""

    marks: list[Mark] = field(default_factory=list[Mark])
    at: datetime | None = None

    def add(self, mark: Mark) -> None:
        self.marks.append(mark)
        for each in self.marks:
            if mark.received is not None and each.written <= mark.received:
                self.at = each.at
        self.marks = [each for each in self.marks if self.at is None or each.at > self.at][-KEPT_MARKS:]


@dataclass(slots=True)
class Sender:
    bucket: Bucket
    folder: Path
    recipients: Sequence[str]
    there: set[str] | None = None
    """Names of the files that are in the bucket; None: it was not asked yet."""
    first: str = ""
    """Older ones are needed by no backup there."""
    partial: tuple[str, int] | None = None
    """The unfinished file as it was sent last: its name and when it changed."""

    def waiting(self) -> list[Path]:
        """Full files that are not there yet, oldest first."""
        there = self.there or set()
        return [
            each
            for each in stream_in(self.folder)
            if wal_bucket.is_file(each.name)
            and not each.name.endswith(PARTIAL)
            and each.name not in there
            and each.name[8:] >= self.first[8:]
        ]

    def send_new(self) -> None:
        """The unfinished file last: what is there has no gap. Raises BadConfig and Fatal."""
        if self.there is None:
            self.first = self._oldest_needed()
            self.there = set(wal_bucket.files_in(self.bucket))
        for each in self.waiting():
            wal_bucket.send(self.bucket, each, self.recipients)
            self.there.add(each.name)
            if each.name + PARTIAL in self.there:
                wal_bucket.remove(self.bucket, each.name + PARTIAL)
                self.there.discard(each.name + PARTIAL)
        for each in self.folder.glob(f"*{PARTIAL}"):
            self._send_unfinished(each)

    def _oldest_needed(self) -> str:
        """Where a copy there is damaged all is sent: it says nothing against what comes now. Raises BadConfig and Fatal."""
        try:
            return wal_bucket.oldest_needed(self.bucket) or ""
        except Fatal as error:
            if error.exit_code is not ExitCode.DATA:
                raise
            log.warning("all of the stream is sent", why=str(error))
            return ""

    def _send_unfinished(self, file: Path) -> None:
        try:
            seen = (file.name, file.stat().st_mtime_ns)
            if seen != self.partial and wal_bucket.is_file(file.name):
                wal_bucket.send(self.bucket, file, self.recipients)
                self.partial = seen
                assert self.there is not None
                self.there.add(file.name)
        except FileNotFoundError:
            return  # it is full since: the next look sends it under its own name


async def copy_stream(
    pool: asyncpg.Pool[asyncpg.Record],
    bucket: Bucket,
    folder: Path,
    recipients: Sequence[str],
    every: float = EVERY,
) -> None:
    """Until it is cancelled. Whatever the bucket refuses is tried again, and stands in the row meanwhile."""
    sender, reach = Sender(bucket, folder, recipients), Reach()
    noted: tuple[datetime, str] | None = None
    while True:
        mark = await _marked(pool)
        if mark is not None:
            reach.add(mark)
        why = await anyio.to_thread.run_sync(_sent, sender, abandon_on_cancel=True)
        if mark is not None and (noted is None or noted[1] != why or mark.at - noted[0] >= NOTED_EVERY):
            noted = (mark.at, why)
            await _note(pool, bucket.shown, mark.at, None if why else reach.at, len(sender.waiting()), why)
        await anyio.sleep(every)


def _sent(sender: Sender) -> str:
    """Empty, or why it was not."""
    try:
        sender.send_new()
    except Fatal as error:
        return str(error)
    except OSError as error:
        return f"{sender.folder} cannot be read: {error.strerror}"
    return ""


async def _marked(pool: asyncpg.Pool[asyncpg.Record]) -> Mark | None:
    """None for a server that is away: it has nothing new either."""
    try:
        async with transaction(pool) as connection:
            row = await connection.fetchrow(_MARK, SLOT)
    except Transient:
        return None
    return None if row is None else Mark(row["at"], row["written"], row["received"])


async def _note(
    pool: asyncpg.Pool[asyncpg.Record],
    place: str,
    at: datetime,
    reaches: datetime | None,
    waiting: int,
    why: str,
) -> None:
    try:
        async with transaction(pool) as connection:
            await note(connection, place, at, reaches, waiting, why)
    except (Transient, asyncpg.PostgresError) as error:
        log.warning("no row says how far the stream is", place=place, why=str(error))


async def note(
    connection: Connection, place: str, at: datetime, reaches: datetime | None, waiting: int, why: str
) -> None:
    await connection.execute(_NOTE, place, at, reaches, waiting, why)
