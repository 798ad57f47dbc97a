"""Writes docs/schema.md from the comments of a database that has the present schema; `make schema-page` runs it."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import anyio
import asyncpg

from recio.db.connection import Connection
from recio.db.embedded import embedded_server
from recio.db.schema import ensure_schema

PAGE = Path(__file__).parents[1] / "docs" / "schema.md"
_HEAD = """# Tables

Made by `make schema-page` from the comments in `schema.sql`; a test compares them. Money is in dollars, time in UTC. Constraints,
triggers and functions stand in [schema.sql](../schema.sql).

The first word of each table is its one writer: a task of `recio/tasks`, `app` (the daemon's start), or a command.
"""
_TABLES = """
    SELECT c.oid, c.relname AS name, obj_description(c.oid, 'pg_class') AS says FROM pg_class AS c
    WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace ORDER BY c.relname
"""
_COLUMNS = """
    SELECT attname AS name, format_type(atttypid, atttypmod) AS kind, NOT attnotnull AS may_be_null,
        col_description(attrelid, attnum) AS says
    FROM pg_attribute WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""
_SHORT = {"timestamp with time zone": "timestamptz", "double precision": "double"}


async def page_of(connection: Connection) -> str:
    """The page; a table or column without a comment shows as None, which the test refuses."""
    parts = [_HEAD]
    for table in await connection.fetch(_TABLES):
        parts.append(f"\n## {table['name']}\n\n{table['says']}\n\n| column | type | |\n|---|---|---|\n")
        for column in await connection.fetch(_COLUMNS, table["oid"]):
            kind = column["kind"]
            for long, short in _SHORT.items():
                kind = kind.replace(long, short)
            null = ", or NULL" if column["may_be_null"] else ""
            parts.append(f"| `{column['name']}` | {kind}{null} | {column['says']} |\n")
    return "".join(parts)


async def _made() -> str:
    root = Path(tempfile.mkdtemp(prefix="recio-page-"))
    root.chmod(0o711)
    try:
        async with embedded_server(root) as server:
            connection = await asyncpg.connect(await server.ensure_database("page"))
            try:
                async with connection.transaction():
                    await ensure_schema(connection)
                return await page_of(connection)
            finally:
                await connection.close()
    finally:
        shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    PAGE.write_text(anyio.run(_made), encoding="utf-8")
