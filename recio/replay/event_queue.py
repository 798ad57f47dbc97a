"""What is still to happen on the virtual clock, earliest first and in the order it was arranged."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

from recio.messages.orders import PlaceOrder
from recio.replay.windows import Window


@dataclass(frozen=True, slots=True)
class Arrival:
    """An order reaches the venue."""

    order: PlaceOrder


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a window is looked at."""

    window: Window


Due = Arrival | Outcome


@dataclass(slots=True)
class EventQueue:
    """Things due, by virtual time in ns."""

    things: list[tuple[int, int, Due]] = field(default_factory=list[tuple[int, int, Due]])
    numbers: Iterator[int] = field(default_factory=count)

    def arrange(self, at_ns: int, due: Due) -> None:
        heapq.heappush(self.things, (at_ns, next(self.numbers), due))

    def next_before(self, ns: int) -> tuple[int, Due] | None:
        """Take the first thing due before this time; None if there is none."""
        if not self.things or self.things[0][0] >= ns:
            return None
        at_ns, _, due = heapq.heappop(self.things)
        return at_ns, due

    def rest(self) -> list[Due]:
        """Everything that is left, in order."""
        left = [due for _, _, due in sorted(self.things, key=lambda each: each[:2])]
        self.things.clear()
        return left
