"""Counts why nothing was opened: for each event and each first closed gate, how often, for how long and in what words last; it decides nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from recio.messages.decisions import RejectionCount
from recio.units import EventTicker

NO_EVENT = EventTicker("")
"""Of cycles in which no event was open."""
LONGEST_LOOK = 10.0
"""Market seconds that one look stands for at most: what lies before was not looked at."""
Key = tuple[EventTicker, str]


@dataclass(slots=True)
class Rejections:
    """What has been counted; whoever keeps it takes what was added since the last time."""

    totals: dict[Key, RejectionCount] = field(default_factory=dict[Key, RejectionCount])
    unkept: dict[Key, RejectionCount] = field(default_factory=dict[Key, RejectionCount])
    looked_at: dict[EventTicker, datetime] = field(default_factory=dict[EventTicker, datetime])

    def note(self, event: EventTicker, gate: str, sentence: str, now: datetime) -> None:
        passed = (now - self.looked_at.get(event, now)).total_seconds()
        self.looked_at[event] = now
        seconds = min(max(passed, 0.0), LONGEST_LOOK)
        once = RejectionCount(
            event=event, gate=gate, cycles=1, first_at=now, last_at=now, sentence=sentence, seconds=seconds
        )
        for counted in (self.totals, self.unkept):
            before = counted.get((event, gate))
            counted[event, gate] = once if before is None else added(before, once)

    def of(self, events: Iterable[EventTicker]) -> tuple[RejectionCount, ...]:
        """The counts of these events, the longest first; those of others are forgotten."""
        wanted = {NO_EVENT, *events}
        self.looked_at = {event: at for event, at in self.looked_at.items() if event in wanted}
        self.totals = {key: each for key, each in self.totals.items() if key[0] in wanted}
        return tuple(
            sorted(
                self.totals.values(), key=lambda each: (each.event, -each.seconds, -each.cycles, each.gate)
            )
        )

    def take_unkept(self) -> tuple[RejectionCount, ...]:
        taken, self.unkept = tuple(self.unkept.values()), {}
        return taken

    def give_back(self, taken: Iterable[RejectionCount]) -> None:
        """They could not be kept: they count on."""
        for each in taken:
            key = (each.event, each.gate)
            later = self.unkept.get(key)
            self.unkept[key] = each if later is None else added(each, later)


def added(before: RejectionCount, later: RejectionCount) -> RejectionCount:
    """Both together; the clock may have been set back between the two."""
    return replace(
        later,
        cycles=before.cycles + later.cycles,
        seconds=before.seconds + later.seconds,
        first_at=min(before.first_at, later.first_at),
        last_at=max(before.last_at, later.last_at),
    )
