"""Which backups and copies go once they are old, and the sentences about those that are damaged; it makes none."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import anyio.to_thread

from recio.db.backup_bucket import Bucket, expire_copies
from recio.db.backups import expire, places_in, read_backup
from recio.db.wal_bucket import expire_stream
from recio.errors import ExitCode, Fatal, of_the_machine


def remove_old(folder: Path, keep: int, days: int) -> None:
    """Names one that is damaged, which says nothing against the one just made. Raises Fatal where they cannot be removed."""
    try:
        for old in expire(folder, datetime.now(UTC), keep=keep, days=days):
            print(f"removed {old.folder}, which was older than {days} days")
    except OSError as error:
        raise of_the_machine(f"old backups cannot be removed: {error}", error) from error
    for each in places_in(folder):
        try:
            read_backup(each)
        except Fatal as damaged:
            print(
                f"recio: note: {damaged}: move it elsewhere once you have looked; it is neither removed nor kept in the place of"
                " a good one",
                file=sys.stderr,
            )


async def remove_old_copies(bucket: Bucket, keep: int, days: int) -> None:
    gone = partial(expire_copies, bucket, datetime.now(UTC), keep=keep, days=days)
    for old in await anyio.to_thread.run_sync(gone):
        print(f"removed {bucket.shown}base/{old}, which was older than {days} days")
    try:
        for old in await anyio.to_thread.run_sync(expire_stream, bucket):
            print(f"removed {bucket.shown}wal/{old}, which no backup there needs")
    except Fatal as damaged:
        if damaged.exit_code is not ExitCode.DATA:
            raise
        print(
            f"recio: note: {damaged}: nothing of the stream there goes until somebody has looked",
            file=sys.stderr,
        )
