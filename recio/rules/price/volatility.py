"""Realised volatility over several horizons and the last seconds of prices, as far as they were seen; it never fills a hole.

Trades bounce between bid and ask, so returns are taken over ten-second steps, where the bounce is small against the move;
one-second returns would overstate the volatility. Every second begins a step, so that no phase of them is preferred.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice

from recio.messages.prices import Momentum
from recio.rules.price import momentum
from recio.rules.price.momentum import LONGEST_MINUTES

STEP_SECONDS = 10
STILL_LIMIT = 0.5
"""Part of the steps that may show no move at all: a feed that mostly stood still does not tell how far the market goes."""
LAST_MINUTE = 90
"""Seconds that are told: the closing minute, and what a hole at its beginning is bridged from."""
REMEMBERED_SECONDS = 60 * LONGEST_MINUTES + 60
"""As long as the longest horizon of momentum, and a minute more."""
CONFIRMED_WITHIN = 3
"""Seconds within which the next word of a living connection says that the price did not change before it."""
FEWEST_STEPS = 20
"""Of fewer, a horizon says nothing."""

HORIZONS = ((300, 0.2), (900, 0.0), (1800, 0.8))
"""Seconds over which past moves are measured, and each one's part in the variance of the time to come.

The quarter of an hour, by which markets are often judged, told nothing that the other two do not.
"""
MEASURED_SECONDS = HORIZONS[-1][0]
Hole = tuple[int, int]
"""(first, until): Unix seconds of which no price is known, the second not among them."""
STILL_RUNS = 2**40
"""Until when a hole goes of which the end is not known yet."""


@dataclass(slots=True)
class PriceMemory:
    """The last price of each complete second that was seen or confirmed, for `REMEMBERED_SECONDS` at most.

    A second without a trade repeats the price before it only where the next word came soon: the last price is still the
    price while somebody says so. Of other seconds nothing is known, and nothing is remembered.
    """

    warmup_seconds: int = 60
    confirmed_within: float = CONFIRMED_WITHIN
    seconds: deque[tuple[int, Decimal]] = field(default_factory=deque[tuple[int, Decimal]])
    """Ascending."""
    current: tuple[int, Decimal] | None = None
    levels: dict[int, float] = field(default_factory=dict[int, float])
    """The same by second."""
    squares: deque[tuple[int, float]] = field(default_factory=deque[tuple[int, float]])
    """(second, squared move of the step that ends with it), ascending, no older than what is measured."""
    still: int = 0
    """Steps without a move among them."""
    holes: tuple[Hole, ...] = ()
    """Of what is measured, ascending; the first may reach back for ever."""

    def remember(self, second: int, price: Decimal) -> bool:
        """Note a price that somebody vouches for now; returns True when it completed one or more seconds.

        One of an earlier second is ignored.
        """
        if self.current is None:
            self.current = (second, price)
            return False
        past, last = self.current
        if second < past:
            return False
        self.current = (second, price)
        if second == past:
            return False
        is_confirmed = second - past <= self.confirmed_within
        for each in range(past, second if is_confirmed else past + 1):
            self.complete(each, last)
        return True

    def interrupt(self) -> None:
        """Nobody vouches for the price any more: what came of the second that still runs is not known."""
        self.current = None

    def complete(self, second: int, price: Decimal) -> None:
        """A second of which the last price is known; those before the newest are ignored."""
        newest = self.seconds[-1][0] if self.seconds else -1
        if second <= newest:
            return
        if second > newest + 1:
            self.holes = (*self.holes, (newest + 1, second))
        level = float(price)
        self.seconds.append((second, price))
        self.levels[second] = level
        before = self.levels.get(second - STEP_SECONDS)
        if before is not None:
            square = math.log(level / before) ** 2
            self.squares.append((second, square))
            self.still += square == 0.0
        self._forget(second)

    def _forget(self, newest: int) -> None:
        while self.seconds[0][0] <= newest - REMEMBERED_SECONDS:
            del self.levels[self.seconds.popleft()[0]]
        while self.squares and self.squares[0][0] <= newest - MEASURED_SECONDS:
            self.still -= self.squares.popleft()[1] == 0.0
        if self.holes and self.holes[0][1] <= newest - MEASURED_SECONDS:
            self.holes = self.holes[1:]

    def volatility(self) -> float | None:
        """Standard deviation of the relative change per square-root second; None while it cannot be known.

        That is while warming up, and as long as the price stood still most of the time: near zero it would make
        every probability certain. A horizon of which too little was seen leaves its part to the others.
        """
        if len(self.seconds) < self.warmup_seconds or not self.squares:
            return None
        if self.still > STILL_LIMIT * len(self.squares):
            return None
        newest, known = self.seconds[-1][0], list[tuple[float, float]]()
        for seconds, part in HORIZONS:
            squares = self._squares_since(newest - seconds) if part else []
            if len(squares) >= FEWEST_STEPS:
                known.append((part, math.fsum(squares) / len(squares)))
        whole = sum(part for part, _ in known)
        if not whole:
            return None
        return math.sqrt(sum(part * mean for part, mean in known) / whole / STEP_SECONDS)

    def _squares_since(self, second: int) -> list[float]:
        found = list[float]()
        for at, square in reversed(self.squares):
            if at <= second:
                break
            found.append(square)
        return found

    def unmeasured(self, now: float) -> tuple[Hole, ...]:
        """What is measured knows nothing of these seconds: its holes, and the one that still runs, if any."""
        newest = self.seconds[-1][0] if self.seconds else -1
        if now - newest <= self.confirmed_within + 1:
            return self.holes
        return (*self.holes, (newest + 1, STILL_RUNS))

    def momentum(self) -> Momentum | None:
        """The weighted move of the last half hour; None while too little is known."""
        return momentum.of_levels(self.levels, self.seconds[-1][0]) if self.seconds else None

    def is_past(self, now: float) -> bool:
        """Its newest second is too old for a move up to now."""
        return not self.seconds or now - self.seconds[-1][0] > momentum.LONGEST_HOLE + self.confirmed_within

    def last_minute(self) -> tuple[tuple[int, Decimal], ...]:
        """The seconds that are told, ascending."""
        if not self.seconds:
            return ()
        since = self.seconds[-1][0] - LAST_MINUTE
        newest = islice(reversed(self.seconds), 0, LAST_MINUTE)
        return tuple([each for each in newest if each[0] > since][::-1])

    def completed_since(self, second: int) -> list[tuple[int, Decimal]]:
        """Complete seconds after `second`, ascending."""
        newer: list[tuple[int, Decimal]] = []
        for each in reversed(self.seconds):
            if each[0] <= second:
                break
            newer.append(each)
        return newer[::-1]
