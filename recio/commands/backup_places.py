"""Where backups are read from: a folder, or a bucket whose newest copy and stream of changes are fetched first; and which is the newest; it restores nothing."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio.to_thread

from recio.db.backup_bucket import SCHEME, bucket_at, fetch, newest_copy
from recio.db.backups import Backup, Kind, first_segment, places_in, read_backup, wal_of
from recio.db.encryption import Identity, read_key, refuse_wrong_key
from recio.db.wal_bucket import fetch_stream
from recio.errors import BadConfig, ExitCode, Fatal
from recio.scratch import scratch_folder

CLOCKS_APART = timedelta(minutes=5)
"""A disk of backups may be read on another machine."""


@dataclass(frozen=True, slots=True)
class Source:
    folder: Path
    key: Identity | None
    shown: str
    """As it was given."""


def is_bucket(given: str) -> bool:
    return given.startswith(SCHEME)


def folder_of(given: str) -> Path:
    return Path(given).expanduser().absolute()


def newest_in(folder: Path, at: datetime | None = None) -> Backup:
    """The newest that reaches `at`; one that is damaged stands in the way of none that is asked for. Raises BadConfig and Fatal."""
    for place in reversed(places_in(folder)):
        try:
            found = read_backup(place)
        except Fatal as error:
            if at is None:
                raise
            print(f"recio: passed by: {error}", file=sys.stderr)
            continue
        if at is None or (found.kind is Kind.BASE and found.finished_at <= at):
            return found
    reach = f" from before {at:%Y-%m-%d %H:%M:%S} UTC that can be followed" if at else ""
    raise BadConfig(f"{folder} has no backup{reach}")


def refuse_later(newest: Backup) -> None:
    """One of a clock that was ahead stands before every newer one. Raises Fatal."""
    if newest.finished_at > datetime.now(UTC) + CLOCKS_APART:
        raise Fatal(
            f"{newest.folder} was made at {newest.finished_at:%Y-%m-%d %H:%M:%S} UTC, which is still to come: the clock was ahead"
            " then, or is behind now. Once the clock is right, move that backup elsewhere: it stands in the place of the newest",
            ExitCode.DATA,
        )


@contextmanager
def source(given: str, key: Path | None, at: datetime | None = None) -> Generator[Source]:
    """The folder of the backups; of a bucket one with its newest copy that reaches `at`, and the stream since, for as long as it is used."""
    if not is_bucket(given):
        yield Source(folder_of(given), _key(key, folder_of(given)), given)
        return
    bucket = bucket_at(given)
    name = newest_copy(bucket, at)
    if name is None:
        reach = f" from before {at:%Y-%m-%d %H:%M:%S} UTC that can be followed" if at else ""
        raise BadConfig(f"{bucket.shown} has no backup{reach}")
    with scratch_folder("recio-fetched-") as folder:
        found = _key(key, folder)
        print(f"fetching {bucket.shown}base/{name}", file=sys.stderr)
        backup = fetch(bucket, name, folder)
        if backup.kind is Kind.BASE:
            refuse_wrong_key(found, backup.folder, backup.recipients)
            count = fetch_stream(bucket, first_segment(backup), wal_of(folder), found)
            print(f"fetched {count} files of the stream of changes", file=sys.stderr)
        yield Source(folder, found, f"{bucket.shown}base/{name}")


@asynccontextmanager
async def source_fetched(given: str, key: Path | None) -> AsyncGenerator[Source]:
    """The same within a command's work, which is told of a signal meanwhile."""
    opened = source(given, key)
    found = await anyio.to_thread.run_sync(opened.__enter__)
    try:
        yield found
    finally:
        opened.__exit__(None, None, None)


def _key(file: Path | None, folder: Path) -> Identity | None:
    return None if file is None else read_key(file.expanduser(), folder)
