"""Which database a daemon and its commands use: the config's own, or the embedded server's; it changes no row."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from recio.daemon import data_dir
from recio.daemon.venue import read_credentials
from recio.db.embedded import EmbeddedServer, embedded_server
from recio.settings.config import Config

DATABASE = "recio"
DEMO_DATABASES = "recio_demo_"


def demo_database(instance: str) -> str:
    """The demo keeps one database for each exchange it ever started."""
    return f"{DEMO_DATABASES}{instance[:8]}"


def _database_in_use(root: Path) -> str:
    """The name of the database that a daemon of this data directory uses."""
    exchange = root / "exchange"
    if not (exchange / "credentials.json").exists():
        return DATABASE
    return demo_database(read_credentials(exchange).instance)


@asynccontextmanager
async def dsn_of(
    config: Config,
    database: str | None = None,
    prepare: Callable[[EmbeddedServer], Awaitable[None]] | None = None,
) -> AsyncGenerator[str]:
    """The DSN of the config; without one, that of the embedded server, which runs as long as this does.

    `database` is its name there; None: the one that a daemon of this data directory uses.
    """
    dsn = config.database.dsn.get_secret_value()
    if dsn:
        yield dsn
        return
    root = data_dir.claim(config)
    async with embedded_server(root) as server:
        if prepare is not None:
            await prepare(server)
        yield server.dsn(database or _database_in_use(root))
