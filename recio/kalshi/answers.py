"""What a read of the venue gave, or that it gave nothing: whatever the reason was, who asked keeps what it knows."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import TypeVar

import structlog

from recio.errors import BadConfig, Transient
from recio.kalshi.responses import VenueRefused

T = TypeVar("T")
log: structlog.stdlib.BoundLogger = structlog.get_logger()
FIRST_WAIT = 1.0
LONGEST_WAIT = 15.0
"""Host seconds between two rounds of reads while some keep failing."""


class NoAnswer(Exception):
    """The venue was asked and gave nothing that could be used; says why. Nothing is wrong with what was known."""


async def answer_of(read: Awaitable[T], *, or_refusal: bool = False) -> T:
    """What the read gave. Raises NoAnswer for everything that a read of the venue can end with instead.

    With `or_refusal` the venue's own no comes out as VenueRefused. A refused key is no reason to end: it may be the
    one answer of one gateway, and whoever opens a socket with it learns the truth of it.
    """
    try:
        return await read
    except VenueRefused as error:
        if or_refusal:
            raise
        raise NoAnswer(str(error)) from error
    except (Transient, BadConfig) as error:
        raise NoAnswer(str(error)) from error


@dataclass(slots=True)
class Round:
    """Reads that belong together and are made again and again: which of them fail, and for how many rounds."""

    about: str
    faults: list[str] = field(default_factory=list[str])
    failed: int = 0
    told: str = ""
    """The fault that was logged last; empty while there is none."""

    async def ask(self, read: Awaitable[T]) -> T | None:
        """What the read gave; None where it failed, and then the round is not whole."""
        try:
            return await answer_of(read)
        except NoAnswer as error:
            self.faults.append(str(error))
            return None

    def miss(self, why: str) -> None:
        """Something that a read which succeeded still waits for; empty: nothing."""
        if why:
            self.faults.append(why)

    def end(self) -> str:
        """The first fault of the round, told once until it changes; empty if the round is whole."""
        fault, count = next(iter(self.faults), ""), len(self.faults)
        self.faults.clear()
        self.failed = self.failed + 1 if fault else 0
        if fault and fault != self.told:
            log.warning("reads fail", reads=self.about, why=fault, failing=count)
        elif self.told and not fault:
            log.info("reads succeed again", reads=self.about)
        self.told = fault
        return fault

    @property
    def wait(self) -> float:
        """Host seconds until the next round, after one that was not whole."""
        return min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(max(self.failed - 1, 0), 10))
