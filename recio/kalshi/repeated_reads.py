"""Reads of the venue that are made again and again, each by itself: one that fails ages what is known and ends nothing.

What was told of a fault is not told again until it changes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import NoReturn

import anyio
import structlog

from recio.clock import Clock
from recio.kalshi.answers import NoAnswer
from recio.messages.markets import VenueRead

log: structlog.stdlib.BoundLogger = structlog.get_logger()

BURST = 0.3
"""Host seconds in which several reasons to read are one; also what the venue is given after an open or close."""
FIRST_WAIT = 0.5
LONGEST_WAIT = 15.0
"""Host seconds between two attempts of a read that keeps failing."""
FIRST_TRY = 2.0
"""Host seconds for which one read may wait for another's first attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeated:
    """One thing that is read again and again."""

    name: str
    every: float
    carry_out: Callable[[], Awaitable[float | None]]
    """Returns for how many host seconds a cache had kept what was read. Raises NoAnswer."""
    wait: Callable[[], float] | None = None
    """Host seconds to the next time, where they are not always the same."""
    may_be_missing: bool = False


@dataclass(slots=True)
class RepeatedReads:
    """How old each read is; `changed` is called after every attempt."""

    clock: Clock
    changed: Callable[[], None]
    ages: dict[str, VenueRead] = field(default_factory=dict[str, VenueRead])
    _wake: dict[str, anyio.Event] = field(default_factory=dict[str, anyio.Event])
    _tried: dict[str, anyio.Event] = field(default_factory=dict[str, anyio.Event])

    def add(self, read: Repeated) -> None:
        """Know of it before it is read for the first time."""
        fresh = VenueRead(name=read.name, every=read.every, may_be_missing=read.may_be_missing)
        self.ages.setdefault(read.name, fresh)
        self._tried[read.name] = anyio.Event()

    def wake(self, *names: str) -> None:
        """There is a reason to read these before their time; no name: all of them. A read that fails keeps its waits."""
        for name in names or self._wake:
            if name in self._wake:
                self._wake[name].set()

    async def tried(self, *names: str) -> None:
        """Until each has been tried once, or for a moment."""
        with anyio.move_on_after(FIRST_TRY):
            for name in names:
                await self._tried[name].wait()

    async def keep(self, read: Repeated) -> NoReturn:
        """Read it in its time, for ever; what fails is tried again by itself, and holds up nothing else."""
        faults = 0
        while True:
            wake = self._wake[read.name] = anyio.Event()
            fault, age = await _carried_out(read)
            faults = faults + 1 if fault else 0
            self._note(read.name, fault, age)
            self._tried[read.name].set()
            if fault:
                await anyio.sleep(min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(faults - 1, 10)))
                continue
            with anyio.move_on_after(read.wait() if read.wait else read.every):
                await wake.wait()
            await anyio.sleep(BURST)

    def _note(self, name: str, fault: str, age: float) -> None:
        before = self.ages[name]
        true_at = self.clock.utc() - timedelta(seconds=age * self.clock.speed)
        # A list that a cache had kept for longer than the one before tells nothing newer.
        confirmed = max(true_at, before.confirmed_at or true_at)
        if fault and fault != before.fault:
            since = before.confirmed_at
            known = "nothing" if since is None else since.isoformat(timespec="seconds")
            log.warning("read fails", read=name, why=fault, known_as_of=known)
        elif before.fault and not fault:
            log.info("read succeeds again", read=name)
        self.ages[name] = replace(
            before, fault=fault, confirmed_at=before.confirmed_at if fault else confirmed
        )
        self.changed()


async def _carried_out(read: Repeated) -> tuple[str, float]:
    """Why it failed, empty if it did not, and how old what it read was. A bug of ours that only some answer wakes is told,
    and ends nothing either."""
    try:
        return "", await read.carry_out() or 0.0
    except NoAnswer as error:
        return str(error), 0.0
    except Exception as error:
        log.exception("read broke", read=read.name)
        return f"{type(error).__name__}: {error}", 0.0
