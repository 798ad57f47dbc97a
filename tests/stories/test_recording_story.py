"""The daemon's recording of a session, decided again by `recio replay`, gives every decision to the last bit."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.exchange_sim.recorded_session import RecordedSession
from tests.stories.world import World, a_world, until

pytestmark = pytest.mark.timeout(400)

BEGINS, ENDS = -240, -2
STRIKE = 81_087.33


def session(folder: Path) -> Path:
    """Four minutes: YES is far too cheap at first, and then the price falls through the strike."""
    recorded = RecordedSession(folder)
    recorded.markets = recorded.markets[:1]
    recorded.subscribed(BEGINS)
    recorded.snapshot(BEGINS, yes=[("0.3000", "40.00")], no=[("0.6500", "40.00")])
    for second in range(BEGINS, ENDS):
        level = 40 if second < -110 else -60
        recorded.spot(second, f"{STRIKE + level + 5 * math.sin(second):.2f}")
        recorded.delta(second, "yes", "0.2000", "1.00")
    return recorded.write()


def replayed(world: World) -> dict[str, Any]:
    command = [sys.executable, "-m", "recio", "replay", str(world.root / "data" / "recording"), "--json"]
    done = subprocess.run(command, cwd=world.root, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.long
async def test_what_the_daemon_decided_on_a_recorded_session_comes_out_the_same_to_the_last_bit():
    with a_world() as world:
        folder = session(world.root / "session")
        await world.start_exchange("--recording", str(folder), "--exit-at-end", align=False)
        world.start_daemon()
        await until(lambda: world.events("trade open"))
        await until(lambda: world.events("exit wanted"))
        await until(lambda: world.exchange is not None and world.exchange.poll() is not None)
        assert world.stop() in (0, 75)
        found = replayed(world)
        wanted = len(world.events("entry wanted")) + len(world.events("exit wanted"))

    assert found["different"] == 0, found["differences"]
    assert found["lost"] == 0
    assert found["cut"] == []
    assert found["entry_cycles"] > 100
    assert found["exit_cycles"] > 10
    assert found["intents"] == wanted
