"""Copies the tables of the old system out of its running PostgreSQL, in one read-only snapshot; it changes nothing there."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg

from recio.old_data import csv_files
from recio.old_data.layouts import Kind, Unusable, layout_of
from recio.old_data.tables import ENGINE, BrokenSource, OldTable

CONNECT_LIMIT = 10.0
COPY_LIMIT = 3600.0
_COLUMNS = """
    SELECT table_schema, table_name, column_name, data_type FROM information_schema.columns
    WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY table_schema, table_name, ordinal_position
"""
_FOREIGN = re.compile(r"[^\w.]")


def shown(dsn: str) -> str:
    """The address without user and password."""
    parts = urlsplit(dsn)
    return f"{parts.scheme}://{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path}"


async def fetched(dsn: str, folder: Path) -> list[OldTable]:
    """The tables that are imported, as CSV under `folder`. Raises BrokenSource with what to do."""
    try:
        connection = await asyncpg.connect(dsn, timeout=CONNECT_LIMIT, server_settings={"timezone": "UTC"})
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise BrokenSource(
            f"no connection ({type(error).__name__}): check host, port, database, user and password, and that it runs"
        ) from error
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            return await _copies(connection, dsn, folder)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise BrokenSource(f"it broke off ({type(error).__name__}: {error}): import again") from error
    finally:
        connection.terminate()


async def _copies(connection: asyncpg.Connection[asyncpg.Record], dsn: str, folder: Path) -> list[OldTable]:
    declared: dict[tuple[str, str], dict[str, str]] = {}
    for row in await connection.fetch(_COLUMNS):
        declared.setdefault((row["table_schema"], row["table_name"]), {})[row["column_name"]] = row[
            "data_type"
        ]
    found: list[OldTable] = []
    for (schema, table), columns in declared.items():
        name = f"{schema}.{table}".removeprefix("public.")
        typed = {each.lower(): kind for each, kind in columns.items()} | {ENGINE: "postgresql"}
        layout = layout_of(name, typed)
        if layout is None or _FOREIGN.search(name):
            continue
        file = folder / f"{len(found)}.csv"
        if isinstance(layout, Unusable) or layout.kind is Kind.LEFT:
            file.write_text(",".join(columns) + "\n", encoding="utf-8")
        else:
            await connection.copy_from_table(
                table, schema_name=schema, output=file, format="csv", header=True, timeout=COPY_LIMIT
            )
        found.append(replace(csv_files.table_of(file, None, name, shown(dsn)), columns=typed))
    return found
