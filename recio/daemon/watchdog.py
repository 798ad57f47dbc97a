"""Tells systemd how the daemon is, and feeds its watchdog only while every critical task makes progress; it mends nothing.

It looks at the tasks by itself, so that a failure detector that stands still is found as well.
"""

from __future__ import annotations

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


async def keep_systemd_told(wires: Wires, task_health: HealthByTask, config: Config) -> None:
    """READY once the account was compared, STATUS always, WATCHDOG only while no critical task is frozen."""
    ready, starved, limit = False, list[str](), task_limit(config)
    while True:
        if not ready and wires.account.get() is not None:
            ready = True
            systemd.notify("READY=1")
        reasons = not_ready(wires, task_health, config)
        systemd.notify(f"STATUS={'trading' if not reasons else reasons[0]}")
        frozen = [each.name for each in task_health.frozen(limit) if each.name not in DISPENSABLE]
        if not frozen:
            systemd.notify("WATCHDOG=1")
        if frozen != starved:
            log.error("watchdog starves" if frozen else "watchdog is fed again", tasks=frozen)
            starved = frozen
        await anyio.sleep(NOTIFY_EVERY)
