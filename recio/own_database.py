"""The database that a config names, opened for one command beside the daemon or without it; it changes no schema."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from recio.daemon import data_dir
from recio.daemon.startup import DEMO_DATABASES
from recio.daemon.venue import read_credentials
from recio.db.connection import Connection, transaction
from recio.db.embedded import embedded_server
from recio.db.pool import open_pool
from recio.errors import BadConfig
from recio.settings.config import Config


@asynccontextmanager
async def database_dsn(config: Config) -> AsyncGenerator[str]:
    dsn = config.database.dsn.get_secret_value()
    if dsn:
        yield dsn
        return
    root = data_dir.claim(config)
    async with embedded_server(root) as server:
        yield server.dsn(_database(root))


def _database(root: Path) -> str:
    """The demo keeps one database for each exchange it ever started; every other mode has one."""
    exchange = root / "exchange"
    if not (exchange / "credentials.json").exists():
        return "recio"
    return f"{DEMO_DATABASES}{read_credentials(exchange).instance[:8]}"


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
            "this database has never been used by this version of recio: start the daemon on it once"
        ) from error
