"""A task that stands still is found by name before systemd's watchdog bites, and the watchdog is no longer fed."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from recio.daemon import systemd
from recio.errors import BadConfig
from recio.rules.health.conditions import task_limit
from recio.settings.config import Config
from recio.supervisor import DISPENSABLE
from recio.test_hooks.freeze_points import VARIABLE, Task, arm
from tests.stories.world import World, a_world, until

pytestmark = pytest.mark.timeout(400)

UNIT = Path(__file__).parents[2] / "systemd" / "recio.service"
CYCLES = {Task.PRICE_FEED: 40, Task.MARKET_SYNC: 40, Task.ENTRY: 40, Task.EXIT: 40, Task.SHADOW: 40}
"""The cycle at which a fast task is frozen; a slow one is at its third."""
STOPPING = [each for each in Task if each is not Task.ALERTS]
"""Tasks whose standstill stops entries."""


def watchdog_seconds() -> float:
    found = re.search(r"^WatchdogSec=(\d+)$", UNIT.read_text(encoding="utf-8"), re.MULTILINE)
    assert found
    return float(found[1])


@dataclass(slots=True)
class Ear:
    """The notify socket that systemd would listen to."""

    socket: socket.socket
    heard: list[str] = field(default_factory=list[str])

    def count(self, word: str) -> int:
        while True:
            try:
                self.heard.append(self.socket.recv(4096).decode())
            except BlockingIOError:
                return sum(word in each for each in self.heard)

    def forget(self) -> None:
        self.count("")
        self.heard.clear()


@contextmanager
def listening(world: World) -> Iterator[Ear]:
    path = world.root / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(path))
        receiver.setblocking(False)
        world.surroundings["NOTIFY_SOCKET"] = str(path)
        yield Ear(receiver)


def impatient(text: str) -> str:
    """A task counts as frozen after three seconds; nothing is traded, and a shadow is there so that its task is."""
    text = text.replace("enabled = true", "enabled = false", 1).replace(
        "[status]", "[health]\nmax_task_age_seconds = 3.0\n[status]"
    )
    return text + '[strategies.bold]\nstage = "shadow"\n'


def status(world: World) -> dict[str, Any]:
    try:
        return world.status()
    except OSError:
        return {"blocks": [], "reasons": [], "tasks": {}, "causes": []}


def found(world: World, task: Task) -> bool:
    return any(f"{task} frozen" in reason for reason in status(world)["reasons"])


async def _found_frozen(world: World, ear: Ear, task: Task) -> None:
    world.surroundings[VARIABLE] = f"{task}:{CYCLES.get(task, 3)}"
    ear.forget()
    world.start_daemon(settings=impatient)
    await until(lambda: ear.count("WATCHDOG=1"))
    await until(lambda: f"task {task} frozen" in world.log())
    await until(lambda: found(world, task))
    seen = status(world)
    assert 3.0 <= seen["tasks"][task]["age_seconds"] < watchdog_seconds()
    assert not seen["ready"]
    if task is not Task.FAILURE_DETECTOR:
        await until(lambda: f"{task} frozen" in [each["condition"] for each in status(world)["blocks"]])
    if task in DISPENSABLE:
        ear.forget()
        await until(lambda: ear.count("WATCHDOG=1") > 1)
    else:
        # A slow machine may starve it of others as well, for a moment.
        await until(lambda: [task] in [each["tasks"] for each in world.events("watchdog starves")])
        ear.forget()
        await until(lambda: ear.count("STATUS=") > 1)
        assert ear.count("WATCHDOG=1") == 0
    world.kill()


@pytest.mark.parametrize(
    "tasks",
    [
        STOPPING[:3],
        pytest.param(STOPPING[3:6], marks=pytest.mark.long),
        pytest.param(STOPPING[6:], marks=pytest.mark.long),
    ],
    ids=lambda tasks: " ".join(tasks),
)
async def test_each_task_frozen_in_turn_is_found_by_name_and_a_critical_one_starves_the_watchdog(
    tasks: list[Task],
):
    with a_world() as world, listening(world) as ear:
        await world.start_exchange()
        for task in tasks:
            await _found_frozen(world, ear, task)


def test_a_frozen_task_is_found_before_systemd_would_have_found_it():
    assert task_limit(Config()) + 3 < watchdog_seconds()


def test_every_supervised_task_can_be_frozen():
    sources = (UNIT.parents[1] / "recio" / "tasks").glob("*.py")
    named = {
        name for path in sources for name in re.findall(r"cycle_of\(Task\.([A-Z_]+)\)", path.read_text())
    }
    assert named == set(Task.__members__)
    composed = (UNIT.parents[1] / "recio" / "daemon" / "composition.py").read_text(encoding="utf-8")
    supervised = set(
        re.findall(r'(?:^            |return \[\(|^        \()"([a-z_]+)",', composed, re.MULTILINE)
    )
    assert supervised == {task.value for task in Task}


@pytest.mark.parametrize(
    ("asked", "simulated", "said"),
    [
        ("entry", False, f"{VARIABLE}.*unset it"),
        ("entri", True, "nearest one is entry"),
        ("entry:0", True, "whole number"),
    ],
)
def test_nothing_is_frozen_outside_the_simulator_or_by_a_name_that_does_not_exist(
    asked: str, simulated: bool, said: str
):
    with pytest.raises(BadConfig, match=said):
        arm(asked, simulated=simulated)


def test_a_service_manager_that_does_not_read_never_holds_up_the_event_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as deaf:
        deaf.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        told = [systemd.notify("WATCHDOG=1") for _ in range(5_000)]
    assert told[0]
    assert not told[-1]
