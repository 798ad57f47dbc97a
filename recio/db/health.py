"""Whether the database can do what is asked of it; reads only."""

from __future__ import annotations

from recio.db.connection import Connection

_READ_ONLY = "SELECT current_setting('transaction_read_only') = 'on'"


async def is_read_only(connection: Connection) -> bool:
    """By decree, or because it is the copy of another server."""
    return bool(await connection.fetchval(_READ_ONLY))
