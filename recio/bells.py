"""Bells: what a task sleeps on that reads several wires, and how it lets others go first; they carry no value and lose no ring."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from typing import Protocol

import anyio

TIMER_SECONDS = 0.001
"""What an event loop's timers are exact to."""


class Rings(Protocol):
    """Any wire, for who only wants to be woken by it."""

    def wake(self, bell: Bell) -> None: ...
    def let_sleep(self, bell: Bell) -> None: ...


class Bell:
    """What one reader of several wires sleeps on: each of them rings it, and no ring is lost while the reader works.

    It sleeps on the event loop itself: a time-out object and an event for each market message cost more than to decide.
    """

    def __init__(self) -> None:
        self._rung = False
        self._sleeper: asyncio.Future[None] | None = None
        self._until = 0.0
        """When the sleeper wakes by itself, in the event loop's time."""
        self._timer: asyncio.Handle | None = None
        """uvloop's handle of a moment that has come already cannot say when it is."""
        self._timer_at = 0.0

    def ring(self) -> None:
        self._rung = True
        if self._sleeper is not None and not self._sleeper.done():
            self._sleeper.set_result(None)

    async def wait(self, seconds: float) -> None:
        """Until it rings or rang since the last wait, at most so many host seconds."""
        if not self._rung:
            loop = asyncio.get_running_loop()
            self._sleeper = loop.create_future()
            self._until = loop.time() + max(0.0, seconds)
            if self._timer is None or self._timer_at > self._until:
                self._set_timer(loop)
            try:
                await self._sleeper
            finally:
                self._sleeper = None
        else:
            await asyncio.sleep(0)
        self._rung = False

    def _set_timer(self, loop: asyncio.AbstractEventLoop) -> None:
        self.stop_timer()
        self._timer, self._timer_at = loop.call_at(self._until, self._time_is_up, loop), self._until

    def _time_is_up(self, loop: asyncio.AbstractEventLoop) -> None:
        """A timer outlives the waits that a ring ended: to set one for each message cost more than this look."""
        self._timer = None
        if self._sleeper is None:
            return
        if self._until - loop.time() < TIMER_SECONDS:
            self.ring()
        else:
            self._set_timer(loop)

    def stop_timer(self) -> None:
        """Nobody waits for it any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


@contextmanager
def woken_by(*wires: Rings) -> Generator[Bell]:
    """A bell that these wires ring for as long as the block lasts."""
    bell = Bell()
    for wire in wires:
        wire.wake(bell)
    try:
        yield bell
    finally:
        for wire in wires:
            wire.let_sleep(bell)
        bell.stop_timer()


class Bells:
    """Those who sleep on one wire."""

    def __init__(self) -> None:
        self._bells: list[Bell] = []
        self._changed: anyio.Event | None = None

    def wake(self, bell: Bell) -> None:
        self._bells.append(bell)

    def let_sleep(self, bell: Bell) -> None:
        self._bells.remove(bell)

    def ring(self) -> None:
        for bell in self._bells:
            bell.ring()
        if self._changed is not None:
            self._changed.set()
            self._changed = None

    async def wait(self) -> None:
        """Until the next ring."""
        if self._changed is None:
            self._changed = anyio.Event()
        await self._changed.wait()


async def stand_aside() -> None:
    """Let whoever was just woken go first, and whom it wakes: an order's way is three tasks long."""
    for _ in range(3):
        await asyncio.sleep(0)
