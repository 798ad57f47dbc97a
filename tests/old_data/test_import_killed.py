"""That an import which is killed leaves what was there, wherever it was, and that the next one gives the same as if nothing had happened."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import asyncpg
import pytest

from recio.daemon.data_dir import claim
from recio.db.embedded import DATABASE, embedded_server
from recio.settings.config import load
from tests.old_data import old_system as old
from tests.old_data.test_import import ITS_ORDERS, ROUND_TRIP, config_file, imported

WAITS = """
    SELECT pid FROM pg_locks WHERE relation = $1::regclass AND NOT granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
GOES_ON = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1)"


def source(folder: Path) -> Path:
    old.recio_folder(
        folder,
        fills=ROUND_TRIP,
        orders=ITS_ORDERS,
        settlements=[old.settlement("yes", 100, 96.4, 0.0)],
        trades=[old.trade(1, "yes", 100, 0.96)],
    )
    old.prices(folder / "btc_price_history.db", [(f"2025-08-20T13:00:{each:02}", 1.5) for each in range(60)])
    return folder


async def rows(connection: asyncpg.Connection[Any]) -> dict[str, list[str]]:
    return {
        each: [str(tuple(row)) for row in await connection.fetch(f"SELECT * FROM {each} ORDER BY 1, 2, 3")]
        for each in (*old.ROWS_OF_AN_IMPORT, "imported_sources")
    }


async def until(connection: asyncpg.Connection[Any], query: str, wanted: bool, argument: object) -> Any:
    with anyio.fail_after(60):
        while True:
            found = await connection.fetchval(query, argument)
            if bool(found) is wanted:
                return found
            await anyio.sleep(0.02)


@pytest.mark.parametrize(
    "table", ["imported_prices", "imported_fills", "imported_trades", "imported_sources"]
)
async def test_an_import_killed_at_any_table_leaves_nothing_and_the_next_gives_the_same(
    tmp_path: Path, database_dsn: str, table: str
):
    config = config_file(tmp_path, database_dsn)
    given = [str(source(tmp_path / "old")), "--mode", "prod", "--config", str(config)]
    holder, watcher = await asyncpg.connect(database_dsn), await asyncpg.connect(database_dsn)
    try:
        before = await rows(watcher)
        async with holder.transaction():
            # Whoever writes to it waits; reading it is let through.
            await holder.execute(f"LOCK {table} IN EXCLUSIVE MODE")
            running = subprocess.Popen([sys.executable, "-m", "recio", "import", *given])
            pid = await until(watcher, WAITS, True, table)
            running.kill()
            running.wait(30)
        await until(watcher, GOES_ON, False, pid)
        assert await rows(watcher) == before
        report = await anyio.to_thread.run_sync(lambda: imported(given[0], options=("--config", str(config))))
        assert report["imported"] == {"fills": 3, "orders": 2, "settlements": 1, "trades": 1, "prices": 60}
        assert all((await rows(watcher)).values())
    finally:
        await holder.close()
        await watcher.close()


async def test_an_import_killed_before_there_was_a_database_can_be_run_again(tmp_path: Path):
    """The data directory and its server were there, and no database in it."""
    config = config_file(tmp_path)
    tmp_path.chmod(0o711)
    given = [str(source(tmp_path / "old")), "--mode", "prod", "--config", str(config)]
    claim(load(config))
    async with embedded_server(tmp_path / "data") as server:
        assert not await server.has_database(DATABASE)
    command = [sys.executable, "-m", "recio", "import", *given]
    done = await anyio.to_thread.run_sync(
        lambda: subprocess.run(command, capture_output=True, text=True, check=False)
    )
    assert done.returncode == 0, done.stderr


AWAITS = "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid = $1)"
ALONE = 7237111
"""The lock of an import that writes."""


async def test_an_import_that_passed_by_what_another_changed_meanwhile_keeps_nothing_and_says_so(
    tmp_path: Path, database_dsn: str
):
    folder = source(tmp_path / "old")
    config = config_file(tmp_path, database_dsn)
    options = ("--config", str(config))
    await anyio.to_thread.run_sync(lambda: imported(folder, options=options))
    old.prices_add(folder / "btc_price_history.db", [("2025-08-20T13:05:00", 1.5)])
    given = [str(folder), "--mode", "prod", *options]
    holder = await asyncpg.connect(database_dsn)
    try:
        async with holder.transaction():
            await holder.execute("SELECT pg_advisory_xact_lock($1)", ALONE)
            running = subprocess.Popen(
                [sys.executable, "-m", "recio", "import", *given], stderr=subprocess.PIPE, text=True
            )
            await until(holder, AWAITS, True, ALONE)
            await holder.execute("UPDATE imported_sources SET rows = rows + 1")
            before = await rows(holder)
        said = await anyio.to_thread.run_sync(lambda: running.communicate(timeout=60)[1])
        assert running.returncode == 75, said
        assert "another import wrote while this one read" in said
        assert await rows(holder) == before
    finally:
        await holder.close()
