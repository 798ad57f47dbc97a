"""Lets some events come in any order while a fault asks for it; it loses none and delays no other."""

from __future__ import annotations

from heapq import heappop, heappush
from random import Random

from recio.exchange_sim.engine.events import Event
from recio.exchange_sim.faults.faults import Faults
from recio.exchange_sim.faults.kinds import FaultKind


class Shuffle:
    """Events of these kinds that wait, each with the host time at which it comes."""

    def __init__(self, kinds: tuple[type, ...]) -> None:
        self._kinds = kinds
        self._waiting: list[tuple[float, int, Event]] = []
        self._random = Random(1)
        self._seen = 0

    def pass_through(self, events: list[Event], faults: Faults, host_now: float) -> list[Event]:
        """What comes now: what need not wait, and then what has waited long enough."""
        lag = faults.lag(FaultKind.SHUFFLE_PRIVATE, host_now)
        if not lag and not self._waiting:
            return events
        coming: list[Event] = []
        for event in events:
            if lag and isinstance(event, self._kinds):
                self._seen += 1
                faults.count(FaultKind.SHUFFLE_PRIVATE)
                heappush(self._waiting, (host_now + self._random.uniform(0, lag), self._seen, event))
            else:
                coming.append(event)
        while self._waiting and self._waiting[0][0] <= host_now:
            coming.append(heappop(self._waiting)[2])
        return coming
