"""`recio db`: the database itself: its version, its roles, its size; it changes no row that recio wrote."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path

from recio.commands.event_loop import to_the_end
from recio.commands.installation import Installation, add_installation, find_installation, rows_in
from recio.commands.options import some_words
from recio.daemon.database import ACCOUNT_LOCK, daemon_runs, dsn_in_use
from recio.db.connection import transaction, without_time_limit
from recio.db.placement import disks_of
from recio.db.pool import advisory_lock, open_pool
from recio.db.roles import WRITES, Kind, grant, grant_again, owns_tables
from recio.db.schema import Migration, migrate, missing, rehearse
from recio.db.sizes import days_until_full, sizes
from recio.errors import BadConfig, ExitCode
from recio.settings.addresses import checked_dsn
from recio.settings.file_access import others_with_access

NAME = "recio db"
NOTHING_TO_DO = "the tables are those of this recio: there is nothing to do"


def add_options(_name: str, parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    carry = actions.add_parser("migrate", help="bring the tables to the version of this recio")
    add_installation(carry)
    carry.add_argument("--dry-run", action="store_true", help="try every step, then keep none of them")
    _add_owner(carry)
    carry.set_defaults(command=_migrate)
    size = actions.add_parser("size", help="rows, bytes, growth a day, days until the disk is full")
    add_installation(size)
    size.add_argument("--json", action="store_true", help="print JSON")
    size.set_defaults(command=_size)
    give = actions.add_parser("grant", help="give a role exactly the rights of the daemon, or of a reader")
    add_installation(give)
    give.add_argument("role", type=some_words, help="a role that is there already")
    give.add_argument("kind", type=Kind, choices=list(Kind), help="what it is for")
    _add_owner(give)
    give.set_defaults(command=_grant)


def _add_owner(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--owner",
        type=Path,
        metavar="FILE",
        help="a private file with the DSN of the tables' owner, past any pooler; default: the config's own",
    )


def _migrate(options: argparse.Namespace) -> ExitCode:
    place = find_installation(options)
    return to_the_end(
        lambda: migrate_tables(place, options.owner, options.dry_run),
        lambda: "each step is there whole or not at all: run it again",
    )


async def migrate_tables(place: Installation, owner: Path | None, dry: bool) -> ExitCode:
    """Each missing step, under the lock that a daemon holds; says what was done."""
    async with owner_dsn(place, owner) as dsn:
        if dry and (looked := await _beside_a_daemon(dsn)) is not None:
            return _say_missing(looked)
        async with (
            advisory_lock(dsn, ACCOUNT_LOCK),
            open_pool(dsn, application_name=NAME, max_size=1) as pool,
        ):
            steps = await (rehearse(pool) if dry else migrate(pool))
            if not dry:
                async with transaction(pool) as connection:
                    # Whoever owns nothing has nothing to grant, and took no step.
                    if await owns_tables(connection):
                        await grant_again(connection)
    if not steps:
        print(NOTHING_TO_DO)
    for step in steps:
        print(f"{'would take' if dry else 'took'} step {step.version}: {step.name.replace('_', ' ')}")
    if dry and steps:
        print("recio: every step was tried and none was kept", file=sys.stderr)
    return ExitCode.OK


async def _beside_a_daemon(dsn: str) -> Sequence[Migration] | None:
    """Which steps wait for a daemon that drives the database now; None: none does.

    They are not tried, which would lock the tables of its orders. Raises BadConfig where this user could not take them.
    """
    async with open_pool(dsn, application_name=NAME, max_size=1) as pool, transaction(pool) as connection:
        if not await daemon_runs(connection):
            return None
        steps = await missing(connection)
        if steps and not await owns_tables(connection):
            raise BadConfig(
                f"step {steps[0].version} ({steps[0].name}) needs the owner of the tables:"
                " `recio db migrate --owner FILE`, FILE holding the owner's DSN"
            )
        return steps


def _say_missing(steps: Sequence[Migration]) -> ExitCode:
    for step in steps:
        print(f"would take step {step.version}: {step.name.replace('_', ' ')}")
    if not steps:
        print(NOTHING_TO_DO)
    print("recio: a daemon drives this database: nothing was tried, only looked at", file=sys.stderr)
    return ExitCode.OK


def _size(options: argparse.Namespace) -> ExitCode:
    place = find_installation(options)
    return to_the_end(lambda: print_sizes(place, as_json=options.json), lambda: "nothing was changed")


async def print_sizes(place: Installation, *, as_json: bool) -> ExitCode:
    """The largest table first; the disk only where the database is the embedded one."""
    async with rows_in(place, NAME) as connection:
        await without_time_limit(connection)
        found = await sizes(connection)
    free = None if place.dsn else min(shutil.disk_usage(each).free for each in disks_of(place.data_dir))
    days = None if free is None else days_until_full(free, found.bytes_a_day)
    if as_json:
        print(
            json.dumps(
                asdict(found)
                | {"bytes_a_day": found.bytes_a_day, "free_bytes": free, "days_until_full": days},
                default=str,
            )
        )
        return ExitCode.OK
    print(f"{'table':<24}{'rows':>14}{'size':>12}{'a day':>12}")
    for each in found.tables:
        print(f"{each.name:<24}{each.rows:>14,}{_bytes(each.bytes):>12}{_bytes(each.bytes_a_day):>12}")
    print(f"{'the database':<24}{'':>14}{_bytes(found.bytes):>12}{_bytes(found.bytes_a_day):>12}")
    print(_disk(free, days), file=sys.stderr)
    return ExitCode.OK


def _bytes(number: float | None) -> str:
    if number is None:
        return "-"
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if number >= size:
            return f"{number / size:.1f} {unit}"
    return f"{number:.0f} B"


def _disk(free: int | None, days: float | None) -> str:
    if free is None:
        return "recio: the disk is that of the database server, which does not tell"
    until = "not filling" if days is None else f"full in {days:,.0f} days at this pace"
    return f"recio: {_bytes(free)} free on the disk, {until}; the recording is kept within [recorder] besides"


def _grant(options: argparse.Namespace) -> ExitCode:
    place = find_installation(options)
    return to_the_end(
        lambda: grant_rights(place, options.owner, options.role, options.kind),
        lambda: "the role has all of its rights or those of before: run it again",
    )


async def grant_rights(place: Installation, owner: Path | None, role: str, kind: Kind) -> ExitCode:
    """Exactly the rights of this kind; says what the role may do from now on."""
    async with (
        owner_dsn(place, owner) as dsn,
        open_pool(dsn, application_name=NAME, max_size=1) as pool,
        transaction(pool) as connection,
    ):
        await grant(connection, role, kind)
    may = (
        "read everything"
        if kind is Kind.READ_ONLY
        else f"read everything, and write {len(WRITES)} tables as the daemon does"
    )
    print(f"{role} may {may}")
    return ExitCode.OK


@asynccontextmanager
async def owner_dsn(place: Installation, file: Path | None) -> AsyncGenerator[str]:
    """The DSN of whoever owns the tables. Raises BadConfig."""
    if file is not None:
        yield read_dsn(file)
        return
    async with dsn_in_use(place.data_dir, place.straight_dsn) as dsn:
        yield dsn


def read_dsn(file: Path) -> str:
    """The one line of a private file. Raises BadConfig, without a word of what is in it."""
    try:
        others = others_with_access(file)
        text = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfig(f"--owner {file} cannot be read: {type(error).__name__}") from error
    if others:
        raise BadConfig(f"--owner {file} can be read by {', '.join(others)}: chmod 600 {file}")
    try:
        dsn = checked_dsn(text)
    except ValueError as error:
        raise BadConfig(f"--owner {file}: its DSN (hidden) is refused: {error}") from None
    if not dsn:
        raise BadConfig(f"--owner {file} is empty: it holds the DSN of the tables' owner")
    return dsn
