"""Where backups are read from: a folder, or a bucket whose newest copy and stream of changes are fetched first; it restores nothing."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import anyio.to_thread

from recio.db.backup_bucket import SCHEME, bucket_at, fetch, newest_copy
from recio.db.backups import Kind, first_segment, wal_of
from recio.db.encryption import Identity, read_key, refuse_wrong_key
from recio.db.wal_bucket import fetch_stream
from recio.errors import BadConfig
from recio.scratch import scratch_folder


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
