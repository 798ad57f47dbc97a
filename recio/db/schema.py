"""Makes recio's tables in an empty database and carries an older one over, step by step; never backwards, never half a step.

A step is one file of recio/db/migrations, NNNN_its_name.sql, numbered without gaps. It is whole in itself: schema.sql, which
an empty database gets instead, is what all steps lead to, and a test compares the catalogs of both ways.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

import asyncpg

from recio.db.connection import Connection, transaction
from recio.errors import BadConfig, ExitCode, Fatal

_NAMED = re.compile(r"(\d{4})_(\w+)\.sql")
_TABLE = """
    CREATE TABLE schema_migrations (
        version integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now());
    COMMENT ON TABLE schema_migrations IS 'Writer: recio/db/schema.py. The steps that this database has taken.';
    COMMENT ON COLUMN schema_migrations.version IS 'Number of the file in recio/db/migrations.';
    COMMENT ON COLUMN schema_migrations.name IS 'The rest of that file''s name.';
    COMMENT ON COLUMN schema_migrations.applied_at IS 'UTC, by the database''s clock.';
"""
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename"
_TAKEN = "SELECT version, name FROM schema_migrations ORDER BY version"
_RECORD = "INSERT INTO schema_migrations (version, name) VALUES ($1, $2)"
_ALONE = "SELECT pg_advisory_xact_lock($1)"
_PATIENCE = "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '10s'"
BEFORE_THE_FIRST = "schema_version"
"""The table in which databases from before the first version counted; none of them is carried over."""
MIGRATION_LOCK = 0x7265_636D
STEP_LIMIT = 3600.0
"""Host seconds that one step may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """The step from `version` - 1 to `version`."""

    version: int
    name: str
    sql: str


@cache
def migrations() -> tuple[Migration, ...]:
    """Every step, ascending from 1. Raises ValueError for a file that is named otherwise, or a gap."""
    found: list[Migration] = []
    for file in sorted(files("recio.db").joinpath("migrations").iterdir(), key=lambda each: each.name):
        named = _NAMED.fullmatch(file.name)
        if named is None:
            raise ValueError(f"{file.name} in recio/db/migrations is not named NNNN_its_name.sql")
        sql = file.read_text(encoding="utf-8")
        found.append(Migration(version=int(named[1]), name=named[2], sql=sql))
    if [each.version for each in found] != list(range(1, len(found) + 1)):
        raise ValueError("the numbers of recio/db/migrations have a gap, or one twice")
    return tuple(found)


def schema_text() -> str:
    """schema.sql, from the installed package or the source tree."""
    packaged = files("recio").joinpath("schema.sql")
    if packaged.is_file():
        return packaged.read_text(encoding="utf-8")
    return (Path(__file__).parents[2] / "schema.sql").read_text(encoding="utf-8")


async def ensure_schema(connection: Connection, steps: Sequence[Migration] | None = None) -> bool:
    """Inside the caller's transaction: an empty database gets the present schema; whether it did.

    Raises BadConfig, with the command that helps, for a database that is not at the present version.
    """
    wanted = migrations() if steps is None else steps
    await connection.execute(_ALONE, MIGRATION_LOCK)
    taken = await version_of(connection, wanted)
    if taken is None:
        await _make(connection, wanted)
        return True
    if taken < len(wanted):
        raise BadConfig(
            f"the database has schema version {taken}, this recio needs {len(wanted)}: stop the daemon, take a backup,"
            " then `recio db migrate` (`recio db migrate --dry-run` first tries it and keeps nothing)"
        )
    return False


async def version_of(connection: Connection, steps: Sequence[Migration] | None = None) -> int | None:
    """The newest step that the database has taken; None for an empty one.

    Raises BadConfig for a database of another program, a newer one, and one with another history.
    """
    wanted = migrations() if steps is None else steps
    names: list[str] = [row["tablename"] for row in await connection.fetch(_TABLES)]
    if not names:
        return None
    if "schema_migrations" not in names:
        raise _of_another_program(names)
    taken = [(row["version"], row["name"]) for row in await connection.fetch(_TAKEN)]
    if len(taken) > len(wanted):
        raise BadConfig(
            f"the database has schema version {len(taken)}, this recio knows {len(wanted)}, and no schema goes back: install"
            " the newer recio with its `deploy/install.sh`, or restore a backup from before it was migrated"
        )
    for (version, name), step in zip(taken, wanted, strict=False):
        if (version, name) != (step.version, step.name):
            raise BadConfig(
                f"step {version} of the database was {name!r}, here it is {step.name!r}: this database was made by another"
                " line of recio; use that one, or give this one a database of its own"
            )
    return len(taken)


def _of_another_program(names: Sequence[str]) -> BadConfig:
    """A table of another program with one of our names would pass for ours."""
    if BEFORE_THE_FIRST in names:
        return BadConfig(
            "the database was made by a recio from before its first version, and none carries it over: name another"
            " data_dir or database.dsn and keep this one aside; `recio demo` makes a new one by itself"
        )
    return BadConfig(
        f"the database holds tables that recio did not make ({', '.join(names[:3])}"
        f"{', ...' if len(names) > 3 else ''}): give recio a database of its own"
    )


async def _make(connection: Connection, steps: Sequence[Migration]) -> None:
    try:
        await connection.execute(_TABLE)
        await connection.execute(schema_text())
    except asyncpg.InsufficientPrivilegeError as error:
        raise BadConfig(
            f"the database is empty and this user may make no tables in it ({error}): its owner makes them with"
            " `recio db migrate --owner FILE`, FILE holding the owner's DSN"
        ) from error
    for step in steps:
        await connection.execute(_RECORD, step.version, step.name)


async def missing(connection: Connection, steps: Sequence[Migration] | None = None) -> list[Migration]:
    """The steps that the database has yet to take; all of them for an empty one. Raises BadConfig as version_of does."""
    wanted = migrations() if steps is None else steps
    return list(wanted[await version_of(connection, wanted) or 0 :])


async def take(connection: Connection, step: Migration) -> bool:
    """One step inside the caller's transaction; False if another has taken it meanwhile.

    Raises Fatal where somebody holds a table for longer than ten seconds, or the user is not the tables' owner.
    """
    await connection.execute(_ALONE, MIGRATION_LOCK)
    await connection.execute(_PATIENCE)
    if step.version == 1 and not await connection.fetch(_TABLES):
        await connection.execute(_TABLE)
    if await connection.fetchval("SELECT count(*) FROM schema_migrations") >= step.version:
        return False
    try:
        await connection.execute(step.sql, timeout=STEP_LIMIT)
    except asyncpg.LockNotAvailableError as error:
        raise Fatal(
            f"step {step.version} ({step.name}) waits for a table that another session holds: end that session"
            " (pg_stat_activity shows it), then run this again; the steps before are kept",
            ExitCode.TEMPORARY,
        ) from error
    except asyncpg.InsufficientPrivilegeError as error:
        raise BadConfig(
            f"step {step.version} ({step.name}) needs the owner of the tables ({error}):"
            " `recio db migrate --owner FILE`, FILE holding the owner's DSN"
        ) from error
    await connection.execute(_RECORD, step.version, step.name)
    return True


async def migrate(
    pool: asyncpg.Pool[asyncpg.Record], steps: Sequence[Migration] | None = None
) -> list[Migration]:
    """Each missing step in a transaction of its own, so that one that fails or is killed leaves those before it.

    An empty database gets the present schema in one. Returns what this call took.
    """
    wanted = migrations() if steps is None else steps
    async with transaction(pool) as connection:
        await connection.execute(_ALONE, MIGRATION_LOCK)
        if await version_of(connection, wanted) is None:
            await _make(connection, wanted)
            return list(wanted)
        todo = await missing(connection, wanted)
    done: list[Migration] = []
    for step in todo:
        async with transaction(pool) as connection:
            if await take(connection, step):
                done.append(step)
    return done


async def rehearse(
    pool: asyncpg.Pool[asyncpg.Record], steps: Sequence[Migration] | None = None
) -> list[Migration]:
    """All missing steps in one transaction that is rolled back: what would be taken, or the fault that it would meet."""
    async with transaction(pool) as connection:
        trial = connection.transaction()
        await trial.start()
        try:
            todo = await missing(connection, steps)
            for step in todo:
                await take(connection, step)
        finally:
            await trial.rollback()  # noqa: ASYNC102 - bounded and shielded by what it stands in
    return todo
