"""Which database a daemon and its commands use: the config's own, or the embedded server's; it changes no row."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from recio.daemon import data_dir
from recio.daemon.venue import read_credentials
from recio.db.connection import Connection, is_held
from recio.db.embedded import DATABASE, EmbeddedServer, embedded_server
from recio.db.placement import has_cluster
from recio.db.pool import starting_faults
from recio.errors import BadConfig
from recio.settings.config import Config
from recio.settings.files import MARKER

DEMO_DATABASES = "recio_demo_"
ACCOUNT_LOCK = 0x7265_6369_6F
"""The key of the advisory lock that one daemon per database holds, from its start to its end."""


async def daemon_runs(connection: Connection) -> bool:
    """Whether a daemon drives the account of this database now."""
    return await is_held(connection, ACCOUNT_LOCK)


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
async def dsn_in_use(root: Path, dsn: str) -> AsyncGenerator[str]:
    """The DSN of a database that a daemon has used, for a command beside it; makes neither directory nor database.

    `dsn` is the config's own. An embedded server that stands still runs as long as this does. Raises BadConfig.
    """
    if dsn:
        yield dsn
        return
    refuse_unused(root)
    async with embedded_server(root, make=False) as server:
        name = _database_in_use(root)
        if not await server.has_database(name):
            raise BadConfig(
                f"{root} has no database {name} yet: no daemon has come so far; nothing was changed"
            )
        yield server.dsn(name)


def refuse_unmarked(root: Path) -> None:
    """Raises BadConfig for a directory that is no data directory of recio; one that cannot be looked into may be one."""
    try:
        if (root / MARKER).exists():
            return
    except PermissionError:
        return
    raise BadConfig(f"{root} is no data directory of recio (it has no {MARKER}); nothing was changed")


def refuse_unused(root: Path) -> None:
    """Raises BadConfig for a directory that is no data directory of recio or has no database, or that this user may not read."""
    try:
        refuse_unmarked(root)
        if not has_cluster(root):
            raise BadConfig(f"{root} has no database yet: no daemon has come so far; nothing was changed")
    except PermissionError as error:
        raise BadConfig(
            f"{error.filename} cannot be read by this user: run the command as the user that recio runs as, or as root"
        ) from error


@asynccontextmanager
async def dsn_of(
    config: Config,
    database: str | None = None,
    prepare: Callable[[EmbeddedServer], Awaitable[None]] | None = None,
) -> AsyncGenerator[str]:
    """The DSN of the config; without one, that of the embedded server, which is made if need be and runs as long as this does.

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
        # Whoever was killed while it was made left a server without it.
        with starting_faults():
            there = await server.ensure_database(database or _database_in_use(root))
        yield there
