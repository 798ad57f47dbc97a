"""A model is built beside the daemon, refused while it is missing, and what the next start decides by."""

from __future__ import annotations

import math
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stories.world import a_world, until

pytestmark = pytest.mark.timeout(300)
MINUTES = 6_000


def candles(path: Path) -> Path:
    """A market with so little memory that every bucket near the middle sees enough minutes."""
    dice, price = random.Random(5), 84_000.0
    with path.open("w", encoding="utf-8") as output:
        output.write("t_unix,close\n")
        for minute in range(1, MINUTES):
            price *= math.exp(dice.gauss(0, 0.0003))
            output.write(f"{60 * minute},{price:.2f}\n")
    return path


def by_tables(text: str) -> str:
    return text.replace("[entry]", '[model]\nkind = "empirical"\n[entry]')


@pytest.mark.long
async def test_the_daemon_refuses_to_start_without_the_model_it_is_told_to_use_and_takes_it_once_it_is_built():
    with a_world() as world:
        await world.start_exchange()
        world.start_daemon()
        await until(lambda: world.events("database ready"))
        assert world.stop() == 0

        world.start_daemon(settings=by_tables)
        assert world.daemon is not None
        assert world.daemon.wait(timeout=60) == 78
        assert "recio model build CANDLES --symbol BTC" in world.log()

        command = [sys.executable, "-m", "recio", "model", "build", str(candles(world.root / "c.csv"))]
        built = subprocess.run(
            [*command, "--config", str(world.root / "recio.toml")],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert built.returncode == 0, built.stderr
        assert "kept, used from the next start on" in built.stdout

        world.start_daemon(settings=by_tables)
        await until(lambda: world.events("model in use"))
        (told,) = world.events("model in use")
        assert told["model"].startswith("empirical ")
        assert told["model"].split()[1] in built.stdout
        # Half an hour of prices is not there yet: unknown is said, and nothing is traded on a guess.
        await until(
            lambda: any(
                "momentum is not known" in each.get("sentence", "") for each in world.events("no entry")
            )
        )
        assert world.stop() == 0
