"""Runs a task, restarts it after a fault, gives up upward, and keeps the health of every task; it knows no trading."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import cast

import anyio
import structlog

from recio.errors import DatabaseAway, ExitCode, Fatal, Transient

log: structlog.stdlib.BoundLogger = structlog.get_logger()


class State(StrEnum):
    STARTING = "starting"
    RUNNING = "running"
    BACKING_OFF = "backing_off"
    STOPPED = "stopped"


@dataclass(slots=True)
class TaskHealth:
    """What is known of one task. Times are host monotonic seconds."""

    name: str
    state: State = State.STARTING
    restarts: int = 0
    sentence: str = "starting"
    progressed_at: float = field(default_factory=time.monotonic)
    last_error: str | None = None

    @property
    def age_seconds(self) -> float:
        """Since its last cycle."""
        return time.monotonic() - self.progressed_at

    def begin(self) -> None:
        """It is started, for the first time or anew: what was before counts no longer."""
        self.state = State.STARTING
        self.progressed_at = time.monotonic()

    def say(self, sentence: str) -> None:
        """One cycle of the task's loop: its heartbeat and what the page shows."""
        self.state = State.RUNNING
        self.sentence = sentence
        self.progressed_at = time.monotonic()


ALERTS = "alerts"
"""Calls somebody: whatever becomes of it stops no entry and ends no process; an outside service notices its silence."""
DISPENSABLE = frozenset({"status_http", "recorder", "shadow", ALERTS})
"""Tasks without which trading goes on as well: a page, a recording or a shadow that stands still is no reason to start anew."""


Say = Callable[[str], None]
Run = Callable[[Say], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartPolicy:
    """Back-off doubles from `first_wait` to `longest_wait` host seconds and is forgotten after `calm`.

    A task that breaks `give_up_after` times without `calm` seconds of health in between is given up: the process ends
    and systemd starts it anew. What passes is waited for, however long it takes: a new process would meet it too.
    """

    first_wait: float = 0.25
    longest_wait: float = 10.0
    calm: float = 60.0
    give_up_after: int = 20

    def wait(self, faults: int) -> float:
        return min(self.longest_wait, self.first_wait * 2 ** min(faults - 1, 16))


@dataclass(frozen=True, slots=True)
class HealthByTask:
    """The health of every task, by name."""

    tasks: dict[str, TaskHealth] = field(default_factory=dict[str, TaskHealth])

    def frozen(self, limit: float) -> list[TaskHealth]:
        """Tasks without a cycle for longer than `limit` host seconds, oldest first; one that waits to be
        started anew is looked after by its supervisor."""
        late = [
            each
            for each in self.tasks.values()
            if each.age_seconds > limit and each.state is not State.BACKING_OFF
        ]
        return sorted(late, key=lambda each: each.progressed_at)

    def needed(self) -> dict[str, TaskHealth]:
        """Those whose faults stop entries."""
        return {name: each for name, each in self.tasks.items() if name != ALERTS}

    def enter(self, name: str) -> TaskHealth:
        return self.tasks.setdefault(name, TaskHealth(name))


async def supervise(
    name: str,
    run: Run,
    task_health: HealthByTask,
    policy: RestartPolicy = RestartPolicy(),
) -> None:
    """Run a task until cancelled. A Transient or unexpected fault restarts it; Fatal goes through.

    An unexpected exception is a bug: it is logged with its traceback and treated like a fault, so
    that a bug in one task never stops exits or reconciliation; if it persists the process ends.
    """
    health = task_health.enter(name)
    faults = broke = 0
    while True:
        began = time.monotonic()
        health.begin()
        try:
            with structlog.contextvars.bound_contextvars(task=name):
                await run(health.say)
            raise Fatal(f"task {name} returned: that is a bug in recio")
        except Exception as error:
            fault = leading_fault(error)
            health.last_error = _words(fault)
            if isinstance(fault, Fatal):
                health.state = State.STOPPED
                raise fault from error
            if isinstance(fault, Transient):
                log.warning("task restarts", task=name, why=health.last_error)
            else:
                log.error("task broke", task=name, exc_info=error)
            is_bug = not isinstance(fault, Transient)
        was_calm = time.monotonic() - began > policy.calm
        faults = 1 if was_calm else faults + 1
        broke = (0 if was_calm else broke) + is_bug
        if broke >= policy.give_up_after and name != ALERTS:
            health.state = State.STOPPED
            raise Fatal(
                f"task {name} failed {broke} times in a row, last: {health.last_error}", ExitCode.TEMPORARY
            )
        health.state = State.BACKING_OFF
        health.restarts += 1
        await anyio.sleep(policy.wait(faults))


def leading_fault(error: BaseException) -> BaseException:
    """The one exception that decides what to do: Fatal before a bug before Transient, groups opened."""
    faults = _leaves(error)
    fatals = sorted((each for each in faults if isinstance(each, Fatal)), key=_is_away)
    fatal = next(iter(fatals), None)
    bug = next((fault for fault in faults if not isinstance(fault, Transient)), None)
    return fatal or bug or faults[0]


def _is_away(fault: Fatal) -> bool:
    """That the database is away passes; whatever else ends the process comes first."""
    return isinstance(fault, DatabaseAway)


def _leaves(error: BaseException) -> list[BaseException]:
    if not isinstance(error, BaseExceptionGroup):
        return [error]
    group = cast("BaseExceptionGroup[BaseException]", error)
    return [leaf for inner in group.exceptions for leaf in _leaves(inner)]


def _words(fault: BaseException) -> str:
    return str(fault) if isinstance(fault, Transient | Fatal) else f"{type(fault).__name__}: {fault}"
