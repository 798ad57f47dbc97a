"""The rows of a daemon's database for one command, beside the daemon or without it; it changes no schema."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import asyncpg

from recio.db.connection import Connection, transaction
from recio.db.pool import open_pool
from recio.errors import BadConfig


@asynccontextmanager
async def rows_of(dsn: str, application_name: str) -> AsyncGenerator[Connection]:
    """A transaction on a database that recio has used."""
    try:
        async with (
            open_pool(dsn, application_name=application_name) as pool,
            transaction(pool) as connection,
        ):
            yield connection
    except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError) as error:
        raise BadConfig(
            "this database was never used, or is of another version of recio: nothing was changed;"
            " the daemon of this version makes or carries over its tables when it starts"
        ) from error
