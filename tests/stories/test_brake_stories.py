"""Brakes on real processes: a halt by hand stops new orders within a second, and outlives its daemon."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.stories.world import World, a_world, books_agree, until

pytestmark = pytest.mark.timeout(400)

CAUSE = "halted by hand: a test"


def _recio(world: World, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "recio", *arguments, "--config", "recio.toml", "--by", "me"],
        cwd=world.root,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _entries(world: World) -> set[str]:
    return {
        order["client_order_id"]
        for order in world.ledger()["orders"]
        if "-entry-" in order["client_order_id"]
    }


def _refusals(world: World) -> int:
    return sum(CAUSE in line.get("sentence", "") for line in world.events("no entry"))


async def test_a_halt_by_command_line_stops_new_orders_within_a_second_until_somebody_resumes():
    with a_world() as world:
        # Short markets: an entry after the way out must not wait for a quarter of an hour to end.
        await world.start_exchange("--window-seconds", "300")
        world.start_daemon()
        await until(lambda: _entries(world))
        said = _recio(world, "halt", "--why", "a test")
        stopped = re.search(r"the daemon stopped new orders \(seen after (\d+\.\d\d) s\)", said)
        assert stopped is not None, said
        assert float(stopped[1]) < 1.0
        before = _entries(world)
        await until(lambda: _refusals(world))
        assert _entries(world) == before

        world.kill()
        assert "no daemon answers" in _recio(world, "halt", "--why", "a test")
        world.start_daemon()
        await until(lambda: _refusals(world))
        assert _entries(world) == before
        assert _recio(world, "resume") == f"cleared: {CAUSE}\n"
        await until(lambda: _entries(world) > before)
        assert [line["cause"] for line in world.events("halt cleared")] == [CAUSE]
        world.stop()
        await books_agree(world)
