"""What an operator does from the command line to a daemon's rows; today: clear halts."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import asyncpg

from recio import data_dir
from recio.app import DEMO_DATABASES
from recio.config import Config
from recio.db import halts
from recio.db.connection import transaction
from recio.db.embedded import embedded_server
from recio.db.pool import open_pool
from recio.errors import BadConfig
from recio.venue import read_credentials


async def resume(config: Config, by: str) -> list[str]:
    """Clear every halt of the daemon's database; returns their causes. Works while the daemon runs."""
    dsn = config.database.dsn.get_secret_value()
    if dsn:
        return await _clear(dsn, by)
    root = data_dir.claim(config)
    async with embedded_server(root) as server:
        return await _clear(server.dsn(_database(root)), by)


def _database(root: Path) -> str:
    """The demo keeps one database for each exchange it ever started; every other mode has one."""
    exchange = root / "exchange"
    if not (exchange / "credentials.json").exists():
        return "recio"
    return f"{DEMO_DATABASES}{read_credentials(exchange).instance[:8]}"


async def _clear(dsn: str, by: str) -> list[str]:
    try:
        async with open_pool(dsn, application_name="recio resume") as pool, transaction(pool) as connection:
            return await halts.clear_all(connection, datetime.now(UTC), by)
    except asyncpg.UndefinedTableError as error:
        raise BadConfig("this database has never been used by recio: there is nothing to resume") from error
