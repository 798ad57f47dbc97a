"""Loads a dump into an empty database of another server, also of one that is a little older; it never changes a row of the dump."""

from __future__ import annotations

import re
from pathlib import Path

import asyncpg

from recio.db.client_programs import Client, run_client

RESTORE = ("--no-owner", "--no-privileges", "--exit-on-error")
NOTE = "pg_attver"
"""A server's own note about a column, not about its values: dumps of minor releases from the end of 2026 on (17.12) carry it,
and every server before them refuses it."""
_NOTED = re.compile(rf"^ALTER TABLE ONLY \S+ ALTER COLUMN \S+ SET \({NOTE}=\d+\);\n", re.MULTILINE)
_FOR_PSQL = re.compile(r"^\\(?:un)?restrict \S+\n", re.MULTILINE)


async def restore_dump(client: Client, dump: Path) -> None:
    """Whole or not at all counts as done. Raises Fatal with the program's words, or asyncpg's own error."""
    definitions = await run_client(
        client, "pg_restore", *RESTORE[:2], "--section=pre-data", "--file=-", str(dump), connects=False
    )
    if NOTE not in definitions:
        await run_client(client, "pg_restore", *RESTORE, str(dump))
        return
    connection = await asyncpg.connect(client.dsn, timeout=10)
    try:
        await connection.execute(understood(definitions))
    finally:
        connection.terminate()
    for section in ("data", "post-data"):
        await run_client(client, "pg_restore", *RESTORE, f"--section={section}", str(dump))


def understood(definitions: str) -> str:
    """The same definitions without that note, and without what speaks to psql alone."""
    return _FOR_PSQL.sub("", _NOTED.sub("", definitions))
