"""How often what was called likely happened, by tenths of the probability; it counts moments of one close as one draw."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean

from recio.report.intervals import Close, Interval, interval, together

TENTHS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One forecast, and whether what it was about happened."""

    close: str
    """The moment at which it was decided: all that is decided then is one draw."""
    coin: str
    """Markets of one coin happen or do not together."""
    market: str
    probability: float
    happened: bool


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


def calibration(forecasts: Iterable[Said]) -> list[Bin]:
    """Only bins that hold something, ascending."""
    return [bin_of(tenth, held) for tenth, held in by_tenth(forecasts).items()]


def by_tenth(forecasts: Iterable[Said]) -> dict[int, list[Said]]:
    """Ascending, those that hold something."""
    bins: dict[int, list[Said]] = {}
    for each in forecasts:
        bins.setdefault(min(TENTHS - 1, int(each.probability * TENTHS)), []).append(each)
    return dict(sorted(bins.items()))


def bin_of(tenth: int, held: Sequence[Said]) -> Bin:
    return Bin(
        tenth=tenth,
        observations=len(held),
        events=len({each.close for each in held}),
        said=fmean(each.probability for each in held),
        happened=fmean(each.happened for each in held),
        interval=interval(_closes(held)),
    )


def _closes(held: Iterable[Said]) -> list[Close]:
    """What happened less what was said, of each close; moments of a market, and markets of a coin, happen together."""
    closes: dict[str, dict[str, list[Said]]] = {}
    for each in held:
        closes.setdefault(each.close, {}).setdefault(each.market, []).append(each)
    return [
        Close(
            total=sum(each.happened - each.probability for held in markets.values() for each in held),
            weight=sum(map(len, markets.values())),
            deviation=together(
                (held[0].coin, _deviation([each.probability for each in held])) for held in markets.values()
            ),
        )
        for markets in closes.values()
    ]


def _deviation(said: Sequence[float]) -> float:
    return sum(sqrt(each * (1 - each)) for each in said)
