"""The settlement average's numbers from closes: time of day, weights of the horizons, tails; it reads and writes nothing.

`recio/rules/pricing/average_fit.py` holds what it gave. Every window begins where the one before it ends, so that none is counted
twice, and counts only if all closes from half an hour before to its end are known and half of that half hour moved.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate, pairwise
from statistics import pstdev

from recio.model.candles import MINUTE, Candles
from recio.rules.price.volatility import HORIZONS
from recio.rules.pricing.average_fit import FITTED, Tails, TimeOfDay
from recio.rules.pricing.time_of_day import SATURDAY, factor
from recio.times import NEW_YORK

WEEK = 7 * 24 * 60
HALF_HOURS = 48
WILDEST = 50.0
"""A minute counts for at most so many times the week's mean variance: one crash must not become a time of day."""
PAST = HORIZONS[-1][0] // MINUTE
KNOTS = (1, 5, 15, 60)
"""Minutes whose moves are looked at for their tails."""
WEIGHED_AT = 15
"""Minutes of the windows that decide over the weights: those of the contracts that there are most of."""
WEIGHT_STEPS = 10
BIN = 0.01
BINS = 4_000
EM_ROUNDS = 200
FREEDOM = 4.0
"""Degrees of freedom of the Student t, for which its distribution has a closed form."""
LOG_T = math.lgamma((FREEDOM + 1) / 2) - math.lgamma(FREEDOM / 2) - 0.5 * math.log(FREEDOM * math.pi)
"""Of a Student t's density, what does not depend on the move."""
MONTH = 30 * 24 * 60
STILL_LIMIT = PAST // 2
Weights = tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Likelihoods:
    """Mean log density of one window's move, in units of the window's own price; more is better."""

    minutes: int
    windows: int
    plain: float
    """A normal whose volatility is that of the last quarter of an hour."""
    fitted: float
    beyond: tuple[float, ...]
    """The 50 %, 90 % and 99 % quantiles of the size of a move, in units of the one expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedAverage:
    time_of_day: TimeOfDay
    weights: Weights
    """In the order of `HORIZONS`."""
    tails: tuple[Tails, ...]
    volatility_error: float


@dataclass(frozen=True, slots=True)
class _Sums:
    """Running sums over the minutes, each one longer than the closes: sums[b] - sums[a] is that of minutes a to b - 1."""

    squares: Sequence[float]
    factors: Sequence[float]
    unknown: Sequence[int]
    moved: Sequence[int]


def fit(candles: Candles) -> FittedAverage:
    """All numbers of some candles; the same candles give the same."""
    usual = _time_of_day(candles)
    sums = _sums(candles, usual)
    start = tuple(part for _, part in HORIZONS)
    shape = _tails(_sizes(candles, sums, start, WEIGHED_AT), WEIGHED_AT)
    weights = max(
        _every_weights(len(HORIZONS)),
        key=lambda each: _likelihood(candles, sums, each, WEIGHED_AT, shape),
    )
    tails = tuple(_tails(_sizes(candles, sums, weights, minutes), minutes) for minutes in KNOTS)
    return FittedAverage(
        time_of_day=usual,
        weights=weights,
        tails=tails,
        volatility_error=_month_to_month(candles, sums, weights),
    )


def judge(candles: Candles, fitted: FittedAverage) -> Iterator[Likelihoods]:
    """How a fit does on candles, which had better be others than those it was made of."""
    usual = _sums(candles, fitted.time_of_day)
    same = _sums(candles, None)
    quarter = tuple(1.0 if seconds == WEIGHED_AT * MINUTE else 0.0 for seconds, _ in HORIZONS)
    for shape in fitted.tails:
        minutes = round(shape.seconds / MINUTE)
        sizes = sorted(abs(size) for _, size, _ in _windows(candles, usual, fitted.weights, minutes))
        if not sizes:
            continue
        yield Likelihoods(
            minutes=minutes,
            windows=len(sizes),
            plain=_likelihood(candles, same, quarter, minutes, None),
            fitted=_likelihood(candles, usual, fitted.weights, minutes, shape),
            beyond=tuple(sizes[min(len(sizes) - 1, int(len(sizes) * part))] for part in (0.5, 0.9, 0.99)),
        )


def in_use() -> FittedAverage:
    """What the daemon computes with, in the same form. Raises ValueError if it knows no time of day."""
    if FITTED.time_of_day is None:
        raise ValueError("the fit in use has no time of day")
    return FittedAverage(
        time_of_day=FITTED.time_of_day,
        weights=tuple(part for _, part in HORIZONS),
        tails=tuple(FITTED.tails),
        volatility_error=FITTED.volatility_error,
    )


def _moves(closes: Sequence[float]) -> array[float]:
    """Squared log returns of each minute; -1 where it or the one before is unknown."""
    found = array("d", [-1.0])
    for before, close in pairwise(closes):
        found.append(math.log(close / before) ** 2 if before and close else -1.0)
    return found


def _time_of_day(candles: Candles) -> TimeOfDay:
    moves = _moves(candles.closes)
    known = list(accumulate((each >= 0 for each in moves), initial=0))
    total = list(accumulate((max(0.0, each) for each in moves), initial=0.0))
    counts = [[0] * HALF_HOURS, [0] * HALF_HOURS]
    sums = [[0.0] * HALF_HOURS, [0.0] * HALF_HOURS]
    for index, square in enumerate(moves):
        since, until = max(0, index - WEEK // 2), min(len(moves), index + WEEK // 2)
        usual = total[until] - total[since]
        if square < 0 or usual <= 0:
            continue
        row, column = _half_hour((candles.first_minute + index) * MINUTE)
        counts[row][column] += 1
        sums[row][column] += min(WILDEST, square * (known[until] - known[since]) / usual)
    means = [
        [each / max(1, count) for each, count in zip(*pair, strict=True)]
        for pair in zip(sums, counts, strict=True)
    ]
    level = (5 * math.fsum(means[0]) + 2 * math.fsum(means[1])) / (7 * HALF_HOURS)
    weekday, weekend = ([round(each / level, 2) for each in row] for row in means)
    return TimeOfDay(weekday=weekday, weekend=weekend)


def _half_hour(unix: int) -> tuple[int, int]:
    """(1 on a weekend, half hour of New York's day)."""
    local = datetime.fromtimestamp(unix, UTC).astimezone(NEW_YORK)
    return int(local.weekday() >= SATURDAY), 2 * local.hour + local.minute // 30


def _sums(candles: Candles, usual: TimeOfDay | None) -> _Sums:
    moves = _moves(candles.closes)
    factors = array("d")
    at = 1.0
    for index in range(len(moves)):
        minute = candles.first_minute + index
        if usual is not None and (index == 0 or minute % 30 == 0):
            at = factor(usual, minute * MINUTE)
        factors.append(at)
    return _Sums(
        squares=array("d", accumulate((max(0.0, each) for each in moves), initial=0.0)),
        factors=array("d", accumulate(factors, initial=0.0)),
        unknown=array("q", accumulate((each < 0 for each in moves), initial=0)),
        moved=array("q", accumulate((each > 0 for each in moves), initial=0)),
    )


def _windows(
    candles: Candles, sums: _Sums, weights: Weights, minutes: int
) -> Iterator[tuple[int, float, float]]:
    """(index of its last known close, move in units of the one expected, the one expected) of each window that counts."""
    closes = candles.closes
    # Windows end where the venue's do: on whole multiples of their length.
    first = PAST + -(candles.first_minute + PAST + 1) % minutes
    pasts = [(seconds // MINUTE, part) for (seconds, _), part in zip(HORIZONS, weights, strict=True) if part]
    squares, factors = sums.squares, sums.factors
    for now in range(first, len(closes) - minutes, minutes):
        # The close of minute `now` is known: its moves are those up to and with it.
        end, until = now + 1, now + 1 + minutes
        if sums.unknown[until] != sums.unknown[end - PAST]:
            continue
        if sums.moved[end] - sums.moved[end - PAST] < STILL_LIMIT:
            continue
        past = usual = 0.0
        for length, part in pasts:
            past += part * (squares[end] - squares[end - length]) / length
            usual += part * (factors[end] - factors[end - length]) / length
        if past <= 0:
            continue
        expected = math.sqrt(past * (factors[until] - factors[end]) / usual)
        yield now, math.log(closes[now + minutes] / closes[now]) / expected, expected


def _sizes(candles: Candles, sums: _Sums, weights: Weights, minutes: int) -> Mapping[int, int]:
    """How many moves of each size, in bins."""
    found: dict[int, int] = {}
    for _, size, _ in _windows(candles, sums, weights, minutes):
        bin_ = min(BINS, int(abs(size) / BIN))
        found[bin_] = found.get(bin_, 0) + 1
    return found


def _tails(sizes: Mapping[int, int], minutes: int) -> Tails:
    """The likeliest scale of a Student t about zero, by expectation and maximisation; it always starts from the same place."""
    squares = [(((bin_ + 0.5) * BIN) ** 2, count) for bin_, count in sorted(sizes.items())]
    total, square = sum(sizes.values()), 1.0
    for _ in range(EM_ROUNDS if total else 0):
        weighed = (count * (FREEDOM + 1) * each / (FREEDOM + each / square) for each, count in squares)
        square = math.fsum(weighed) / total
    return Tails(seconds=minutes * MINUTE, scale=round(math.sqrt(square), 3))


def _likelihood(candles: Candles, sums: _Sums, weights: Weights, minutes: int, shape: Tails | None) -> float:
    """Mean log density of a window's move; without a shape that of a normal."""
    whole, count = 0.0, 0
    for _, size, expected in _windows(candles, sums, weights, minutes):
        whole += _log_density(size, shape) - math.log(expected)
        count += 1
    return whole / count if count else float("-inf")


def _log_density(size: float, shape: Tails | None) -> float:
    if shape is None:
        return -0.5 * (size * size + math.log(2 * math.pi))
    away = size / shape.scale
    return LOG_T - math.log(shape.scale) - 0.5 * (FREEDOM + 1) * math.log1p(away * away / FREEDOM)


def _every_weights(count: int, left: int = WEIGHT_STEPS) -> Iterator[Weights]:
    """All ways to share one among so many, in tenths."""
    if count == 1:
        yield (left / WEIGHT_STEPS,)
        return
    for part in range(left + 1):
        yield from ((part / WEIGHT_STEPS, *rest) for rest in _every_weights(count - 1, left - part))


def _month_to_month(candles: Candles, sums: _Sums, weights: Weights) -> float:
    """By how much a month's volatility was above or below the one expected: the standard deviation over months, relative."""
    months: dict[int, list[float]] = {}
    for index, size, _ in _windows(candles, sums, weights, WEIGHED_AT):
        months.setdefault(index // MONTH, []).append(size * size)
    levels = [
        math.sqrt(math.fsum(each) / len(each)) for each in months.values() if len(each) > WEEK // WEIGHED_AT
    ]
    if len(levels) < 2:
        return FITTED.volatility_error
    return round(pstdev(levels) / (math.fsum(levels) / len(levels)), 3)
