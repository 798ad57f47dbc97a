"""`recio backup`, `recio restore` and `recio drill`: backups that were restored; none of them changes a row that the daemon wrote."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import anyio.to_thread
import asyncpg

from recio.commands.backup_places import folder_of, is_bucket, newest_in, refuse_later, source, source_fetched
from recio.commands.backup_removal import remove_old, remove_old_copies
from recio.commands.event_loop import to_the_end
from recio.commands.installation import Installation, add_installation, find_installation
from recio.commands.options import moment, positive
from recio.daemon.database import dsn_in_use
from recio.db import backup_rows, identity
from recio.db.backup_bucket import Bucket, bucket_at, put
from recio.db.backups import (
    Backup,
    Kind,
    check_sums,
    take,
    wal_of,
)
from recio.db.client_programs import Client
from recio.db.connection import Connection, transaction
from recio.db.encryption import Identity, checked_recipient, new_key
from recio.db.pool import open_pool
from recio.db.postgres_programs import installed_binaries
from recio.db.restores import Head, head, lost, proven, restored
from recio.db.stream_copies import copy_stream
from recio.db.wal_stream import begun_anew, end_when_lost, follow
from recio.errors import BadConfig, ExitCode, Fatal, Transient
from recio.scratch import scratch_folder
from recio.settings.files import MARKER, RESTORED
from recio.supervisor import leading_fault
from recio.times import time_text

NAME = "recio backup"
NOTE_LIMIT = 15.0
"""Host seconds that the row of a failure may take."""


def add_options(name: str, parser: argparse.ArgumentParser) -> None:
    {"backup": _add_backup, "restore": _add_restore, "drill": _add_drill}[name](parser)


def _add_backup(parser: argparse.ArgumentParser) -> None:
    add_installation(parser)
    _add_folder(parser, "--to", required=False)
    parser.add_argument(
        "--encrypt-for",
        dest="recipients",
        type=checked_recipient,
        action="append",
        default=[],
        metavar="AGE1...",
        help="the public word of a key that opens it, once for each key",
    )
    parser.add_argument(
        "--copy-to", metavar="s3://BUCKET/FOLDER", help="send a copy there, with --encrypt-for"
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--kind", type=Kind, choices=list(Kind), help="default: base for the embedded database, else dump"
    )
    what.add_argument(
        "--new-key", type=Path, metavar="FILE", help="make a key into a new file, and print its public word"
    )
    what.add_argument(
        "--stream",
        action="store_true",
        help="follow the changes into it, and send them with --copy-to, until stopped",
    )
    what.add_argument(
        "--check", action="store_true", help="only see that the newest is whole and not too old"
    )
    parser.add_argument(
        "--keep", type=positive, default=7, metavar="N", help="remove none of the newest N (7)"
    )
    parser.add_argument(
        "--keep-days", type=positive, default=30, metavar="N", help="remove what is older (30)"
    )
    parser.add_argument(
        "--max-age-hours", type=positive, default=26, metavar="N", help="of --check: too old (26)"
    )
    parser.set_defaults(command=_backup)


def _add_restore(parser: argparse.ArgumentParser) -> None:
    _add_folder(parser, "--from")
    _add_key(parser)
    parser.add_argument("--into", type=Path, required=True, metavar="DIR", help="the new data directory")
    parser.add_argument("--at", type=moment, metavar="TIME", help="as it was then; default: the last instant")
    parser.set_defaults(command=_restore)


def _add_drill(parser: argparse.ArgumentParser) -> None:
    add_installation(parser)
    _add_folder(parser, "--from")
    _add_key(parser)
    parser.set_defaults(command=_drill)


def _add_folder(parser: argparse.ArgumentParser, option: str, *, required: bool = True) -> None:
    parser.add_argument(
        option, dest="folder", required=required, metavar="DIR", help="the folder of the backups"
    )


def _add_key(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--key", type=Path, metavar="FILE", help="the key of an encrypted backup")


# --- backup ----------------------------------------------------------------------------------------------------


def _backup(options: argparse.Namespace) -> ExitCode:
    if options.new_key is not None:
        print(new_key(options.new_key.expanduser()))
        print(
            "recio: keep that file elsewhere than the backups, and a copy of it: without it they are lost",
            file=sys.stderr,
        )
        return ExitCode.OK
    if options.folder is None:
        raise BadConfig("--to DIR is missing: the folder of the backups")
    if is_bucket(options.folder):
        raise BadConfig("--to: backups are made in a folder; --copy-to s3://... sends a copy of each")
    folder = folder_of(options.folder)
    bucket = None if options.copy_to is None else bucket_at(options.copy_to)
    if bucket and not options.recipients:
        raise BadConfig("--copy-to: what leaves this machine is encrypted: name a key with --encrypt-for")
    if options.stream and options.recipients and not bucket:
        raise BadConfig(
            "--encrypt-for: the stream of changes is encrypted where it is sent: name a bucket with --copy-to"
        )
    if options.check:
        return check(folder, timedelta(hours=options.max_age_hours))
    place = find_installation(options)
    if options.stream:
        return to_the_end(
            lambda: stream(place, folder, options.recipients, bucket), lambda: "what was received is kept"
        )
    kind = options.kind or (Kind.DUMP if place.dsn else Kind.BASE)
    return to_the_end(
        lambda: backup(place, folder, kind, options.keep, options.keep_days, options.recipients, bucket),
        lambda: "a backup is there whole or not at all",
    )


@asynccontextmanager
async def _client(place: Installation) -> AsyncGenerator[Client]:
    async with dsn_in_use(place.data_dir, place.straight_dsn) as dsn:
        yield Client(dsn=dsn, programs=installed_binaries() / "bin")


async def backup(
    place: Installation,
    folder: Path,
    kind: Kind,
    keep: int,
    days: int,
    recipients: Sequence[str] = (),
    bucket: Bucket | None = None,
) -> ExitCode:
    """One backup with its row, and the old ones removed; says what was made."""
    async with _client(place) as client, open_pool(client.dsn, application_name=NAME) as pool:
        started = datetime.now(UTC)

        async def failed(connection: Connection, why: str) -> None:
            now = datetime.now(UTC)
            await backup_rows.note_backup(connection, kind, str(folder), started, now, 0, why)

        async with _noted(pool, failed):
            try:
                made = await take(client, folder, kind, started, recipients)
            except Fatal:
                with suppress(Fatal):  # a disk that is full would stay so
                    remove_old(folder, keep, days)
                raise
        async with transaction(pool) as connection:
            await backup_rows.note_backup(
                connection, kind, str(made.folder), started, made.finished_at, made.bytes
            )
        print(f"{made.folder}: {kind}, {made.bytes:,} bytes")
        try:
            if bucket is not None:
                await _copy(pool, bucket, made, keep, days)
        finally:  # a bucket that is away for weeks must not fill the disk
            remove_old(folder, keep, days)
    return ExitCode.OK


async def _copy(
    pool: asyncpg.Pool[asyncpg.Record], bucket: Bucket, made: Backup, keep: int, days: int
) -> None:
    """To another place, with a row of its own. The backup here stands whatever becomes of it."""
    started = datetime.now(UTC)

    async def failed(connection: Connection, why: str) -> None:
        now = datetime.now(UTC)
        await backup_rows.note_backup(connection, made.kind, bucket.shown, started, now, 0, why)

    async with _noted(pool, failed):
        try:
            where = await anyio.to_thread.run_sync(put, bucket, made)
        except Fatal:
            with suppress(Fatal):  # a bucket that is full would stay so
                await remove_old_copies(bucket, keep, days)  # noqa: ASYNC120 - a signal outweighs it
            raise
    async with transaction(pool) as connection:
        await backup_rows.note_backup(connection, made.kind, where, started, datetime.now(UTC), made.bytes)
    print(f"{where}: a copy of it")
    await remove_old_copies(bucket, keep, days)


@asynccontextmanager
async def _noted(
    pool: asyncpg.Pool[asyncpg.Record], note: Callable[[Connection, str], Awaitable[None]]
) -> AsyncGenerator[None]:
    """Whatever breaks the block off, a signal too, becomes a row first: what leaves none would look as if it was never tried."""
    try:
        yield
    except BaseException as error:
        given_up = not isinstance(error, Exception)
        why = "it was given up half-way" if given_up else str(error) or type(error).__name__
        with anyio.CancelScope(shield=True), anyio.move_on_after(NOTE_LIMIT):
            try:
                async with transaction(pool) as connection:  # noqa: ASYNC120 - the fault is raised anew
                    await note(connection, why)  # noqa: ASYNC120 - the fault is raised anew
            except (Fatal, Transient, asyncpg.PostgresError) as other:
                print(f"recio: no row says so: {other}", file=sys.stderr)
        raise


async def stream(
    place: Installation, folder: Path, recipients: Sequence[str] = (), bucket: Bucket | None = None
) -> ExitCode:
    async with _client(place) as client, open_pool(client.dsn, application_name=NAME) as pool:
        async with transaction(pool) as connection:
            if await begun_anew(connection):
                print(
                    "recio: the stream begins anew after a gap: take a base backup now, what is older cannot be followed beyond it",
                    file=sys.stderr,
                )
        print(f"following into {wal_of(folder)}", flush=True)
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(end_when_lost, pool)
                if bucket is not None:
                    print(f"sending it to {bucket.shown}", flush=True)
                    group.start_soon(copy_stream, pool, bucket, wal_of(folder), recipients)
                await follow(client, wal_of(folder))
        except* Fatal as faults:
            raise leading_fault(faults) from None
    return ExitCode.OK


def check(folder: Path, oldest: timedelta) -> ExitCode:
    """Raises Fatal where the newest backup is damaged or too old."""
    newest = newest_in(folder)
    refuse_later(newest)
    check_sums(newest)
    age = datetime.now(UTC) - newest.finished_at
    if age > oldest:
        raise Fatal(
            f"the newest backup of {folder} is {age / timedelta(hours=1):.1f} hours old, more than"
            f" {oldest / timedelta(hours=1):.0f}: see why `recio backup` did not run",
            ExitCode.TEMPORARY,
        )
    print(f"{newest.folder} is whole, {age / timedelta(hours=1):.1f} hours old")
    return ExitCode.OK


# --- restore and drill --------------------------------------------------------------------------------------------


def _restore(options: argparse.Namespace) -> ExitCode:
    with source(options.folder, options.key, options.at) as found:
        return to_the_end(
            lambda: restore(found.folder, options.into.expanduser().absolute(), options.at, found.key),
            lambda: f"{options.into} is not whole: remove it",
        )


async def restore(folder: Path, into: Path, at: datetime | None, key: Identity | None = None) -> ExitCode:
    """A data directory that a daemon may start on, proven, under a new tag; says what is not in it."""
    chosen = newest_in(folder, at)
    try:
        refuse_later(chosen)
    except Fatal as error:  # what is behind may be the clock of a new machine
        print(f"recio: note: {error}", file=sys.stderr)
    print(
        f"restoring {chosen.folder}, which was finished at {time_text(chosen.finished_at)}", file=sys.stderr
    )
    async with restored(chosen, wal_of(folder), into, at, key) as (_, dsn):
        newest = await proven(dsn)
        async with open_pool(dsn, application_name="recio restore") as pool, transaction(pool) as connection:
            bound = await identity.bound_to(connection)
            tag = await backup_rows.begin_anew(
                connection, str(chosen.folder), at, newest and newest.at, datetime.now(UTC)
            )
    await anyio.Path(into / RESTORED).write_text(f"from {chosen.folder}\n", encoding="utf-8")
    marker = json.dumps({"mode": bound.mode, "environment": bound.environment})
    await anyio.Path(into / MARKER).write_text(f"{marker}\n", encoding="utf-8")
    print(f"{into} is whole and proven; its newest audit row is {_when(newest)}")
    print(
        f'client order ids begin with recio-{tag} from now on; set data_dir = "{into}" and, where database.dsn'
        ' names another database, dsn = "", and start the daemon:'
    )
    print("it asks the venue for orders, fills and positions since, before it decides anything")
    return ExitCode.OK


def _when(newest: Head | None) -> str:
    return "none" if newest is None else f"{newest.seq} of {newest.at:%Y-%m-%d %H:%M:%S} UTC"


def _drill(options: argparse.Namespace) -> ExitCode:
    place = find_installation(options)
    return to_the_end(
        lambda: drill(place, options.folder, options.key),
        lambda: "the drill was not finished: it proves nothing",
    )


async def drill(place: Installation, given: str, key: Path | None = None) -> ExitCode:
    """Restores the newest backup into a server of its own, proves it and compares it; its row says how it went, and how far it got."""
    at, begun, of = datetime.now(UTC), time.monotonic(), given if is_bucket(given) else str(folder_of(given))
    try:
        with scratch_folder("recio-drill-") as scratch:
            await anyio.Path(scratch).chmod(0o711)
            async with (
                _client(place) as client,
                open_pool(client.dsn, application_name="recio drill") as pool,
            ):

                async def failed(connection: Connection, why: str) -> None:
                    took = time.monotonic() - begun
                    await backup_rows.note_drill(connection, of, at, took, None, why)

                async with _noted(pool, failed):
                    async with transaction(pool) as connection:
                        before = await head(connection)
                    async with source_fetched(given, key) as found:
                        chosen = newest_in(found.folder)
                        refuse_later(chosen)
                        of = found.shown if is_bucket(given) else str(chosen.folder)
                        where = scratch / "data"
                        async with restored(chosen, wal_of(found.folder), where, key=found.key) as (_, dsn):
                            newest = await proven(dsn)
                    took = time.monotonic() - begun
                    async with transaction(pool) as connection:
                        behind = await lost(connection, before, newest)
                async with transaction(pool) as connection:
                    await backup_rows.note_drill(connection, of, at, took, behind)
    except BadConfig:
        raise
    except Fatal as error:
        raise Fatal(f"the drill failed: {error}", error.exit_code) from error
    print(f"{of} was restored and proven; newest audit row {_when(newest)}")
    print(
        f"RTO {took:.1f} s until proven, RPO {behind:.1f} s: so much of the live database's past was not in it"
    )
    return ExitCode.OK
