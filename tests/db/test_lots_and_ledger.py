"""`recio lots` as a person runs it: its figures are the ledger's, and where they are not nothing is printed."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TypeAlias

import asyncpg
import pytest

from recio.db import statement_rows
from recio.db.connection import transaction
from recio.report.statement import by_day
from recio.units import Side
from tests.builders import NOW, TICKER
from tests.db.test_general_ledger import fill, record, settled

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
LIVE = 'mode = "live"\n[kalshi]\nenvironment = "demo"\nkey_id = "k"\nkey_path = "gone.pem"\n'


@pytest.fixture
def folder(tmp_path: Path, database_dsn: str) -> Path:
    (tmp_path / "recio.toml").write_text(f'{LIVE}[database]\ndsn = "{database_dsn}"\n', encoding="utf-8")
    return tmp_path


def lots(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "recio", "lots", *options],
        cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


async def test_lots_are_those_of_the_fills_and_add_up_to_the_ledger(pool: Pool, folder: Path):
    await record(
        pool,
        fill(1, (True, 4_000, 1_000, 100_001)),
        fill(2, (False, 7_000, 400, 50_000)),
        settled(Side.YES),
        fill(3, (True, 5_000, 100, 1_000), "HELD"),
    )
    done = lots(folder)
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [(row["quantity"], row["closed_by"], row["net"]) for row in rows] == [
        ("4.00", "sale", "1.110000"),
        ("6.00", "settlement", "3.539999"),
    ]
    assert f"{TICKER}: its lots paid 6.000000 dollars more than the venue's statement says" in done.stderr
    assert "as in the ledger" in done.stderr
    (held,) = [json.loads(line) for line in lots(folder, "--held", "--json").stdout.splitlines()]
    assert (held["ticker"], held["cost"], held["closed_at"]) == ("HELD", "0.500000", None)
    assert list(csv.DictReader(io.StringIO(lots(folder, "--until", "2020-01-01").stdout))) == []


@pytest.mark.parametrize(("by", "end"), [("", Side.NO), ("anna", Side.NO), ("anna", Side.YES)])
async def test_a_settlement_of_which_the_last_word_came_on_another_day_counts_there(
    pool: Pool, by: str, end: Side
):
    """The venue lists its last word alone; a person may have settled the market days before."""
    bought = fill(1, (True, 4_000, 1_000, 100_001))
    first = replace(settled(Side.YES), set_by=by)
    last = replace(settled(end), settled_at=NOW + timedelta(days=2))
    await record(pool, bought, first, last)
    async with transaction(pool) as connection:
        found = await statement_rows.own_side(connection)
    assert found.by_day == by_day([bought], found.settled)
    assert len(found.by_day) == 2


@pytest.mark.parametrize("command", [("history", "fills", "--csv"), ("trades", "--csv"), ("lots",)])
@pytest.mark.parametrize("reader", ["gone", "full"])
async def test_output_that_fails_among_rows_is_no_fault_of_the_database(
    pool: Pool, folder: Path, command: tuple[str, ...], reader: str
):
    await record(pool, fill(1, (True, 4_000, 1_000, 100_001)))
    reads, gone = os.pipe()
    os.close(reads)
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "recio", *command],
            cwd=folder, stdin=subprocess.DEVNULL, stdout=gone if reader == "gone" else full, stderr=subprocess.PIPE,
            text=True, timeout=120, check=False, env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
    finally:
        os.close(full)
        os.close(gone)
    assert "whether it was done" not in done.stderr
    assert "bug" not in done.stderr
    assert (done.returncode, "No space left" in done.stderr) == (
        (0, False) if reader == "gone" else (75, True)
    )


async def test_lots_that_are_not_the_ledgers_are_not_printed(pool: Pool, folder: Path):
    await record(pool, fill(1, (True, 4_000, 1_000, 100_001)))
    await pool.execute("UPDATE ledger_balances SET amount = amount + 1 WHERE account = 'cash'")
    done = lots(folder)
    assert (done.returncode, done.stdout) == (65, "")
    assert "the lots and the ledger differ: cash -4.100001 and -3.100001" in done.stderr
