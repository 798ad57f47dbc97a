"""What the settlement-average model takes from the past: numbers fitted on candles, and nothing that is computed.

`recio model fit CANDLES` computes them; docs/models.md says from which candles these are and how they did on later ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec


class Tails(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How moves over so many seconds were spread, in units of the spread expected: the scale of a Student t."""

    seconds: float
    scale: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeOfDay:
    """Variance in each half hour of New York's day, against the average; 48 numbers from midnight on."""

    weekday: Sequence[float]
    weekend: Sequence[float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    tails: Sequence[Tails]
    """Ascending in seconds."""
    time_of_day: TimeOfDay | None
    """None: every hour is like every other, as on the exchange simulator."""
    is_fat: bool
    """Moves are a Student t with four degrees of freedom; otherwise they are normal."""
    volatility_error: float
    """How far the volatility to come was from the one expected, from one month to another; relative."""


# fmt: off
TIME_OF_DAY = TimeOfDay(
    weekday=(
        0.64, 0.58, 0.59, 0.62, 0.68, 0.71, 0.81, 0.79, 0.89, 0.80, 0.75, 0.79, 0.79, 0.80, 0.88, 0.88,
        1.16, 2.00, 1.36, 2.76, 2.45, 2.14, 2.11, 1.73, 1.79, 1.64, 1.68, 1.43, 1.67, 1.68, 1.60, 1.52,
        1.45, 1.21, 1.27, 1.35, 0.97, 0.83, 1.01, 0.83, 1.06, 1.04, 0.90, 0.81, 0.82, 0.74, 0.72, 0.58,
    ),
    weekend=(
        0.33, 0.35, 0.36, 0.34, 0.32, 0.34, 0.36, 0.36, 0.40, 0.39, 0.40, 0.37, 0.40, 0.38, 0.39, 0.43,
        0.48, 0.48, 0.46, 0.63, 0.56, 0.58, 0.67, 0.59, 0.65, 0.56, 0.62, 0.64, 0.68, 0.58, 0.62, 0.63,
        0.70, 0.66, 0.73, 0.84, 1.10, 0.76, 0.78, 0.69, 0.95, 0.85, 0.86, 0.78, 0.63, 0.57, 0.51, 0.47,
    ),
)
# fmt: on
TAILS = (
    Tails(seconds=60, scale=0.790),
    Tails(seconds=300, scale=0.835),
    Tails(seconds=900, scale=0.843),
    Tails(seconds=3600, scale=0.847),
)
FITTED = Fit(tails=TAILS, time_of_day=TIME_OF_DAY, is_fat=True, volatility_error=0.08)
ANY_HOUR = Fit(tails=TAILS, time_of_day=None, is_fat=True, volatility_error=0.08)
