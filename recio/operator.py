"""What an operator does from the command line to a daemon's rows; set a halt, clear them all."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import asyncpg

from recio import data_dir
from recio.app import DEMO_DATABASES
from recio.config import Config
from recio.db import halts
from recio.db.connection import transaction
from recio.db.embedded import embedded_server
from recio.db.pool import open_pool
from recio.errors import BadConfig
from recio.messages import Halt
from recio.venue import read_credentials

WAY_OUT = "recio resume --by NAME"
SEEN_WITHIN = 3.0
"""Host seconds that a running daemon gets to show the halt before it is called unseen."""
LOOK_EVERY = 0.1


async def resume(config: Config, by: str) -> list[str]:
    """Clear every halt of the daemon's database; returns their causes. Works while the daemon runs."""
    async with _database_dsn(config) as dsn:
        return await _clear(dsn, by)


async def halt(config: Config, why: str, by: str) -> str:
    """Commit a halt, then say whether a daemon shows that it stopped; the row holds either way."""
    cause = f"halted by hand: {why}" if why else "halted by hand"
    async with _database_dsn(config) as dsn:
        is_new = await _set(dsn, Halt(cause=cause, since=datetime.now(UTC), by=by, way_out=WAY_OUT))
        said = await _what_the_daemon_did(config.status.port, cause)
    return f"{cause if is_new else f'{cause} (already)'}\n{said}\nway out: {WAY_OUT}"


async def _what_the_daemon_did(port: int, cause: str) -> str:
    began = anyio.current_time()
    url = f"http://127.0.0.1:{port}/status"
    timeout = aiohttp.ClientTimeout(total=SEEN_WITHIN)
    answered = False
    async with aiohttp.ClientSession(timeout=timeout) as session:
        while (passed := anyio.current_time() - began) < SEEN_WITHIN:
            causes = await _halts_shown(session, url)
            if causes is not None and cause in causes:
                return f"the daemon stopped new orders (seen after {passed:.2f} s)"
            if causes is None and not answered:
                break
            answered = True
            await anyio.sleep(LOOK_EVERY)
    if answered:
        return f"the daemon at {url} does not show the halt after {SEEN_WITHIN:g} s: look at its log"
    return f"no daemon answers at {url}: the halt is in the database and holds when one starts on it"


async def _halts_shown(session: aiohttp.ClientSession, url: str) -> list[str] | None:
    """The causes on the status page; None if nothing of ours answers there."""
    try:
        async with session.get(url) as answer:
            shown: dict[str, Any] = await answer.json()
            return [each["cause"] for each in shown["halts"]]
    except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError):
        return None


@asynccontextmanager
async def _database_dsn(config: Config) -> AsyncGenerator[str]:
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


async def _clear(dsn: str, by: str) -> list[str]:
    try:
        async with open_pool(dsn, application_name="recio resume") as pool, transaction(pool) as connection:
            return await halts.clear_all(connection, datetime.now(UTC), by)
    except asyncpg.UndefinedTableError as error:
        raise BadConfig("this database has never been used by recio: there is nothing to resume") from error


async def _set(dsn: str, row: Halt) -> bool:
    try:
        async with open_pool(dsn, application_name="recio halt") as pool, transaction(pool) as connection:
            return await halts.set_halt(connection, row)
    except asyncpg.UndefinedTableError as error:
        raise BadConfig("this database has never been used by recio: there is nothing to halt") from error
