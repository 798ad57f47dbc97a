"""What an operator looks at: status and doctor beside a running daemon and without one, as processes."""

from __future__ import annotations

import json
import subprocess
import sys

import anyio.to_thread
import pytest

from recio.commands.status import WIDTH
from tests.stories.world import World, a_world, until

pytestmark = pytest.mark.timeout(400)


async def recio(world: World, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "recio", *arguments, "--config", str(world.root / "recio.toml")]
    return await anyio.to_thread.run_sync(
        lambda: subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    )


def is_up(world: World) -> bool:
    try:
        return bool(world.status()["ready"])
    except OSError:
        return False


@pytest.mark.long
async def test_status_and_doctor_say_what_is_so_with_a_daemon_and_without_one():
    with a_world() as world:
        await world.start_exchange()
        world.start_daemon()
        await until(lambda: is_up(world))

        shown = await recio(world, "status")
        lines = shown.stdout.splitlines()
        assert shown.returncode == 0
        assert max(map(len, lines)) <= WIDTH
        assert [line.split()[0] for line in lines if not line.startswith(" ")] == [
            *("recio", "ready", "halts", "held", "today", "orders", "prices", "venue", "tasks", "alerts")
        ]
        assert json.loads((await recio(world, "status", "--json")).stdout)["version"]

        beside = await recio(world, "doctor", "--json")
        found = {each["name"]: each for each in json.loads(beside.stdout)}
        assert [each for each in found.values() if each["grade"] == "BAD"] == []
        assert beside.returncode == 0
        assert found["lock"]["says"] == "held by a daemon, seen from another connection"
        assert found["port"]["grade"] == "note"
        for name in (
            "config",
            "key",
            "data_dir",
            "disk",
            "database",
            "venue",
            "clock",
            "key at venue",
            "key scopes",
            "socket",
            "books KXBTC15M",
        ):
            assert found[name]["grade"] == "ok", found[name]
        assert all(each["do"] for each in found.values() if each["grade"] != "ok")

        assert world.stop() == 0
        alone = await recio(world, "doctor")
        assert "a lock that is taken is really held" in alone.stdout
        assert alone.returncode == 0
        rows = await recio(world, "status")
        assert rows.returncode == 75
        assert "no daemon runs" in rows.stdout
        assert "systemctl status recio" in rows.stderr

        assert world.exchange is not None
        world.exchange.kill()
        world.exchange.wait()
        away = await recio(world, "doctor")
        assert away.returncode == 78
        assert "BAD  venue" in away.stdout
        assert "do: " in away.stdout
