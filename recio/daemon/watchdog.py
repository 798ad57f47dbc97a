"""Tells systemd how the daemon is, and feeds its watchdog only while every critical task makes progress; it mends nothing.

It looks at the tasks by itself, so that a failure detector that stands still is found as well.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import anyio
import structlog

from recio.daemon import systemd
from recio.rules.health.conditions import task_limit
from recio.settings.config import Config
from recio.supervisor import DISPENSABLE, HealthByTask
from recio.web.snapshot import not_ready
from recio.wires import Wires

log: structlog.stdlib.BoundLogger = structlog.get_logger()

NOTIFY_EVERY = 1.0
READY_AFTER = 30.0
"""Host seconds after which READY is told although the venue is away: it is waited for, and STATUS says so."""


async def keep_systemd_told(wires: Wires, task_health: HealthByTask, config: Config) -> None:
    """READY once the account was compared or STATUS says what is waited for, WATCHDOG only while no critical task is frozen."""
    began, ready, starved, limit = time.monotonic(), False, list[str](), task_limit(config)
    while True:
        systemd.notify(f"STATUS={status_line(not_ready(wires, task_health, config))}")
        if not ready and (wires.account.get() is not None or time.monotonic() - began > READY_AFTER):
            ready = True
            systemd.notify("READY=1")
        frozen = [each.name for each in task_health.frozen(limit) if each.name not in DISPENSABLE]
        if not frozen:
            systemd.notify("WATCHDOG=1")
        if frozen != starved:
            log.error("watchdog starves" if frozen else "watchdog is fed again", tasks=frozen)
            starved = frozen
        await anyio.sleep(NOTIFY_EVERY)


def status_line(reasons: Sequence[str]) -> str:
    """One line for `systemctl status`: what it waits for, or that it waits for nothing."""
    if not reasons:
        return "trading"
    return f"not trading: {reasons[0]}" + (f" (and {len(reasons) - 1} more)" if reasons[1:] else "")
