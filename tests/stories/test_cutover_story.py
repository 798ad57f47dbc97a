"""The cutover of docs/import.md on real processes: the old system writes, recio warms up beside it, and the time in which nobody trades is measured."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from benchmarks.old_rows import Size, make
from recio.errors import ExitCode
from tests.stories.test_statement_story import A_WINDOW, patient
from tests.stories.test_trade_story import command
from tests.stories.world import World, a_world, until

pytestmark = [pytest.mark.timeout(600), pytest.mark.long]
SIZE = Size(prices=200_000, fills=7_000, candles=1_000_000)
OLD_SYSTEM = """
import sqlite3, sys, time
from pathlib import Path
from benchmarks.old_rows import account
user, number = Path(sys.argv[1]), int(sys.argv[2])
log = sqlite3.connect(sys.argv[3])
while True:
    account(user / "accounts/kalshi/prod", user / "trade_history", 7, first=number)
    log.execute("INSERT OR REPLACE INTO price_log VALUES (strftime('%Y-%m-%dT%H:%M:%S', 'now'), 100000.5)")
    log.commit()
    number += 4
    print(number, flush=True)
    time.sleep(0.1)
"""


def old_system(folder: Path) -> subprocess.Popen[str]:
    """A process that trades and writes: an entry, its exit or its settlement, and a price, some ten times a second."""
    user = folder / "backend/data/users/user_0001"
    log = folder / "backend/data/live_data/price_history/btc/btc_price_history.db"
    return subprocess.Popen(
        [sys.executable, "-c", OLD_SYSTEM, str(user), str(SIZE.fills * 4 // 7), str(log)],
        stdout=subprocess.PIPE,
        text=True,
    )


async def recio(world: World, *arguments: str, code: ExitCode = ExitCode.OK) -> str:
    done = await asyncio.to_thread(command, world, *arguments)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


async def took(world: World, *options: str) -> dict[str, Any]:
    return json.loads(
        await recio(world, "import", str(world.root / "old"), "--mode", "prod", "--json", *options)
    )


def is_warm(seen: dict[str, Any]) -> bool:
    """Nothing but the switch keeps it from buying, and it knows a probability."""
    return bool(not seen["blocks"] and any(row["probability"] for row in seen["board"]))


def could_trade(world: World) -> bool:
    return world.shows(lambda seen: seen["ready"] and is_warm(seen))


async def test_the_old_system_is_replaced_by_a_recio_that_was_warm_and_has_all_of_its_past(
    record_testsuite_property: Any,
):
    with a_world() as world:
        world.speed = 4.0
        await world.start_exchange()
        make(world.root / "old", SIZE)
        old = old_system(world.root / "old")
        try:
            assert old.stdout is not None
            old.stdout.readline()
            (world.root / "recio.toml").write_text(f'mode = "demo"\ndata_dir = "{world.root / "data"}"\n')
            tried = await took(world, "--dry-run")
            assert tried["refused"] == []
            first = await took(world)
            assert first["totals"]["fills"] >= SIZE.fills // 7 * 7
            await recio(world, "switch", "entry", "off", "--by", "ann", "--why", "the old system trades")
            world.start_daemon(settings=patient)
            await until(lambda: world.events("cash agreed"), A_WINDOW)
            await until(lambda: world.shows(is_warm), A_WINDOW)
            assert not world.ledger()["orders"]
            begun = time.monotonic()
        finally:
            old.terminate()
            last = (old.communicate(timeout=30)[0] or "").split()
        delta = await took(world)
        imported = time.monotonic()
        await recio(world, "switch", "entry", "on", "--by", "ann", "--why", "the old system has ended")
        await until(lambda: could_trade(world), A_WINDOW)
        ended = time.monotonic()
        again = await took(world)
        assert (again["totals"], set(again["imported"].values())) == (delta["totals"], {0})
        assert delta["imported"]["fills"] > 0
        assert delta["totals"]["fills"] >= (int(last[-1]) - 4) * 7 // 4
        assert delta["net_pnl"] == again["net_pnl"]
        await until(lambda: world.ledger()["orders"], A_WINDOW)
        for name, seconds in (("without_trading", ended - begun), ("delta_import", imported - begun)):
            record_testsuite_property(name, f"{seconds:.1f} s")
            sys.stdout.write(f"{name}: {seconds:.1f} s\n")
