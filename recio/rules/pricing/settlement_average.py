"""The mean of the final sixty prints as it is seen at one moment: computed once, asked for every strike of a ladder; it never guesses.

Moves have fat tails: the mean is drawn from one of two normals about the same centre, a narrow one most of the time and a
wide one now and then. How narrow, how wide and how often was fitted on candles (`recio/rules/pricing/average_fit.py`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from math import erfc

import msgspec

from recio.rules.pricing.average_fit import Fit, Tails
from recio.rules.pricing.closing_minute import ClosingMinute

ROOT_HALF = math.sqrt(0.5)


class SettlementForecast(msgspec.Struct, frozen=True, gc=False):
    """Where the mean will lie: dollars, and shares in [0, 1]."""

    expected: float
    narrow: float
    """Standard deviation most of the time; 0 once every print is made."""
    wide: float
    often: float
    """Share of the narrow one."""
    volatility: float
    """That it was computed with: relative per square-root second of the time to come."""
    minute: ClosingMinute
    """What it was made of."""
    by_narrow: float
    by_wide: float
    """What turns a distance into the argument of erfc; computed once, because every strike of every cycle needs it."""

    def above(self, threshold: float) -> float:
        """P(mean >= threshold)."""
        far = threshold - self.expected
        if self.narrow == 0.0:
            return 0.0 if far > 0.0 else 1.0
        often = self.often
        # 0.5 erfc(-z / sqrt 2) is the normal distribution.
        return 0.5 * (often * erfc(far * self.by_narrow) + (1.0 - often) * erfc(far * self.by_wide))


def forecast(
    minute: ClosingMinute, volatility: float, seconds_to_close: float, fit: Fit
) -> SettlementForecast:
    """What is known of the mean; `volatility` is that of the time to come, relative per square-root second.

    What nobody saw and what an exchange's price may be off are part of the spread, so that nothing is certain by them.
    Raises ValueError for a price, volatility or time that cannot be.
    """
    if minute.level <= 0 or volatility <= 0 or seconds_to_close < 0:
        raise ValueError("price and volatility must be positive and the time to close not negative")
    spread = minute.level * volatility * math.sqrt(minute.to_come)
    unknown = minute.bridged + minute.error * minute.error
    shape = tails_at(fit.tails, seconds_to_close)
    narrow = math.sqrt((spread * shape.narrow) ** 2 + unknown)
    wide = math.sqrt((spread * shape.wide) ** 2 + unknown)
    return SettlementForecast(
        expected=minute.expected,
        narrow=narrow,
        wide=wide,
        often=shape.often,
        volatility=volatility,
        minute=minute,
        by_narrow=ROOT_HALF / narrow if narrow else 0.0,
        by_wide=ROOT_HALF / wide if wide else 0.0,
    )


def tails_at(knots: Sequence[Tails], seconds: float) -> Tails:
    """The shape of a move over so many seconds: linear in their logarithm between the knots, beyond them the nearest."""
    earlier = knots[0]
    for knot in knots:
        if seconds <= knot.seconds:
            if knot is earlier:
                return knot
            part = math.log(seconds / earlier.seconds) / math.log(knot.seconds / earlier.seconds)
            return Tails(
                seconds=seconds,
                often=earlier.often + part * (knot.often - earlier.often),
                narrow=earlier.narrow + part * (knot.narrow - earlier.narrow),
                wide=earlier.wide + part * (knot.wide - earlier.wide),
            )
        earlier = knot
    return earlier
