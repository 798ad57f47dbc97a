"""How surely a mean is known: its interval by whole closes, and how many closes it takes; it never counts a moment of a close twice.

A close is a moment at which markets end, of whatever coin and series: what hangs on it is one draw. The error of a mean is the
larger of two: how differently the closes came out, and how differently chance alone would let them come out if the prices and
forecasts were right. Without the second a row in which something rare has not happened yet would look sure.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

CONFIDENCE = 0.95
POWER = 0.8
FEWEST_CLOSES = 8
"""Of fewer no interval is given, and of closes so unequal that they weigh as fewer: it would look surer than it is."""
NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Interval:
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        return self.low > 0 or self.high < 0


@dataclass(frozen=True, slots=True)
class Close:
    """Everything that one close decided, as one draw."""

    total: float
    weight: float
    """What the total is divided by, summed over closes: moments, contracts or trades."""
    deviation: float = 0.0
    """Standard deviation of the total if what was said or paid were the true probabilities."""


@dataclass(frozen=True, slots=True)
class Mean:
    """Total by weight over all closes, and how far it may be off."""

    value: float
    error: float
    """Standard error."""
    freedom: float
    """Closes of equal weight that would know as much, less one."""

    def interval(self, confidence: float = CONFIDENCE) -> Interval:
        reach = student(0.5 + confidence / 2, self.freedom) * self.error
        return Interval(self.value - reach, self.value + reach)


def together(deviations: Iterable[tuple[Hashable, float]]) -> float:
    """Of one close: what has the same name wins and loses at once and adds up; what has not is left to what the closes show."""
    by_name: dict[Hashable, float] = {}
    for name, deviation in deviations:
        by_name[name] = by_name.get(name, 0.0) + deviation
    return math.hypot(*by_name.values())


def mean_of(closes: Sequence[Close]) -> Mean | None:
    """None for too few, or where nothing weighs anything."""
    held = [each for each in closes if each.weight > 0]
    weight = math.fsum(each.weight for each in held)
    if len(held) < FEWEST_CLOSES:
        return None
    worth = weight**2 / math.fsum(each.weight**2 for each in held)
    if worth < FEWEST_CLOSES:
        return None
    value = math.fsum(each.total for each in held) / weight
    return Mean(value, max(_observed(held, value, weight), _by_deviation(held, weight)), worth - 1)


def interval(closes: Sequence[Close], confidence: float = CONFIDENCE) -> Interval | None:
    """Of the mean, two-sided; None for too few."""
    mean = mean_of(closes)
    return None if mean is None else mean.interval(confidence)


def closes_needed(closes: Sequence[Close]) -> int | None:
    """How many closes like these tell a mean of this size from zero, by the two-sided test of its interval, in four cases of five.

    None for too few or a mean of zero.
    """
    mean = mean_of(closes)
    if mean is None or mean.value == 0:
        return None
    apart = (mean.error * math.sqrt(len(closes)) / mean.value) ** 2
    needed = max(FEWEST_CLOSES, math.ceil(_reach(math.inf) ** 2 * apart))
    while needed < (wanted := math.ceil(_reach(needed - 1) ** 2 * apart)):
        needed = wanted
    return needed


def _reach(freedom: float) -> float:
    """Standard errors from zero at which a mean is told from it in four cases of five."""
    return student(0.5 + CONFIDENCE / 2, freedom) + student(POWER, freedom)


def _observed(closes: Sequence[Close], value: float, weight: float) -> float:
    """By how much the mean moves when each close is left out in turn."""
    moves = [
        (each.total - value * each.weight) / (1 - each.weight / weight) if each.weight < weight else 0.0
        for each in closes
    ]
    many = len(closes)
    return math.sqrt(math.fsum(each**2 for each in moves) * (many - 1) / many) / weight


def _by_deviation(closes: Sequence[Close], weight: float) -> float:
    return math.sqrt(math.fsum(each.deviation**2 for each in closes)) / weight


def student(level: float, freedom: float) -> float:
    """The quantile of Student's t, to a hundredth for levels up to 99.9 % from seven degrees of freedom on.

    The expansion of Fisher and Cornish, Abramowitz and Stegun 26.7.5.
    """
    z = NORMAL.inv_cdf(level)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + math.fsum(term / freedom**power for power, term in enumerate(terms, 1))
