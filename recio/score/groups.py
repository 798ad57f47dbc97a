"""By which time and which distance observations are told apart, and how often what was called likely happened."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf, sqrt
from statistics import fmean

from recio.report.intervals import Close, Interval, interval, together
from recio.score.forecasts import Observation

TIMES = (0, 60, 180, 420, inf)
"""Seconds to the close."""
DISTANCES = (0, 0.5, 1, 2, inf)
"""In expected moves."""
TENTHS = 10
LAST_MINUTE = f"{TIMES[0]} to {TIMES[1]} s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """Forecasts of one tenth of the scale."""

    tenth: int
    observations: int
    events: int
    """Closes: moments of one close happen or do not together."""
    said: float
    happened: float
    interval: Interval | None
    """Of what happened less what was said, 95 %; None for too few closes."""


def by_time(observations: Sequence[Observation]) -> Iterator[tuple[str, list[Observation]]]:
    for low, high in pairwise(TIMES):
        name = f"{low} s and more" if high == inf else f"{low} to {high} s"
        yield name, [each for each in observations if low <= each.seconds_to_close < high]


def by_distance(observations: Sequence[Observation]) -> Iterator[tuple[str, list[Observation]]]:
    for low, high in pairwise(DISTANCES):
        name = f"{low} moves and more" if high == inf else f"{low} to {high} moves"
        yield name, [each for each in observations if low <= each.spreads < high]


def calibration(observations: Iterable[Observation], name: str) -> list[Bin]:
    """Only bins that hold something, ascending."""
    bins: dict[int, list[Observation]] = {}
    for each in observations:
        if name in each.probabilities:
            bins.setdefault(min(TENTHS - 1, int(each.probabilities[name] * TENTHS)), []).append(each)
    return [
        Bin(
            tenth=tenth,
            observations=len(held),
            events=len({each.event for each in held}),
            said=fmean(each.probabilities[name] for each in held),
            happened=fmean(each.yes for each in held),
            interval=interval(_closes(held, name)),
        )
        for tenth, held in sorted(bins.items())
    ]


def _closes(held: Iterable[Observation], name: str) -> list[Close]:
    """What happened less what was said, of each close; moments of a market, and markets of a coin, happen together."""
    closes: dict[str, dict[str, list[Observation]]] = {}
    for each in held:
        closes.setdefault(each.event, {}).setdefault(each.market, []).append(each)
    return [
        Close(
            total=sum(each.yes - each.probabilities[name] for held in markets.values() for each in held),
            weight=sum(map(len, markets.values())),
            deviation=together(
                (held[0].symbol, _deviation([each.probabilities[name] for each in held]))
                for held in markets.values()
            ),
        )
        for markets in closes.values()
    ]


def _deviation(said: Sequence[float]) -> float:
    return sum(sqrt(each * (1 - each)) for each in said)
