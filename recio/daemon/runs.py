"""Begins a run of the daemon anew whenever its database was away, in the same process, until it is asked to stop.

Without its database nothing is traded: an order needs its row first. What else ends a run ends the process. A process
that ends because something outside is away only finds it away again, and whoever counts starts gives up on it.
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
"""Host seconds between the end of a run and the next attempt at one, and between two words to systemd."""
TELL_EVERY = 60.0
LOCK_LINGERS = 60.0
"""Host seconds for which a server may keep the lock of a holder whose connection broke without a word."""
READY_AFTER = 30.0
"""Host seconds of waiting after which systemd is told READY all the same: a boot does not wait with us, and from then
on the watchdog does look."""
ATTEMPT_LIMIT = 300.0
"""Host seconds that one attempt may take, a migration included, before the watchdog is no longer fed."""
EXTEND_MICROSECONDS = 30_000_000


@dataclass(slots=True)
class Waiting:
    """That nobody trades, since when and why; whoever supervises the process is told while it lasts."""

    why: str = ""
    since: float = field(default_factory=time.monotonic)
    attempted_at: float = field(default_factory=time.monotonic)
    told_at: float = -math.inf
    has_run: bool = False
    """Whether the database was ours before."""
    is_over: bool = False
    """A run has its database: it speaks for itself."""

    def begin(self, why: str) -> None:
        if self.is_over:
            self.since = time.monotonic()
        self.why, self.is_over = why, False
        if time.monotonic() - self.told_at >= TELL_EVERY:
            self.told_at = time.monotonic()
            log.error(
                "waits for the database",
                why=why,
                resolution="nothing is bought and no stop can sell until it is back; everything goes on by itself then",
            )

    def end(self) -> None:
        if self.why:
            log.info("no longer waiting", seconds=round(time.monotonic() - self.since, 1))
        self.why, self.told_at, self.has_run, self.is_over = "", -math.inf, True, True


async def run_until_stopped(
    run: Callable[[Waiting], Awaitable[None]],
    stop: anyio.Event,
    tell: Callable[[Waiting], None] = lambda _: None,
) -> None:
    """One run after another until one ends in order. `run` ends the waiting once its database is its own.

    `tell` is called every second while that is waited for.

    Raises what a run raises, but for a database that is away.
    """
    waiting = Waiting()
    async with alongside(partial(_keep_told, waiting, tell)):
        while not stop.is_set():
            waiting.attempted_at = time.monotonic()
            fault = await _fault_of(run, waiting)
            if fault is None:
                return
            waiting.begin(str(fault))
            with anyio.move_on_after(TRY_EVERY):
                await stop.wait()


async def _fault_of(run: Callable[[Waiting], Awaitable[None]], waiting: Waiting) -> BaseException | None:
    """One run: None once it ended in order, or the fault that passes."""
    try:
        await run(waiting)
    except Exception as error:
        fault = leading_fault(error)
        if not _passes(fault, waiting):
            raise fault from error
        return fault
    return None


def _passes(fault: BaseException, waiting: Waiting) -> bool:
    """Whether to try again. Raises Fatal for a lock that is not given up.

    After a run of ours the lock that somebody holds may be our own. Under a service manager it may be that of the process
    before: by hand the holder is told at once, and a manager that hears "bad config" never tries again.
    """
    if not isinstance(fault, BadConfig) or not fault.lock_is_taken:
        return isinstance(fault, DatabaseAway)
    is_late = time.monotonic() - waiting.since > LOCK_LINGERS
    if waiting.has_run and waiting.why:
        if is_late:
            raise Fatal(f"after the database was away: {fault}", ExitCode.TEMPORARY) from fault
        return True
    return systemd.is_listening() and not is_late


async def _keep_told(waiting: Waiting, tell: Callable[[Waiting], None]) -> None:
    """Only while no run tells it itself: to wait is no reason to be killed."""
    while True:
        if not waiting.is_over:
            systemd.notify(*lines_of(waiting, time.monotonic()))
            tell(waiting)
        await anyio.sleep(TRY_EVERY)


def lines_of(waiting: Waiting, now: float) -> list[str]:
    """The lines for the notify socket; nothing that feeds the watchdog once an attempt hangs."""
    lines = [f"STATUS=waits for the database: {waiting.why}" if waiting.why else "STATUS=starting"]
    if now - waiting.attempted_at <= ATTEMPT_LIMIT:
        lines += ["WATCHDOG=1", f"EXTEND_TIMEOUT_USEC={EXTEND_MICROSECONDS}"]
    if waiting.why and now - waiting.since > READY_AFTER:
        lines.append("READY=1")
    return lines
