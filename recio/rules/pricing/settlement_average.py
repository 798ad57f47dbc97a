"""The mean of the final sixty prints as it is seen at one moment: computed once, asked for every strike of a ladder; it never guesses.

Moves have fat tails: the mean is drawn from a Student t with four degrees of freedom, whose distribution has a closed form. How
wide it is was fitted on candles (`recio/rules/pricing/average_fit.py`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from math import erfc, sqrt

import msgspec

from recio.rules.pricing.average_fit import Fit, Tails
from recio.rules.pricing.closing_minute import ClosingMinute

ROOT_HALF = math.sqrt(0.5)
OF_ERRORS = 0.767
"""Errors are normal. With so much of their variance a t is as wide at one standard error, and wider further out."""


class SettlementForecast(msgspec.Struct, frozen=True, gc=False):
    """Where the mean will lie, in dollars."""

    expected: float
    scale: float
    """0 once every print is made and known."""
    is_fat: bool
    volatility: float
    """That it was computed with: relative per square-root second of the time to come."""
    minute: ClosingMinute
    """What it was made of."""

    def above(self, threshold: float) -> float:
        """P(mean >= threshold)."""
        far, scale = threshold - self.expected, self.scale
        if scale == 0.0:
            return 0.0 if far > 0.0 else 1.0
        if not self.is_fat:
            # 0.5 erfc(-z / sqrt 2) is the normal distribution.
            return 0.5 * erfc(far / scale * ROOT_HALF)
        # With u = far / sqrt(far^2 + 4 scale^2) it is 1/2 - u (3 - u^2) / 4; written so that a far tail loses no digit.
        four = 4.0 * scale * scale
        root = sqrt(far * far + four)
        rest = four / (root * (root + (far if far > 0.0 else -far)))
        beyond = rest * rest * (3.0 - rest) * 0.25
        return beyond if far > 0.0 else 1.0 - beyond


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
    scale = math.sqrt((spread * shape.scale) ** 2 + (OF_ERRORS * unknown if fit.is_fat else unknown))
    return SettlementForecast(
        expected=minute.expected, scale=scale, is_fat=fit.is_fat, volatility=volatility, minute=minute
    )


def tails_at(knots: Sequence[Tails], seconds: float) -> Tails:
    """The shape of a move over so many seconds: linear in their logarithm between the knots, beyond them the nearest."""
    earlier = knots[0]
    for knot in knots:
        if seconds <= knot.seconds:
            if knot is earlier:
                return knot
            part = math.log(seconds / earlier.seconds) / math.log(knot.seconds / earlier.seconds)
            return Tails(seconds=seconds, scale=earlier.scale + part * (knot.scale - earlier.scale))
        earlier = knot
    return earlier
