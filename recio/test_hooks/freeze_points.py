"""Lets a test freeze one task at the n-th cycle of its loop, so that whoever must notice is seen to notice; it decides nothing.

Nothing happens unless RECIO_FREEZE="<task>:<nth>" was armed, which is refused anywhere but in
environment "sim". The task stands still where it is, with all it holds, as one that waits for ever does.
"""

from __future__ import annotations

import asyncio
import os
from enum import StrEnum, unique

from recio.test_hooks.arming import Armed, armed_by

VARIABLE = "RECIO_FREEZE"


@unique
class Task(StrEnum):
    """Every supervised task by its name."""

    PRICE_FEED = "price_feed"
    MARKET_SYNC = "market_sync"
    DISCOVERY = "discovery"
    ACCOUNT_SYNC = "account_sync"
    ENTRY = "entry"
    EXIT = "exit"
    TRADE_MANAGER = "trade_manager"
    EXECUTOR = "executor"
    FAILURE_DETECTOR = "failure_detector"
    KILL_SWITCH = "kill_switch"
    STATUS_HTTP = "status_http"
    RECORDER = "recorder"
    SHADOW = "shadow"
    ALERTS = "alerts"


_armed: Armed | None = None


async def cycle_of(task: Task) -> None:
    """The task's loop is here once in each cycle; it stays here for ever if a test asked for it."""
    if _armed is not None and _armed.is_due(task.value):
        os.write(2, f"task {task.value} frozen\n".encode())
        await asyncio.Event().wait()


def arm(asked: str | None, *, simulated: bool) -> Task | None:
    """Arm what the environment variable asks for. Raises BadConfig where it may not be, or names nothing."""
    global _armed
    _armed = armed_by(
        VARIABLE, asked, list(Task), simulated=simulated, does="freezes a task", example="entry:2"
    )
    return None if _armed is None else Task(_armed.name)
