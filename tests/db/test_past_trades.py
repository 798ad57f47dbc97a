"""`recio trades` and `recio report` tell what the rows hold, of each kind apart, by a process that needs no key."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias

import anyio
import asyncpg
import pytest

from recio.db.connection import transaction
from recio.report.past_trades import Kind
from tests.history import add_history
from tests.runs import begun

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
SUMS = {
    Kind.REAL: """
        SELECT count(*) AS trades, sum(pnl) AS net, sum(fees) AS fees FROM trade_figures
        JOIN (SELECT trade_id FROM trades WHERE state = 'closed') AS ended USING (trade_id)
    """,
    Kind.SHADOW: """
        SELECT count(*) AS trades, sum(CASE WHEN result = side THEN quantity - sold ELSE 0 END + proceeds - cost - fees) AS net,
            sum(fees) AS fees FROM paper_trades WHERE quantity > 0 AND result IS NOT NULL
    """,
    Kind.IMPORTED: """
        SELECT count(*) AS trades, sum(net_pnl) AS net, sum(fees) AS fees FROM imported_trades WHERE mode = 'prod'
    """,
}
IMPORTED = """
    INSERT INTO imported_trades (mode, ticker, number, side, source, quantity, entry_cost, exit_proceeds, payout, fees,
        net_pnl, opened_at, closed_at, doubtful, ledger_key, disagreements)
    SELECT mode, 'KXBTCD-25AUG0117-T' || i, 1, 'no', 'fills', 2, 0.8, 0, i % 2 * 2, 0.04, i % 2 * 2 - 0.84,
        TIMESTAMPTZ '2025-08-01 20:00Z', TIMESTAMPTZ '2025-08-01 21:00Z', false, NULL, '[]'
    FROM generate_series(1, 4) AS i CROSS JOIN unnest(ARRAY['prod', 'demo']) AS mode
"""

ENDS = """
    INSERT INTO imported_trades (mode, ticker, number, side, source, quantity, entry_cost, exit_proceeds, payout, fees,
        net_pnl, opened_at, closed_at, doubtful, ledger_key, disagreements)
    SELECT 'prod', 'END-' || name, 1, 'no', 'fills', 2, 0.8, got, paid, 0.04, got + paid - 0.84, TIMESTAMPTZ '2025-08-01 20:00Z', ended,
        false, NULL, '[]'
    FROM (VALUES ('held', 0, NULL, NULL), ('lost', 0, 0, now()), ('part', 0.4, 0, now()), ('sold', 0.9, 0, now()),
        ('sold-for', NULL, 0, now()), ('worth', 0, NULL, now())) AS trade (name, got, paid, ended);
    INSERT INTO imported_fills (mode, fill_id, order_id, ticker, side, action, quantity, price, fee, at, doubtful, trust)
    SELECT 'prod', 'sale-' || name, 'o', 'END-' || name, 'no', 'sell', sold, 0.45, 0, now(), false, 3
    FROM (VALUES ('part', 1), ('sold', 2)) AS sale (name, sold);
    INSERT INTO imported_trade_fills (mode, ticker, number, fill_id, is_exit, quantity, price, fee)
    SELECT 'prod', ticker, 1, fill_id, true, quantity, price, fee FROM imported_fills WHERE fill_id LIKE 'sale-%';
"""


@pytest.fixture
async def config(pool: Pool, database_dsn: str, tmp_path: Path) -> Path:
    async with transaction(pool) as connection:
        await begun(connection)
        await add_history(connection, 1, 40)
        await connection.execute(IMPORTED)
    path = tmp_path / "recio.toml"
    path.write_text(f'[database]\ndsn = "{database_dsn}"\n')
    return path


async def recio(config: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "recio", *arguments, "--config", str(config)]
    return await anyio.run_process(command, check=False)


async def told(config: Path, *arguments: str) -> dict[str, Any]:
    done = await recio(config, "report", "--json", *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("kind", list(Kind))
async def test_a_report_adds_up_to_the_rows(config: Path, pool: Pool, kind: Kind):
    report = await told(config, "--kind", kind)
    rows = await pool.fetchrow(SUMS[kind])
    assert rows is not None
    assert report["trades"] == rows["trades"] > 0
    assert (Decimal(report["net_pnl"]), Decimal(report["fees"])) == (rows["net"], rows["fees"])
    assert sum(each["trades"] for each in report["by_day"].values()) == report["trades"]


async def test_filters_name_what_is_asked_for(config: Path, pool: Pool):
    first = await pool.fetchval("SELECT min(closed_at) FROM trades WHERE state = 'closed'")
    one = await told(config, "--until", (first.isoformat().replace("+00:00", ".000001+00:00")))
    assert one["trades"] == 1
    assert (await told(config, "--strategy", "nobody"))["trades"] == 0
    assert (await told(config, "--ticker", "T-11"))["trades"] == 1


async def test_the_list_and_the_report_are_of_the_same_trades(config: Path):
    listed = await recio(config, "trades", "--csv")
    rows = list(csv.DictReader(io.StringIO(listed.stdout.decode())))
    report = await told(config)
    ended = [each for each in rows if each["net_pnl"]]
    assert len(ended) == report["trades"]
    assert sum(Decimal(each["net_pnl"]) for each in ended) == Decimal(report["net_pnl"])
    lines = (await recio(config, "trades")).stdout.decode().splitlines()
    assert len(lines) == len(rows)


async def test_an_imported_trade_is_told_by_how_it_ended_and_by_no_end_that_nobody_knows(
    config: Path, pool: Pool
):
    """An old row may be settled with a part of it sold before, and one of which the data says no end has none."""
    async with transaction(pool) as connection:
        await connection.execute(ENDS)
    listed = await recio(config, "trades", "--kind", "imported", "--ticker", "END", "--csv")
    rows = csv.DictReader(io.StringIO(listed.stdout.decode()))
    assert {each["ticker"]: each["ended_by"] for each in rows} == {
        "END-held": "unknown",
        "END-lost": "settlement",
        "END-part": "settlement",
        "END-sold": "exit",
        "END-sold-for": "exit",
        "END-worth": "settlement",
    }
    report = await told(config, "--kind", "imported", "--ticker", "END")
    assert {name: each["trades"] + each["unknown"] for name, each in report["by_ended_by"].items()} == {
        "exit": 2,
        "settlement": 3,
        "unknown": 1,
    }
    assert {*report["by_exit_reason"]} == {"held to the end", "unknown"}


async def test_a_time_without_a_zone_is_refused_with_what_to_write(config: Path):
    done = await recio(config, "report", "--since", "2026-11-01T15:00")
    assert done.returncode == 2
    assert b"write 2026-11-01T15:00Z for UTC" in done.stderr
