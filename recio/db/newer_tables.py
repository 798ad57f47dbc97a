"""Which steps a database may have taken that this recio can run on: its own, and newer ones that only added; it takes none.

The way back of an upgrade: a step named expand_... adds what an older recio neither reads nor writes, so that the older one runs
on. Any other newer step takes something away, and the older one refuses it.
"""

from __future__ import annotations

from recio.db.connection import Connection
from recio.db.schema import Migration, migrations

ADDS_ONLY = "expand_"
"""How the name of a step begins that only adds (docs/how-to/add-a-table.md)."""
_IS_THERE = """
    SELECT count(*) > 0 FROM pg_tables WHERE schemaname = current_schema() AND tablename = 'schema_migrations'
"""
_NEWER = "SELECT version, name FROM schema_migrations WHERE version > $1 ORDER BY version"


async def steps_to_run_on(connection: Connection) -> tuple[Migration, ...]:
    """Every step of this recio, then those newer ones of the database that only added, up to the first that did not."""
    own = migrations()
    if not await connection.fetchval(_IS_THERE):
        return own
    added: list[Migration] = []
    for row in await connection.fetch(_NEWER, len(own)):
        if not row["name"].startswith(ADDS_ONLY):
            break
        added.append(Migration(version=row["version"], name=row["name"], sql=""))
    return (*own, *added)
