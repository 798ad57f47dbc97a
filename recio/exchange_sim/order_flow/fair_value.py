"""What the mean of the last sixty index prints will be, and the probability that it reaches a strike; pure arithmetic."""

from __future__ import annotations

from math import erfc, sqrt
from typing import NamedTuple

from recio.exchange_sim.market.settlement_average import PRINTS, Fixing

_SQRT_2 = sqrt(2.0)


def normal_cdf(value: float) -> float:
    return 0.5 * erfc(-value / _SQRT_2)


def mean_variance_seconds(remaining: int, wait_seconds: float) -> float:
    """Variance of the sixty-print mean, per unit of variance per second, with this many prints left."""
    steps = (remaining - 1) * remaining * (2 * remaining - 1) / 6
    return (wait_seconds * remaining * remaining + steps) / (PRINTS * PRINTS)


class SettlementForecast(NamedTuple):
    """What the settlement value is expected to be, and the standard deviation of that."""

    expected: float
    spread: float


def settlement_forecast(*, level: float, fixing: Fixing, variance_per_second: float) -> SettlementForecast:
    """The settlement value of a driftless index now at `level`."""
    expected = (fixing.printed_sum + level * fixing.remaining) / PRINTS
    spread = level * sqrt(variance_per_second * mean_variance_seconds(fixing.remaining, fixing.wait_seconds))
    return SettlementForecast(expected, spread)


def probability_above(forecast: SettlementForecast, strike: float) -> float:
    """P(settlement value >= strike)."""
    if forecast.spread <= 0.0:
        return 1.0 if forecast.expected >= strike else 0.0
    return normal_cdf((forecast.expected - strike) / forecast.spread)


def probability(*, level: float, strike: float, fixing: Fixing, variance_per_second: float) -> float:
    """P(mean >= strike) for a driftless index now at `level`."""
    return probability_above(
        settlement_forecast(level=level, fixing=fixing, variance_per_second=variance_per_second), strike
    )
