"""Begins a life of the daemon anew whenever its database was away, in the same process, until it is asked to stop.

Without its database nothing is traded: an order needs its row first. What else ends a life ends the process.
"""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial

import anyio
import structlog

from recio.daemon import systemd
from recio.db.pool import alongside
from recio.errors import BadConfig, DatabaseAway, ExitCode, Fatal
from recio.supervisor import leading_fault

log: structlog.stdlib.BoundLogger = structlog.get_logger()

TRY_EVERY = 1.0
"""Host seconds between the end of a life and the next attempt at one."""
TELL_EVERY = 60.0
LOCK_LINGERS = 60.0
"""Host seconds for which a server may keep the lock of a life whose connection broke without a word."""


@dataclass(slots=True)
class Waiting:
    """That nobody trades, since when and why; whoever supervises the process is told while it lasts."""

    why: str = ""
    since: float = field(default_factory=time.monotonic)
    told_at: float = -math.inf
    lived: bool = False
    """Whether the database was ours before."""

    def begin(self, why: str) -> None:
        if not self.why:
            self.since = time.monotonic()
        self.why = why
        if time.monotonic() - self.told_at >= TELL_EVERY:
            self.told_at = time.monotonic()
            log.error(
                "waits for the database",
                why=why,
                resolution="nothing is bought and no stop can sell until it is back; everything goes on by itself then",
            )

    def end(self) -> None:
        self.why, self.told_at, self.lived = "", -math.inf, True


async def live_on(live: Callable[[Waiting], Awaitable[None]], stop: anyio.Event) -> None:
    """One life after another until one ends in order. `live` ends the waiting once its database is its own.

    Raises what a life raises, but for a database that is away.
    """
    waiting = Waiting()
    async with alongside(partial(_keep_told, waiting)):
        while not stop.is_set():
            fault = await _fault_of(live, waiting)
            if fault is None:
                return
            waiting.begin(str(fault))
            with anyio.move_on_after(TRY_EVERY):
                await stop.wait()


async def _fault_of(live: Callable[[Waiting], Awaitable[None]], waiting: Waiting) -> BaseException | None:
    """One life: None once it ended in order, or the fault that passes."""
    try:
        await live(waiting)
    except Exception as error:
        fault = leading_fault(error)
        if not _passes(fault, waiting):
            raise fault from error
        return fault
    return None


def _passes(fault: BaseException, waiting: Waiting) -> bool:
    """Whether to try again. After a life of ours the lock that somebody holds may be our own. Raises Fatal if it is not."""
    if isinstance(fault, BadConfig) and fault.lock_is_taken and waiting.lived and waiting.why:
        if time.monotonic() - waiting.since > LOCK_LINGERS:
            raise Fatal(f"after the database was away: {fault}", ExitCode.TEMPORARY) from fault
        return True
    return isinstance(fault, DatabaseAway)


async def _keep_told(waiting: Waiting) -> None:
    """Only while no life tells it itself: to wait is no reason to be killed."""
    while True:
        if waiting.why:
            systemd.notify(
                f"STATUS=waits for the database: {waiting.why}", "WATCHDOG=1", "EXTEND_TIMEOUT_USEC=30000000"
            )
        await anyio.sleep(TRY_EVERY)
