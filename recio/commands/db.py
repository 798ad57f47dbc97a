"""`recio db`: carries the database over to this recio's schema and gives roles their rights; it changes no row that recio wrote."""

from __future__ import annotations

import argparse
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from recio.commands.event_loop import to_the_end
from recio.commands.installation import Installation, add_installation, find_installation
from recio.commands.options import some_words
from recio.daemon.database import ACCOUNT_LOCK, dsn_in_use
from recio.db.connection import transaction
from recio.db.pool import advisory_lock, open_pool
from recio.db.roles import WRITES, Kind, grant, grant_again
from recio.db.schema import migrate, rehearse
from recio.errors import BadConfig, ExitCode
from recio.settings.addresses import checked_dsn
from recio.settings.file_access import others_with_access

NAME = "recio db"


def add_options(_name: str, parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    carry = actions.add_parser("migrate", help="bring the tables to the version of this recio")
    add_installation(carry)
    carry.add_argument("--dry-run", action="store_true", help="try every step, then keep none of them")
    _add_owner(carry)
    carry.set_defaults(command=_migrate)
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
    async with (
        owner_dsn(place, owner) as dsn,
        advisory_lock(dsn, ACCOUNT_LOCK),
        open_pool(dsn, application_name=NAME, max_size=1) as pool,
    ):
        steps = await (rehearse(pool) if dry else migrate(pool))
        if not dry:
            async with transaction(pool) as connection:
                await grant_again(connection)
    if not steps:
        print("the tables are those of this recio: there is nothing to do")
    for step in steps:
        print(f"{'would take' if dry else 'took'} step {step.version}: {step.name.replace('_', ' ')}")
    if dry and steps:
        print("recio: every step was tried and none was kept", file=sys.stderr)
    return ExitCode.OK


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
    async with dsn_in_use(place.data_dir, place.dsn) as dsn:
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
