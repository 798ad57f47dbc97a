"""The last words of a process reach every channel once, also where it is killed, or a channel is away, before they are sent."""

from __future__ import annotations

import sys
from pathlib import Path

import anyio
import pytest
from pydantic import SecretStr

from recio.alerting.channels import Channel, Channels
from recio.clock import Clock
from recio.daemon import calling as calling_module
from recio.daemon.calling import calling
from recio.errors import Fatal
from recio.messages.alerts import Severity
from recio.settings.config import Config
from tests.alerting.sinks import Webhook, a_webhook, until

FAULT = "the disk is gone"


def channels(*hooks: Webhook) -> Channels:
    made = (
        Channel(name=f"hook {number}", least=Severity.INFO, url=SecretStr(hook.url))
        for number, hook in enumerate(hooks)
    )
    return Channels(channels=tuple(made))


async def life(place: Path, known: Channels, fault: str = FAULT) -> None:
    """A process that ends by itself."""
    with pytest.raises(Fatal):
        async with calling(Config(data_dir=str(place)), Clock(), known):
            raise Fatal(fault)


def said(hook: Webhook) -> int:
    return sum(FAULT in text for text in hook.texts)


async def test_what_did_not_leave_before_the_end_is_sent_by_the_next_process_once_and_only_where_it_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(calling_module, "LAST_WORDS_WITHIN", 6.0)
    async with a_webhook() as near, a_webhook() as away:
        away.hangs = True
        await life(tmp_path, channels(near, away))
        assert (said(near), said(away)) == (1, 0)
        away.hangs = False
        async with calling(Config(data_dir=str(tmp_path)), Clock(), channels(near, away)):
            await until(lambda: said(away))
            await until(lambda: "{}" in (tmp_path / calling_module.SAID_LAST).read_text())
        assert "could not say so then" in away.texts[0]
        for _ in range(2):
            await life(tmp_path, channels(near, away))
        assert (said(near), said(away)) == (1, 1)


KILLED = """
import os, sys
import anyio
from pydantic import SecretStr
from recio.alerting.channels import Channel, Channels
from recio.alerting.dispatcher import Dispatcher
from recio.clock import Clock
from recio.daemon.calling import calling
from recio.errors import Fatal
from recio.messages.alerts import Severity
from recio.settings.config import Config

Dispatcher.flush = lambda self, seconds: os._exit(9)

async def life():
    hook = Channel(name="hook 0", least=Severity.INFO, url=SecretStr(sys.argv[2]))
    async with calling(Config(data_dir=sys.argv[1]), Clock(), Channels(channels=(hook,))):
        raise Fatal(sys.argv[3])

anyio.run(life)
"""


async def test_a_process_that_is_killed_before_its_last_words_left_leaves_them_to_the_next(tmp_path: Path):
    async with a_webhook() as hook:
        command = [sys.executable, "-c", KILLED, str(tmp_path), hook.url, FAULT]
        assert (await anyio.run_process(command, check=False)).returncode == 9
        assert said(hook) == 0
        await life(tmp_path, channels(hook))
        assert said(hook) == 1
        await life(tmp_path, channels(hook))
        assert said(hook) == 1
