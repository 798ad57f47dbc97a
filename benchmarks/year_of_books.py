"""What a year of trading costs: start, order, reports, audit and backup on an empty database and on one of a year, side by side.

`python -m benchmarks.year_of_books` prints a table; a year is 200 orders a day and four audit rows for each.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import anyio
import asyncpg

from benchmarks.database import fresh
from recio.db import audit_trail, general_ledger, identity
from recio.db.backups import Kind, take
from recio.db.client_programs import Client
from recio.db.connection import transaction
from recio.db.embedded import EmbeddedServer, start_embedded, stop_embedded
from recio.db.limits import put_in_force
from recio.db.pool import open_pool
from recio.db.restores import proven, restored
from recio.db.trade_store import Placed, Writer, place_entry
from recio.rules.account.risk import Approved, Collar
from recio.settings.risk import RiskSection
from recio.units import Money, Price
from tests.db.test_limits_of_the_database import an_intent

ORDERS = 200 * 365
AUDIT_ROWS = 4 * ORDERS
CONFIG = 'mode = "live"\n[kalshi]\nenvironment = "demo"\nkey_id = "k"\nkey_path = "gone.pem"\n[database]\ndsn = "{dsn}"\n'
ENTRIES = 200


async def _start(dsn: str) -> dict[str, float]:
    """What a start has to prove: the first time whole, then from its checkpoint."""
    taken: dict[str, float] = {}
    async with open_pool(dsn, application_name="bench") as pool:
        for name in ("proof at a start, whole", "proof at a start, from its checkpoint"):
            begun = time.monotonic()
            async with transaction(pool) as connection:
                await general_ledger.prove(connection)
                await audit_trail.keep_checkpoint(connection)
            taken[name] = time.monotonic() - begun
    return taken


async def _entries(dsn: str) -> dict[str, float]:
    """The middle of so many entries, each one statement and one commit."""
    section = RiskSection(
        max_open_trades=10_000,
        max_consecutive_losses=1_000_000,
        max_orders_per_minute=10_000,
        max_entries_per_event=10_000,
    )
    times: list[float] = []
    async with open_pool(dsn, application_name="bench") as pool, pool.acquire() as connection:
        mine = await identity.claim(connection, "live", "demo", "account")
        fencing = await identity.begin_run(connection)
        limits = (await put_in_force(connection, fencing, section)).limits
        writer = Writer(tag=mine.tag, fencing=fencing)
        later = datetime.now(UTC) + timedelta(days=800)  # the past is spread around now
        for number in range(ENTRIES):
            intent = an_intent(number, event=f"E{number}", contracts=1, limit=100)
            approved = Approved(
                intent=intent,
                reserved=Money(10_000),
                collar=Collar(ask=Price(100), model_value=Decimal("0.01")),
            )
            begun = time.monotonic()
            answer = await place_entry(connection, writer, approved, later, timedelta(seconds=2))
            times.append(time.monotonic() - begun)
            assert isinstance(answer, Placed), (answer, limits)
    return {"an entry, committed (middle of 200)": sorted(times)[len(times) // 2]}


def _commands(folder: Path, dsn: str) -> dict[str, float]:
    (folder / "recio.toml").write_text(CONFIG.format(dsn=dsn), encoding="utf-8")
    taken: dict[str, float] = {}
    for command in ("report", "trades", "lots", "audit --verify", "db size"):
        begun = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "recio", *command.split()],
            cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=600, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr.decode()
        taken[f"recio {command}"] = time.monotonic() - begun
    return taken


async def _backup(server: EmbeddedServer, folder: Path, dsn: str) -> dict[str, float]:
    client = Client(dsn=dsn, programs=server.place.binaries / "bin")
    begun = time.monotonic()
    made = await take(client, folder / "backups", Kind.DUMP, datetime.now(UTC))
    dumped = time.monotonic()
    async with restored(made, None, folder / "again") as (_, again):
        await proven(again)
        proven_at = time.monotonic()
    return {"a dump": dumped - begun, "restored from it and proven": proven_at - dumped}


async def _megabytes(dsn: str) -> float:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval("SELECT pg_database_size(current_database())") / 1e6
    finally:
        await connection.close()


async def _measure(server: EmbeddedServer, root: Path, name: str, orders: int) -> dict[str, float]:
    folder = root / f"{name}-files"
    await anyio.Path(folder).mkdir()
    await anyio.Path(folder).chmod(0o711)
    dsn = await fresh(server, name, orders=orders, audit_rows=4 * orders)
    found = {"size, MB": await _megabytes(dsn)}
    found |= await _start(dsn)
    found |= await _entries(dsn)
    found |= await anyio.to_thread.run_sync(_commands, folder, dsn)
    return found | await _backup(server, folder, dsn)


async def main(say: Callable[[str], object]) -> None:
    root = Path(tempfile.mkdtemp(prefix="recio-year-"))
    root.chmod(0o711)
    server = await start_embedded(root / "data")
    try:
        empty = await _measure(server, root, "empty", 0)
        year = await _measure(server, root, "year", ORDERS)
    finally:
        await stop_embedded(server)
        shutil.rmtree(root, ignore_errors=True)
    say("| what | empty | a year |\n|---|---|---|\n")
    for name in empty:
        unit, scale = ("", 1) if "MB" in name else (" ms", 1000)
        say(f"| {name} | {empty[name] * scale:,.1f}{unit} | {year[name] * scale:,.1f}{unit} |\n")


if __name__ == "__main__":
    anyio.run(main, sys.stdout.write)
