"""By which time and which distance observations are told apart, and how often what was called likely happened."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from math import inf

from recio.report.calibration import Bin, Said, calibration
from recio.score.forecasts import Observation

TIMES = (0, 60, 180, 420, inf)
"""Seconds to the close."""
DISTANCES = (0, 0.5, 1, 2, inf)
"""In expected moves."""
LAST_MINUTE = f"{TIMES[0]} to {TIMES[1]} s"


def by_time(observations: Sequence[Observation]) -> Iterator[tuple[str, list[Observation]]]:
    for low, high in pairwise(TIMES):
        name = f"{low} s and more" if high == inf else f"{low} to {high} s"
        yield name, [each for each in observations if low <= each.seconds_to_close < high]


def by_distance(observations: Sequence[Observation]) -> Iterator[tuple[str, list[Observation]]]:
    for low, high in pairwise(DISTANCES):
        name = f"{low} moves and more" if high == inf else f"{low} to {high} moves"
        yield name, [each for each in observations if low <= each.spreads < high]


def calibrated(observations: Iterable[Observation], name: str) -> list[Bin]:
    """How often what one forecaster said happened."""
    return calibration(
        Said(
            close=each.event,
            coin=each.symbol,
            market=each.market,
            probability=each.probabilities[name],
            happened=each.yes,
        )
        for each in observations
        if name in each.probabilities
    )
