"""Fixtures that need the real thing: one embedded PostgreSQL for the run, a fresh database for each test."""

from __future__ import annotations

import itertools
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import anyio
import asyncpg
import pytest

from recio.db.connection import transaction
from recio.db.embedded import EmbeddedServer, start_embedded, stop_embedded
from recio.db.pool import open_pool
from recio.db.schema import ensure_schema

TEMPLATE = "recio_template"
WAITING = frozenset({"stories", "faults", "droplet", "web"})
"""Folders whose tests run processes and wait for them."""
_numbers = itertools.count(1)


def unused_port() -> int:
    """A port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What mostly waits begins first, so that no worker is left alone with it at the end."""
    items.sort(key=lambda item: not WAITING.intersection(item.path.parts))


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedServer]:
    """The embedded server, with a template database that carries the present schema."""
    # Not pytest's own folder: the server's account must be able to enter when the tests run as root.
    root = Path(tempfile.mkdtemp(prefix="recio-tests-"))
    root.chmod(0o711)
    server = anyio.run(_with_template, root)
    yield server
    anyio.run(stop_embedded, server)
    shutil.rmtree(root, ignore_errors=True)


async def _with_template(root: Path) -> EmbeddedServer:
    server = await start_embedded(root)
    connection = await asyncpg.connect(server.dsn("postgres"))
    # These databases live for one test. What must survive a lost machine is tried on servers of its own.
    for setting in ("fsync", "full_page_writes"):
        await connection.execute(f"ALTER SYSTEM SET {setting} = off")
    await connection.execute("SELECT pg_reload_conf()")
    await connection.close()
    dsn = await server.ensure_database(TEMPLATE)
    async with open_pool(dsn, application_name="template") as pool, transaction(pool) as connection:
        await ensure_schema(connection)
    return server


@pytest.fixture
async def database_dsn(postgres: EmbeddedServer) -> AsyncIterator[str]:
    """A database of this test's own."""
    name = f"test_{next(_numbers)}"
    connection = await asyncpg.connect(postgres.dsn("postgres"))
    await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE {TEMPLATE} STRATEGY FILE_COPY')
    yield postgres.dsn(name)
    await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    await connection.close()


@pytest.fixture
async def pool(database_dsn: str) -> AsyncIterator[asyncpg.Pool[asyncpg.Record]]:
    async with open_pool(database_dsn, application_name="test") as opened:
        yield opened
