"""Lets a test freeze one task at the n-th turn of its loop, so that whoever must notice is seen to notice; it decides nothing.

Nothing happens unless RECIO_FREEZE="<task>:<nth>" was armed, which is refused anywhere but in
environment "sim". The task stands still where it is, with all it holds, as one that waits for ever does.
"""

from __future__ import annotations

import asyncio
import difflib
import os
from dataclasses import dataclass
from enum import StrEnum, unique

from recio.errors import BadConfig

VARIABLE = "RECIO_FREEZE"


@unique
class Task(StrEnum):
    """Every supervised task by its name."""

    PRICE_FEED = "price_feed"
    MARKET_SYNC = "market_sync"
    ACCOUNT_SYNC = "account_sync"
    ENTRY = "entry"
    EXIT = "exit"
    TRADE_MANAGER = "trade_manager"
    EXECUTOR = "executor"
    FAILURE_DETECTOR = "failure_detector"
    BRAKE = "brake"
    STATUS_HTTP = "status_http"
    RECORDER = "recorder"
    SHADOW = "shadow"


@dataclass(slots=True)
class _Armed:
    task: Task
    left: int


_armed: _Armed | None = None


async def turn_of(task: Task) -> None:
    """The task's loop is here once in each turn; it stays here for ever if a test asked for it."""
    if _armed is not None and _armed.task is task:
        _armed.left -= 1
        if _armed.left <= 0:
            os.write(2, f"task {task.value} frozen\n".encode())
            await asyncio.Event().wait()


def arm(asked: str | None, *, simulated: bool) -> Task | None:
    """Arm what the environment variable asks for. Raises BadConfig where it may not be, or names nothing."""
    global _armed
    _armed = None
    if not asked:
        return None
    if not simulated:
        raise BadConfig(
            f'{VARIABLE} = {asked!r} freezes a task on purpose and is for kalshi.environment = "sim" only:'
            " unset it"
        )
    name, _, nth = asked.partition(":")
    _armed = _Armed(task=_named(name), left=_counted(nth))
    return _armed.task


def _named(name: str) -> Task:
    try:
        return Task(name)
    except ValueError:
        near = difflib.get_close_matches(name, list(Task), n=1, cutoff=0.0)
        raise BadConfig(f"{VARIABLE} names the task {name!r}; the nearest one is {near[0]}") from None


def _counted(nth: str) -> int:
    if not nth:
        return 1
    if not nth.isdecimal() or int(nth) < 1:
        raise BadConfig(
            f"{VARIABLE} asks for the turn {nth!r}: write a whole number from 1 on, as in entry:2"
        )
    return int(nth)
