"""Probability from empirical tables: how often the price was that much further after that many minutes; it never guesses.

A table counts, for each bucket of momentum, horizon and distance, the share of past minutes whose close moved at least so
far up, and down. It speaks of one price at the end of the horizon, not of the mean that a contract settles on. Outside of
its range the nearest edge is taken and said so; where nothing was counted there is no answer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from recio.messages.markets import StrikeType
from recio.messages.prices import Momentum
from recio.rules.pricing.probability import by_strike_type

BUCKETS = 30
"""Buckets reach from minus to plus so many basis points; the outermost hold everything beyond."""
HORIZONS = 60
"""Minutes, from one on."""
STEP = 0.0005
"""Distance between two columns, as a fraction of the price."""
COLUMNS = 41
"""From no distance to two percent."""
FEWEST = 500
"""Minutes that a bucket must have seen to be believed."""
FURTHEST = STEP * (COLUMNS - 1)
MIDDLE = COLUMNS - 1
LAST = 2 * MIDDLE

Rows = tuple[tuple[float, ...], ...]
"""One row for each horizon, one share in [0, 1] for each column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    samples: int
    """Minutes counted, each once whatever its weight."""
    worth: tuple[float, ...]
    """Of each horizon: independent draws that would know as much. Minutes that overlap, and weeks that are wild together, are fewer."""
    up: Rows
    """Share that ended at least so far above; at no distance ties count half."""
    down: Rows


@dataclass(frozen=True, slots=True, kw_only=True)
class EmpiricalTable:
    digest: str
    """Of the candles and parameters it was made from."""
    symbol: str
    buckets: Mapping[int, Bucket]


@dataclass(frozen=True, slots=True, kw_only=True)
class TableReading:
    """A probability, and where the table had to be stretched."""

    probability: float
    worth: float
    """Independent draws that it comes from."""
    clamped: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Slice:
    """A table at one momentum and one horizon: all that a ladder of strikes needs."""

    above: tuple[float, ...]
    """Probability to end at or above each distance, from the furthest below to the furthest above."""
    worth: float
    """Independent draws behind it."""
    clamped: tuple[str, ...]


def bucket_of(momentum: Momentum) -> int:
    """The bucket of a momentum; beyond the outermost it is the outermost."""
    return max(-BUCKETS, min(BUCKETS, round(momentum.bp)))


def slice_at(table: EmpiricalTable, momentum: Momentum | None, seconds_to_close: float) -> Slice | None:
    """The table at a momentum and a time; None while momentum is not wholly known, or too little was counted of it."""
    if momentum is None or not momentum.whole:
        return None
    bucket = table.buckets.get(bucket_of(momentum))
    if bucket is None or bucket.samples < FEWEST:
        return None
    minutes = seconds_to_close / 60.0
    clamped: list[str] = []
    if abs(momentum.bp) > BUCKETS + 0.5:
        clamped.append(f"momentum {momentum.bp:+.1f} counts as {math.copysign(BUCKETS, momentum.bp):+.0f}")
    if not 1.0 <= minutes <= HORIZONS:
        clamped.append(f"{minutes:.1f} minutes count as {min(max(minutes, 1.0), float(HORIZONS)):g}")
    at = min(max(minutes, 1.0), float(HORIZONS)) - 1.0
    low = min(int(at), HORIZONS - 2)
    part = at - low
    up = _blended(bucket.up[low], bucket.up[low + 1], part)
    down = _blended(bucket.down[low], bucket.down[low + 1], part)
    return Slice(
        above=(*(1.0 - share for share in reversed(down[1:])), *up),
        worth=min(bucket.worth[low], bucket.worth[low + 1]),
        clamped=tuple(clamped),
    )


def _blended(low: Sequence[float], high: Sequence[float], part: float) -> list[float]:
    return [before + (after - before) * part for before, after in zip(low, high, strict=True)]


def ends_above(at: Slice, price: float, threshold: float) -> float:
    """Probability that the price ends at or above a threshold: the table of moves towards it, from its own side."""
    column = (threshold / price - 1.0) / STEP + MIDDLE
    column = 0.0 if column < 0.0 else LAST if column > LAST else column
    low = int(column)
    here = at.above[low]
    return here if low == LAST else here + (at.above[low + 1] - here) * (column - low)


def counted_bounds(reading: TableReading, reach: float = 1.0) -> tuple[float, float]:
    """Where a counted share may lie, so many standard errors each way, by Wilson's score: never without width, even at 0 and 1."""
    share, draws = reading.probability, max(1.0, reading.worth)
    square = reach * reach / draws
    middle = (share + 0.5 * square) / (1.0 + square)
    half = reach * math.sqrt(share * (1.0 - share) / draws + 0.25 * square / draws) / (1.0 + square)
    return max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half))


def yes_probability(
    at: Slice,
    strike_type: StrikeType,
    floor_strike: Decimal | None,
    cap_strike: Decimal | None,
    price: Decimal,
    shift: float = 0.0,
) -> TableReading | None:
    """Probability of YES at a price, shifted by a part of it; None when the strike that the type needs is not known yet."""
    spot = float(price) * (1.0 + shift)
    probability = by_strike_type(
        strike_type, floor_strike, cap_strike, lambda threshold: ends_above(at, spot, threshold)
    )
    if probability is None:
        return None
    strikes = [float(each) for each in (floor_strike, cap_strike) if each is not None]
    far = any(abs(each / spot - 1.0) > FURTHEST for each in strikes)
    words = (f"a distance beyond {FURTHEST:.0%} counts as {FURTHEST:.0%}",) if far else ()
    return TableReading(probability=probability, worth=at.worth, clamped=(*at.clamped, *words))
