"""`recio doctor` counts whether the server has enough connections for every daemon on it, whatever role asks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from recio.commands.examine_machine import database
from recio.commands.finding import Finding, Grade
from recio.daemon.database import ACCOUNT_LOCK
from recio.db.pool import advisory_lock
from recio.settings.config import parse
from tests.db.other_servers import Server, programs, server

OLDEST = 15


@asynccontextmanager
async def two_accounts(slots: int) -> AsyncIterator[tuple[Server, asyncpg.Connection[asyncpg.Record]]]:
    """A server with so many connections, three of them a superuser's, and its superuser at work in a database of no daemon."""
    with server(programs(OLDEST), [f"max_connections={slots}"]) as found:
        boss = await asyncpg.connect(found.dsn())
        try:
            for name in ("one", "two"):
                await boss.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'secret'")
                await boss.execute(f"CREATE DATABASE {name} OWNER {name}")
            yield found, boss
        finally:
            await boss.close()


async def told(found: Server, folder: Path) -> Finding:
    """What the first account's doctor says."""
    settings = {
        "mode": "live",
        "data_dir": str(folder / "data"),
        "database": {"dsn": found.dsn("one", "one")},
        "kalshi": {"environment": "demo", "key_id": "a1", "key_path": "kalshi.pem"},
    }
    said = [each async for each in database(parse(settings, "a test"))]
    return next((each for each in said if each.name == "connections"), said[0])


async def test_a_daemon_of_another_role_takes_its_share_and_sessions_of_others_theirs(tmp_path: Path):
    async with two_accounts(slots=27) as (found, _):
        alone = await told(found, tmp_path)
        async with advisory_lock(found.dsn("two", "two"), ACCOUNT_LOCK):
            beside = await told(found, tmp_path)
    assert alone.grade is Grade.GOOD
    assert "24 for 1 daemon, 1 are taken by others" in alone.says
    assert (
        beside.grade is Grade.NOTE
    )  # 23 are eleven for each: eight of the daemon, and three of the four for commands
    assert "24 for 2 daemons, 1 are taken by others" in beside.says


async def test_a_server_on_which_a_daemon_may_find_none_is_bad(tmp_path: Path):
    async with two_accounts(slots=19) as (found, _), advisory_lock(found.dsn("two", "two"), ACCOUNT_LOCK):
        said = await told(found, tmp_path)
    assert said.grade is Grade.BAD
    assert "max_connections" in said.do


@pytest.mark.parametrize("what", ["ROLE one", "DATABASE one"])
async def test_what_the_role_or_the_database_may_have_counts_as_well(what: str, tmp_path: Path):
    async with two_accounts(slots=40) as (found, boss):
        assert (await told(found, tmp_path)).grade is Grade.GOOD
        await boss.execute(f"ALTER {what} CONNECTION LIMIT 7")
        said = await told(found, tmp_path)
    assert said.grade is Grade.BAD
    assert "may have 7" in said.says


async def test_a_server_that_has_none_left_is_told_with_what_to_look_at(tmp_path: Path):
    async with two_accounts(slots=5) as (found, _):
        last = await asyncpg.connect(
            found.dsn("two", "two")
        )  # beside the superuser's one and three that are kept for it
        try:
            said = await told(found, tmp_path)
        finally:
            await last.close()
    assert (said.name, said.grade) == ("database", Grade.BAD)
    assert "TooManyConnections" in said.says
    assert "max_connections" in said.do
