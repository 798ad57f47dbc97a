"""The prints of one coin's settlement index as they were heard: the newest, how long it has repeated itself, and what the
venue says of the closing minute; it fills no second that was not printed.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from recio.messages.prices import FinalMinute, IndexValue
from recio.rules.price.volatility import LAST_MINUTE

QUARTER_HOUR = 900
"""Seconds between two closing minutes of which the venue gives a mean."""
TWITCH = Decimal("0.000001")
"""A value so near to where it stood still stands. At the usual volatility a second that goes no further comes once in 75."""
REPEATS_FROM = 2.0
"""Seconds from which on the same value counts as a repetition: once in a while two prints in a row are the same."""


@dataclass(slots=True)
class IndexPrints:
    last: IndexValue | None = None
    still_since: datetime | None = None
    """When the newest value was printed first, or one that it hardly differs from."""
    still_at: Decimal | None = None
    """The value of then."""
    levels_then: tuple[Decimal, ...] = ()
    """What the sources said then."""
    minute: deque[tuple[int, Decimal]] = field(
        default_factory=lambda: deque[tuple[int, Decimal]](maxlen=LAST_MINUTE)
    )
    final: FinalMinute | None = None

    def hear(self, each: IndexValue, levels: tuple[Decimal, ...]) -> bool:
        """Note a print that is newer than the last; returns whether it says anything new."""
        moved = self.still_at is None or abs(each.value - self.still_at) > TWITCH * self.still_at
        if moved:
            self.still_since, self.still_at, self.levels_then = each.at, each.value, levels
        second = math.floor(each.at.timestamp())
        if self.minute and self.minute[-1][0] == second:
            self.minute.pop()
        self.minute.append((second, each.value))
        if self.final is not None and second > self.final.closes_at:
            self.final = None
        self.last, self.final = each, _final(each, second) or self.final
        return moved

    def recall(self, prints: Iterable[IndexValue]) -> None:
        """Prints that were missed and read later: they belong to the last minute, and to nothing that goes by order."""
        known = {second for second, _ in self.minute}
        missed = {math.floor(each.at.timestamp()): each.value for each in prints}
        fresh = [(second, value) for second, value in missed.items() if second not in known]
        if not self.minute or not fresh:
            return
        kept = sorted((*self.minute, *fresh))[-LAST_MINUTE:]
        self.minute.clear()
        self.minute.extend(kept)

    def still_for(self) -> float:
        """Seconds for which its value has repeated itself; 0 while it does not."""
        if self.last is None or self.still_since is None:
            return 0.0
        seconds = (self.last.at - self.still_since).total_seconds()
        return seconds if seconds >= REPEATS_FROM else 0.0


def _final(each: IndexValue, second: int) -> FinalMinute | None:
    if each.final_minute_mean is None or each.final_minute_count is None:
        return None
    closes_at = -(-second // QUARTER_HOUR) * QUARTER_HOUR
    return FinalMinute(
        closes_at=closes_at, until=second, count=each.final_minute_count, mean=each.final_minute_mean
    )
