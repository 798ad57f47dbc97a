"""Waits at the start for a database that is away and tells systemd so; it waits for nothing that does not pass by itself.

A process that ends because something outside is away is started anew only to find it away again, and whoever counts
starts gives up on it with positions open. So it stays, says what it waits for, and goes on by itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field
from typing import TypeVar

import anyio
import structlog

from recio.daemon import systemd
from recio.errors import ExitCode, Fatal
from recio.supervisor import leading_fault

log: structlog.stdlib.BoundLogger = structlog.get_logger()
T = TypeVar("T")

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 5.0
"""Host seconds between two attempts; they double."""
TELL_EVERY = 1.0
READY_AFTER = 30.0
"""Host seconds of waiting after which systemd is told READY all the same: a boot does not wait with us, and from then
on the watchdog does look."""
ATTEMPT_LIMIT = 300.0
"""Host seconds that one attempt may take, a migration included, before the watchdog is no longer fed."""
EXTEND_MICROSECONDS = 30_000_000


@dataclass(slots=True)
class Start:
    """How far the start is. Times are host monotonic seconds."""

    began: float = field(default_factory=time.monotonic)
    attempted_at: float = field(default_factory=time.monotonic)
    waits_for: str = ""
    is_over: bool = False


async def opened(
    stack: AsyncExitStack,
    opening: Callable[[], AbstractAsyncContextManager[T]],
    stop: anyio.Event,
    start: Start,
) -> T | None:
    """Enter what `opening` gives, again and again while a passing fault prevents it; None if `stop` came first.

    Raises what does not pass, as it is.
    """
    pause = FIRST_PAUSE
    while not stop.is_set():
        start.attempted_at = time.monotonic()
        try:
            entered = await stack.enter_async_context(opening())
        except Exception as error:
            fault = leading_fault(error)
            if not _may_pass(fault, start):
                raise
            _tell(start, str(fault))
        else:
            if start.waits_for:
                log.info("no longer waiting", seconds=round(time.monotonic() - start.began, 1))
            start.is_over = True
            return entered
        with anyio.move_on_after(pause):
            await stop.wait()
        pause = min(2 * pause, LONGEST_PAUSE)
    return None


def _may_pass(fault: BaseException, start: Start) -> bool:
    if not isinstance(fault, Fatal):
        return False
    if fault.exit_code is ExitCode.TEMPORARY:
        return True
    # By hand it is told at once; a service manager that is told "bad config" never tries again.
    return systemd.is_listening() and time.monotonic() - start.began < fault.may_pass_within


def _tell(start: Start, words: str) -> None:
    """Once for each thing that is waited for, and to systemd with the next look."""
    if words != start.waits_for:
        log.warning("waiting", why=words)
    start.waits_for = words


async def tell_of_the_start(start: Start) -> None:
    """What systemd has to know until the tasks run: that it goes on, and what it waits for."""
    while not start.is_over:
        systemd.notify(*lines_of(start, time.monotonic()))
        await anyio.sleep(TELL_EVERY)


def lines_of(start: Start, now: float) -> list[str]:
    """The lines for the notify socket; nothing that feeds the watchdog once an attempt hangs."""
    lines = [f"STATUS=waiting: {start.waits_for}" if start.waits_for else "STATUS=starting"]
    if now - start.attempted_at <= ATTEMPT_LIMIT:
        lines += ["WATCHDOG=1", f"EXTEND_TIMEOUT_USEC={EXTEND_MICROSECONDS}"]
    if start.waits_for and now - start.began > READY_AFTER:
        lines.append("READY=1")
    return lines
