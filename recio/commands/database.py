"""The rows of a daemon's database for one command, beside the daemon or without it; it changes no schema."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from traceback import walk_tb

import asyncpg

from recio.db.connection import Connection, transaction
from recio.db.pool import open_pool
from recio.errors import BadConfig, Transient


@contextmanager
def said_of_rows() -> Generator[None]:
    """The sentence for a database whose tables are not those of this version, and for output that fails among its rows."""
    try:
        yield
    except Transient as error:
        if isinstance(error.__cause__, OSError) and not _of_the_driver(error.__cause__):
            raise error.__cause__ from None
        raise
    except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError) as error:
        raise BadConfig(
            "this database has no tables of this version of recio: no row was changed;"
            " `recio db migrate` carries an older one over; an empty one gets its tables when the daemon starts"
        ) from error


def _of_the_driver(fault: OSError) -> bool:
    frames = (frame for frame, _ in walk_tb(fault.__traceback__))
    return any(str(frame.f_globals.get("__name__", "")).startswith("asyncpg") for frame in frames)


@asynccontextmanager
async def rows_of(dsn: str, application_name: str) -> AsyncGenerator[Connection]:
    """A transaction on a database that recio has used."""
    with said_of_rows():
        async with (
            open_pool(dsn, application_name=application_name) as pool,
            transaction(pool) as connection,
        ):
            yield connection
