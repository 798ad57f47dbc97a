"""Copies the tables of the old system out of its running PostgreSQL, in one read-only snapshot; it changes nothing there."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import asyncpg

from recio.old_data import csv_files
from recio.old_data.layouts import Kind, Unusable, layout_of
from recio.old_data.tables import ENGINE, BrokenSource, OldTable

CONNECT_LIMIT = 10.0
COPY_LIMIT = 3600.0
LOCK_PATIENCE = "3s"
"""To wait for a table that somebody else holds."""
# Tables and no views, which only show the same again; a partitioned table stands for its parts.
_COLUMNS = """
    SELECT n.nspname AS table_schema, c.relname AS table_name, a.attname AS column_name, format_type(a.atttypid, NULL) AS data_type
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace JOIN pg_attribute AS a ON a.attrelid = c.oid
    WHERE c.relkind IN ('r', 'p', 'f') AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped
      AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
    ORDER BY n.nspname, c.relname, a.attnum
"""
ITS_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError)
Refused = tuple[str, str]
"""A table as told to the user, and why it cannot be read."""


def shown(dsn: str) -> str:
    """The address without user and password, or no more than its kind where it cannot be told what is the password."""
    scheme, mark, rest = dsn.partition("://")
    if not mark:
        return "a connection string"
    before, _, after = rest.rpartition("@")
    if "?" in before or "#" in before:
        return f"{scheme}://..."
    return f"{scheme}://{re.split('[?#]', after)[0]}"


async def fetched(dsn: str, folder: Path) -> tuple[list[OldTable], list[Refused]]:
    """The tables that are imported, as CSV under `folder`, and those that cannot be read. Raises BrokenSource with what to do."""
    scheme, _, rest = dsn.partition("://")
    if scheme.lower() not in ("postgresql", "postgres"):
        raise BrokenSource("it is no address of a PostgreSQL: give postgresql://USER:PASSWORD@HOST/DATABASE")
    settings = {"timezone": "UTC", "lock_timeout": LOCK_PATIENCE}
    try:
        connection = await asyncpg.connect(
            f"postgresql://{rest}", timeout=CONNECT_LIMIT, server_settings=settings
        )
    except (OSError, TimeoutError, ValueError, OverflowError, *ITS_ERRORS) as error:
        raise BrokenSource(
            f"no connection ({type(error).__name__}): check host, port, database, user and password, and that it runs;"
            " in a password / is written %2F, # %23, ? %3F and @ %40"
        ) from error
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            return await _copies(connection, dsn, folder)
    except (OSError, TimeoutError, *ITS_ERRORS) as error:
        raise BrokenSource(f"it broke off ({type(error).__name__}: {error}): import again") from error
    finally:
        connection.terminate()


async def _copies(
    connection: asyncpg.Connection[asyncpg.Record], dsn: str, folder: Path
) -> tuple[list[OldTable], list[Refused]]:
    declared: dict[tuple[str, str], dict[str, str]] = {}
    for row in await connection.fetch(_COLUMNS):
        declared.setdefault((row["table_schema"], row["table_name"]), {})[row["column_name"]] = row[
            "data_type"
        ]
    found: list[OldTable] = []
    refused: list[Refused] = []
    for (schema, table), columns in declared.items():
        name = f"{schema}.{table}".removeprefix("public.")
        typed = {each.lower(): kind for each, kind in columns.items()} | {ENGINE: "postgresql"}
        layout = layout_of(name.lower(), typed)
        if layout is None:
            continue
        file = folder / f"{len(found)}.csv"
        if isinstance(layout, Unusable) or layout.kind is Kind.LEFT:
            file.write_text(",".join(columns) + "\n", encoding="utf-8")
        else:
            try:
                await _copy(connection, schema, table, file)
            except asyncpg.PostgresError as error:
                refused.append((f"{shown(dsn)} ({name})", _reason_to_refuse(error)))
                continue
        found.append(replace(csv_files.table_of(file, None, name, shown(dsn)), columns=typed))
    return found, refused


async def _copy(connection: asyncpg.Connection[asyncpg.Record], schema: str, table: str, file: Path) -> None:
    """In a transaction within the snapshot's: a table that cannot be read must not end it."""
    quoted = ".".join('"' + each.replace('"', '""') + '"' for each in (schema, table))
    async with connection.transaction():
        await connection.copy_from_query(
            f"SELECT * FROM {quoted}", output=file, format="csv", header=True, timeout=COPY_LIMIT
        )


def _reason_to_refuse(error: asyncpg.PostgresError) -> str:
    if isinstance(error, asyncpg.LockNotAvailableError):
        return "it is locked: end the program that holds it, or wait, then import again"
    if isinstance(error, asyncpg.InsufficientPrivilegeError):
        return "this user may not read it: GRANT SELECT ON it, or connect as its owner, then import again"
    return f"it cannot be read ({error}): import again"
