"""A recorded session is a market for the daemon: it trades what was on offer, and is paid what the market decided."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.exchange_sim.recorded_session import CLOSES, FIRST, RecordedSession
from tests.stories.world import World, a_world, books_agree, until

pytestmark = pytest.mark.timeout(400)

BEGINS, ENDS = -240, -2
STRIKE = 81_087.33


def session(folder: Path) -> Path:
    """Four minutes in which the price stands a little above the strike and YES is offered far too cheaply."""
    recorded = RecordedSession(folder)
    recorded.markets = recorded.markets[:1]
    recorded.subscribed(BEGINS)
    recorded.snapshot(BEGINS, yes=[("0.3000", "40.00")], no=[("0.6500", "40.00")])
    for second in range(BEGINS, ENDS):
        recorded.spot(second, f"{STRIKE + 40 + 5 * math.sin(second):.2f}")
        recorded.delta(second, "yes", "0.2000", "1.00")
    return recorded.write()


def papered(world: World, setting: str = "") -> dict[str, Any]:
    """What `recio replay --paper` makes of the daemon's own recording with another setting of entry."""
    config = world.root / "paper.toml"
    config.write_text(f"[entry]\n{setting}\n", encoding="utf-8")
    recording = str(world.root / "data" / "recording")
    return told(world, "replay", recording, "--paper", "--json", "--config", str(config))


def told(world: World, *command: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "recio", *command],
        cwd=world.root,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.long
async def test_the_daemon_trades_a_recorded_session_and_is_settled_by_its_result():
    with a_world() as world:
        folder = session(world.root / "session")
        await world.start_exchange("--recording", str(folder), "--exit-at-end", align=False)
        world.start_daemon()
        await until(lambda: world.events("trade open"))
        await until(lambda: [each for each in world.events("trade ended") if each["by"] == "settlement"])
        fills = await world.rows("SELECT ticker, price, quantity FROM fills")
        assert {(row["ticker"], row["price"]) for row in fills} == {(FIRST, Decimal("0.35"))}
        assert sum(row["quantity"] for row in fills) <= 40
        results = await world.rows("SELECT result FROM settlements")
        assert [row["result"] for row in results] == ["yes"]
        await books_agree(world)
        assert world.exchange is not None
        await until(lambda: world.exchange is not None and world.exchange.poll() is not None)
        assert world.exchange.returncode == 0
        assert world.stop() == 0
        on_paper = papered(world)
        assert [each["recorded_result"] for each in on_paper["windows"]] == ["yes"]
        assert papered(world, "min_edge_dollars = 0.95")["trades"] == []
        for each in on_paper["trades"]:
            # Where this machine stood still for longer than the recording bears, nobody knows what paper would have got.
            assert (each["ticker"], each["entry_price"]) == (FIRST, "0.350000") or "no book" in each["notes"][
                0
            ]
        parity_holds(world, sum((row["quantity"] for row in fills), Decimal(0)))


def parity_holds(world: World, bought: Decimal) -> None:
    """Every decision comes out again, and what was recorded of the book sells on paper at live's price and fee."""
    config = str(world.root / "recio.toml")
    found = told(world, "score", "--parity", "--json", "--day", f"{CLOSES:%Y-%m-%d}", "--config", config)
    (day,) = found["days"]
    assert day["trades"] == len(found["trades"]) > 0
    assert day["decisions"] > 0
    assert day["decided_otherwise"] == 0
    assert not day["parted"]
    pairs = [each for trade in found["trades"] for each in trade["orders"]]
    assert sum(each["order"]["got"]["quantity"] for each in pairs) == bought * 100
    for each in (pair for pair in pairs if pair["paper"] is not None):
        assert each["paper"] == each["order"]["got"]
    assert day["unrecorded"] == sum(each["paper"] is None for each in pairs)
