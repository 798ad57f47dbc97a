"""Keeps the dispatcher of alerts served for as long as the process lasts, pings the outside, and has the last word; it stops nothing and nobody waits for it.

What the process said last is remembered in the data directory, and whom it did not reach: one that ends again and again for
one reason calls once, and what was not sent before the end is sent by the next process.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import aiohttp
import anyio
import msgspec
from pydantic import SecretStr

from recio.alerting.channels import DAEMON, Channels
from recio.alerting.dispatcher import Dispatcher
from recio.alerting.pings import Ping, ping
from recio.clock import Clock
from recio.daemon import data_dir
from recio.daemon.runs import Waiting
from recio.db.pool import alongside
from recio.errors import BadConfig
from recio.messages.alerts import Severity
from recio.rules.alerts.alarms import database_away, last_words, late_words
from recio.settings.config import Config
from recio.supervisor import ALERTS, HealthByTask, Say, leading_fault, supervise
from recio.texts import writable

LAST_WORDS_WITHIN = 12.0
FAREWELL_WITHIN = 3.0
"""Host seconds that an end may take for what is still to be sent."""
GUARDS_FOR = 10.0
"""Host seconds after the last look that found everything guarded in which a ping says success."""
SAID_LAST = "last-words.json"


class LastWords(msgspec.Struct):
    """What a process said when it ended by itself."""

    said: str = ""
    unsent: dict[str, str] = {}
    """Channels that it has not reached, and the number of the message for each."""


@asynccontextmanager
async def calling(config: Config, clock: Clock, channels: Channels) -> AsyncGenerator[Dispatcher]:
    """A dispatcher that is served; what ends the block is told."""
    dispatcher = Dispatcher(settings=config.alerts, channels=channels, clock=clock, title=title_of(config))
    url = channels.pings.get(DAEMON)
    memory = data_dir.place_of(config) / SAID_LAST
    async with (
        aiohttp.ClientSession() as session,
        alongside(partial(_serve, dispatcher, session, url, memory)),
    ):
        try:
            yield dispatcher
        except Exception as error:
            await _say_last(dispatcher, session, url, memory, leading_fault(error))  # noqa: ASYNC120 - nothing is lost: the fault is told or raised anew
            raise
        await dispatcher.flush(FAREWELL_WITHIN)


def title_of(config: Config) -> str:
    """Which recio it is: whoever is called may have several."""
    return f"recio {config.kalshi.environment} on {socket.gethostname()}"


def tell_waiting(dispatcher: Dispatcher, waiting: Waiting) -> None:
    """While no run has its database."""
    if waiting.why and not waiting.is_over:
        dispatcher.look_beside(database_away(waiting.why, dispatcher.held, dispatcher.settings))


async def _serve(
    dispatcher: Dispatcher, session: aiohttp.ClientSession, url: SecretStr | None, memory: Path
) -> None:
    """Each part is started anew after a fault, for ever: none of them ends the daemon."""

    async def serve(_: Say) -> None:
        await dispatcher.serve()

    async def keep_pinging(_: Say) -> None:
        if url is not None:
            await _ping_forever(dispatcher, session, url)
        await anyio.sleep_forever()

    async def send_late(_: Say) -> None:
        await _send_late(dispatcher, memory)
        await anyio.sleep_forever()

    async def forget(_: Say) -> None:
        await _forget_last_words(dispatcher, memory)
        await anyio.sleep_forever()

    async with anyio.create_task_group() as group:
        for part in (serve, keep_pinging, send_late, forget):
            group.start_soon(supervise, ALERTS, part, HealthByTask())


async def _ping_forever(dispatcher: Dispatcher, session: aiohttp.ClientSession, url: SecretStr) -> None:
    """Success only while a run guards what is held: the check speaks up when that has been missing for too long."""
    which = Ping.START
    while True:
        if which is Ping.START or time.monotonic() - dispatcher.guarded_at <= GUARDS_FOR:
            why = await ping(session, url, which)
            dispatcher.ping = (
                f"{which}: {why}" if why else f"{which} at {dispatcher.clock.utc():%H:%M:%S} UTC"
            )
            which = Ping.SUCCESS if not why else which
        await anyio.sleep(dispatcher.settings.ping_every_seconds if dispatcher.guarded_at > 0 else 1.0)


async def _forget_last_words(dispatcher: Dispatcher, memory: Path) -> None:
    """Once what is held is guarded again, what the process before said last is over."""
    while True:
        if dispatcher.guarded_at > 0:
            last = _said_last(memory)
            if last.said:
                dispatcher.tell(f"recio runs again, after: {last.said}", Severity.CRITICAL)
                _forget(memory)
            return
        await anyio.sleep(1.0)


async def _send_late(dispatcher: Dispatcher, memory: Path) -> None:
    """What the process before said last and did not get sent: killed too early, or its channel was away."""
    last = _said_last(memory)
    dispatcher.tell_again(late_words(last.said), Severity.CRITICAL, last.unsent)
    unsent = last.unsent
    while unsent:
        await anyio.sleep(1.0)
        if _said_last(memory).said != last.said:
            return
        if dispatcher.unsent(unsent) != unsent:
            unsent = dispatcher.unsent(unsent)
            _remember(memory, LastWords(said=last.said, unsent=unsent))


async def _say_last(
    dispatcher: Dispatcher,
    session: aiohttp.ClientSession,
    url: SecretStr | None,
    memory: Path,
    fault: BaseException,
) -> None:
    if isinstance(fault, BadConfig) and fault.lock_is_taken:
        return  # the other one goes on
    said, last = writable(str(fault)) or type(fault).__name__, _said_last(memory)
    if last.said == said:
        dispatcher.tell_again(late_words(said), Severity.CRITICAL, last.unsent)
    else:
        # Remembered as unsent before it leaves: whoever kills the process meanwhile takes no word away.
        last = LastWords(said=said, unsent=dispatcher.tell(last_words(said), Severity.CRITICAL))
        _remember(memory, last)
    with anyio.move_on_after(LAST_WORDS_WITHIN, shield=True):
        async with anyio.create_task_group() as group:
            if url is not None:
                group.start_soon(ping, session, url, Ping.FAIL)
            group.start_soon(dispatcher.flush, LAST_WORDS_WITHIN)
    _remember(memory, LastWords(said=said, unsent=dispatcher.unsent(last.unsent)))


def _said_last(memory: Path) -> LastWords:
    try:
        return msgspec.json.decode(memory.read_bytes(), type=LastWords)
    except (OSError, msgspec.DecodeError):
        return LastWords()


def _forget(memory: Path) -> None:
    with suppress(OSError):
        memory.unlink(missing_ok=True)


def _remember(memory: Path, last: LastWords) -> None:
    """A disk that refuses it costs a call that is made twice."""
    with suppress(OSError):
        draft = memory.with_suffix(data_dir.DRAFT)
        draft.write_bytes(msgspec.json.encode(last))
        os.replace(draft, memory)
