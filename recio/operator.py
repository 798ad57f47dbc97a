"""What an operator does from the command line to a daemon's rows; today: clear halts."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from recio import data_dir
from recio.config import Config
from recio.db import halts
from recio.db.connection import transaction
from recio.db.embedded import embedded_server
from recio.db.pool import open_pool


async def resume(config: Config, by: str) -> list[str]:
    """Clear every halt of the daemon's database; returns their causes. Works while the daemon runs."""
    dsn = config.database.dsn.get_secret_value()
    if dsn:
        return await _clear(dsn, by)
    root: Path = data_dir.claim(config)
    async with embedded_server(root) as server:
        return await _clear(await server.ensure_database("recio"), by)


async def _clear(dsn: str, by: str) -> list[str]:
    async with open_pool(dsn, application_name="recio resume") as pool, transaction(pool) as connection:
        return await halts.clear_all(connection, datetime.now(UTC), by)
