"""The runbooks, walked through: each command that they print is run in their order against a real daemon, and does what it should."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import anyio.to_thread
import pytest

from recio.cli import COMMANDS
from tests.alerting.sinks import a_webhook
from tests.stories.world import World, a_world, until

pytestmark = pytest.mark.timeout(600)

OPERATE = Path(__file__).parents[2] / "docs" / "operate"
BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)
NOT_RUN = ("nano ", "journalctl ", "deploy/install.sh ", "systemctl disable ")
CONFIGS = ("/etc/recio/recio.toml", "/etc/recio/second.toml")
CODES = {"flatten": {0, 75}, "doctor": {0}}
"""A market that has just closed leaves something to its settlement: 75."""
HASTE, PATIENCE = "request_timeout_seconds = 1.0", "request_timeout_seconds = 10.0"
"""Of what a command ends with nothing may depend on how fast this machine is, so the venue gets the time that it has by default."""
CHANNELS = '[alerts]\nchannels_path = "channels"\n'


def sections() -> dict[str, list[str]]:
    """The commands of each runbook, in their order."""
    text = (OPERATE / "runbooks.md").read_text(encoding="utf-8")
    parts = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    return {
        part.split("\n")[0]: [line for block in BLOCK.findall(part) for line in block.splitlines()]
        for part in parts
    }


def is_up(world: World) -> bool:
    try:
        return "alerts" in world.status()["tasks"] and world.status()["positions"] is not None
    except OSError:
        return False


async def recio(world: World, words: list[str]) -> subprocess.CompletedProcess[str]:
    own = ["--config", str(world.root / "recio.toml")]
    words = [each for each in words if each not in ("--config", *CONFIGS)]
    return await anyio.to_thread.run_sync(
        lambda: subprocess.run(
            [sys.executable, "-m", "recio", *words, *own],
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
        )
    )


def configured(text: str) -> str:
    assert HASTE in text
    return text.replace(HASTE, PATIENCE) + CHANNELS


async def typed(world: World, line: str) -> None:
    words = shlex.split(line)
    if words[:2] == ["systemctl", "stop"] or words[:2] == ["systemctl", "restart"]:
        assert world.stop() == 0
    if words[:2] in (["systemctl", "start"], ["systemctl", "restart"]):
        world.start_daemon(settings=configured)
        await until(lambda: is_up(world))
    elif words[0] == "recio":
        done = await recio(world, words[1:])
        assert done.returncode in CODES.get(words[1], {0}), f"{line}: {done.stdout}{done.stderr}"
        if words[1] == "stop":
            assert world.daemon is not None
            assert world.daemon.wait(timeout=40) == 0


def test_each_runbook_that_makes_an_account_says_how_it_becomes_one_of_real_money():
    text = (OPERATE / "runbooks.md").read_text(encoding="utf-8")
    making = [each for each in text.split("\n## ") if "install.sh" in each and "--key-id" in each]
    assert [each.split("\n")[0] for each in making] == ["Rotate the key", "A lost droplet"]
    assert all("--environment prod" in each for each in making)


@pytest.mark.long
async def test_every_runbook_can_be_walked_through():
    async with a_webhook() as hook:
        with a_world() as world:
            (world.root / "channels").write_text(f"hook info {hook.url}\n", encoding="utf-8")
            (world.root / "channels").chmod(0o600)
            await world.start_exchange()
            world.start_daemon(settings=configured)
            await until(lambda: is_up(world))
            walked = 0
            for lines in sections().values():
                for line in lines:
                    if not line.startswith(NOT_RUN):
                        await typed(world, line)
                        walked += 1
            assert walked > 25
            assert hook.heard("recio can call you here")


@pytest.mark.parametrize("page", sorted(each.name for each in OPERATE.glob("*.md")))
def test_every_command_on_a_page_is_one_that_recio_knows(page: str):
    text = (OPERATE / page).read_text(encoding="utf-8")
    for block in re.findall(r"```(?:sh)?\n(.*?)```", text, re.DOTALL):
        for line in block.splitlines():
            for name in re.findall(r"(?:^|\| )recio (\w+)", line):
                assert name in COMMANDS, line
