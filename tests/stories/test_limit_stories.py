"""Limits live in rows: a restart may lower them, a person raises them, and the page shows how full they are."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.stories.world import World, a_world, books_come_to_agree, until

pytestmark = pytest.mark.timeout(300)


def _limits(world: World, *more: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "recio", "limits", *more, "--config", str(world.root / "recio.toml")],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


def _with_open_trades(most: int) -> Callable[[str], str]:
    return lambda text: text.replace("[risk]", f"[risk]\nmax_open_trades = {most}")


def _shown(world: World) -> str | None:
    """What the page says; None while it does not answer yet."""
    try:
        rows = world.status()["limits"]
    except OSError:
        return None
    return next((row["limit"] for row in rows if row["name"] == "max_open_trades"), None)


async def test_a_config_raised_while_it_was_down_changes_no_limit_until_somebody_grants_it():
    with a_world() as world:
        await world.start_exchange("--window-seconds", "300")
        world.start_daemon(settings=_with_open_trades(2))
        await until(lambda: _shown(world) == "2")
        world.kill()

        world.start_daemon(settings=_with_open_trades(5))
        await until(lambda: world.events("limit stays"))
        (said,) = [each for each in world.events("limit stays") if each["limit"] == "max_open_trades"]
        assert (said["wanted"], said["stays"]) == ("5", "2")
        await until(lambda: _shown(world) == "2")
        assert _limits(world, "grant", "--by", "me").splitlines()[0] == "max_open_trades: 2 may become 5"
        assert _shown(world) == "2"
        assert "granted: 5 at most from the next start on" in _limits(world)
        _, told = _limits(world, "lower", "max_open_trades", "1", "--by", "me").splitlines()
        assert told.startswith("the leave to raise it to 5 at the next start ends with that")
        assert "granted" not in _limits(world)
        _limits(world, "grant", "--by", "me")
        assert world.stop() == 0

        world.start_daemon(settings=_with_open_trades(5))
        await until(lambda: world.events("database ready") and _shown(world) == "5")
        assert "max_open_trades                          5             5" in _limits(world)
        lowered = _limits(world, "lower", "max_open_trades", "1", "--by", "me")
        assert lowered == "max_open_trades is 1 now, it was 5\n"
        await until(lambda: _shown(world) == "1")
        await books_come_to_agree(world)
        world.stop()
