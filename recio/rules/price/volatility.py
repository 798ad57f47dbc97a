"""Realised volatility over several horizons and the last minute of prices, remembered second by second.

Trades bounce between bid and ask, so returns are taken over ten-second steps, where the bounce is
small against the move; one-second returns would overstate the volatility.
"""

from __future__ import annotations

import itertools
import math
from collections import deque
from dataclasses import dataclass, field
from decimal import Decimal

from recio.messages.prices import Momentum
from recio.rules.price import momentum
from recio.rules.price.momentum import LONGEST_MINUTES

STEP_SECONDS = 10
STILL_LIMIT = 0.5
"""Part of the steps that may show no move at all: a feed that mostly stood still does not tell how far the market goes."""
LAST_MINUTE = 60
REMEMBERED_SECONDS = 60 * LONGEST_MINUTES + 60
"""As long as the longest horizon of momentum, and a minute more."""


HORIZONS = ((300, 0.2), (900, 0.0), (1800, 0.8))
"""Seconds over which past moves are measured, and each one's part in the variance of the time to come.

The quarter of an hour, by which markets are often judged, told nothing that the other two do not.
"""


@dataclass(slots=True)
class PriceMemory:
    """The last price of each complete second, for at most `REMEMBERED_SECONDS`, without holes.

    A second without a trade repeats the price before it: the last price is still the price.
    """

    warmup_seconds: int = 60
    seconds: deque[tuple[int, Decimal]] = field(
        default_factory=lambda: deque[tuple[int, Decimal]](maxlen=REMEMBERED_SECONDS)
    )
    current: tuple[int, Decimal] | None = None
    longest_hole: int = 30

    def remember(self, second: int, price: Decimal) -> bool:
        """Note a trade; returns True when it completed one or more seconds.

        A hole longer than `longest_hole` seconds forgets everything before it, because what
        happened in it is not known. A trade of an earlier second is ignored.
        """
        if self.current is None:
            self.current = (second, price)
            return False
        past, last = self.current
        if second < past:
            return False
        if second == past:
            self.current = (second, price)
            return False
        if second - past > self.longest_hole:
            self.seconds.clear()
        else:
            self.seconds.extend((each, last) for each in range(past, second))
        self.current = (second, price)
        return True

    def volatility(self) -> float | None:
        """Standard deviation of the relative change per square-root second; None while it cannot be known.

        That is while warming up, and as long as the price stood still most of the time: near zero it would make
        every probability certain.
        """
        if len(self.seconds) < self.warmup_seconds:
            return None
        recent = itertools.islice(reversed(self.seconds), 0, HORIZONS[-1][0] + 1, STEP_SECONDS)
        prices = [float(price) for _, price in recent]
        steps = [math.log(newer / older) for newer, older in itertools.pairwise(prices)]
        if not steps or steps.count(0.0) > STILL_LIMIT * len(steps):
            return None
        squares = [step * step for step in steps]
        return math.sqrt(sum(part * _mean(squares, seconds) for seconds, part in HORIZONS) / STEP_SECONDS)

    def momentum(self) -> Momentum | None:
        """The weighted move of the last half hour; None while too little is known."""
        return momentum.of_seconds(self.seconds)

    def last_minute(self) -> tuple[tuple[int, Decimal], ...]:
        """The last sixty complete seconds, ascending."""
        start = max(0, len(self.seconds) - LAST_MINUTE)
        return tuple(self.seconds[i] for i in range(start, len(self.seconds)))

    def completed_since(self, second: int) -> list[tuple[int, Decimal]]:
        """Complete seconds after `second`, ascending."""
        newer: list[tuple[int, Decimal]] = []
        for each in reversed(self.seconds):
            if each[0] <= second:
                break
            newer.append(each)
        return newer[::-1]


def _mean(squares: list[float], seconds: int) -> float:
    """Over the newest so many seconds, or as many as are known."""
    newest = squares[: seconds // STEP_SECONDS]
    return sum(newest) / len(newest)
