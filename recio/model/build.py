"""Empirical tables from closes: every minute is counted once whose closes from half an hour before to its end are all known.

It reads and writes nothing.

Younger minutes weigh more: five times in the last year of the candles, four times in the one before, and so on down to once.
"""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from recio.model.candles import Candles
from recio.rules.price.momentum import LONGEST_MINUTES, of_minutes
from recio.rules.pricing.empirical import (
    BUCKETS,
    COLUMNS,
    HORIZONS,
    STEP,
    Bucket,
    EmpiricalTable,
    bucket_of,
)

YEAR_MINUTES = 525_960
YOUNGEST_WEIGHT = 5
FORM = 2
"""Raised whenever the same candles would make other tables."""
_WIDTH = 2 * COLUMNS
"""Bins of one horizon: downward moves by their column, then upward ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    table: EmpiricalTable
    first_minute: int
    last_minute: int
    minutes: int
    parameters: dict[str, float]


def build(candles: Candles, symbol: str) -> Built:
    """The tables of some candles; the same candles always make the same tables and digest."""
    closes = candles.closes
    unbroken = _unbroken(closes)
    buckets = [_bucket(closes, unbroken, index) for index in range(len(closes))]
    weights = _weights(len(closes))
    counted: dict[int, list[array[float]]] = {
        each: [array("d", bytes(8 * _WIDTH)) for _ in range(HORIZONS)]
        for each in range(-BUCKETS, BUCKETS + 1)
    }
    for minutes in range(1, HORIZONS + 1):
        bins = {each: rows[minutes - 1] for each, rows in counted.items()}
        _count(closes, unbroken, buckets, weights, minutes, bins)
    samples = _samples(buckets)
    parameters = {
        "form": FORM,
        "buckets": BUCKETS,
        "horizons": HORIZONS,
        "columns": COLUMNS,
        "step": STEP,
        "youngest_weight": YOUNGEST_WEIGHT,
    }
    words = json.dumps([symbol, candles.digest, parameters], sort_keys=True)
    table = EmpiricalTable(
        digest=hashlib.sha256(words.encode()).hexdigest(),
        symbol=symbol,
        buckets={each: _shares(rows, samples.get(each, 0)) for each, rows in counted.items()},
    )
    return Built(
        table=table,
        first_minute=candles.first_minute,
        last_minute=candles.first_minute + len(closes) - 1,
        minutes=candles.known,
        parameters=parameters,
    )


def _unbroken(closes: Sequence[float]) -> list[int]:
    """For each minute how many closes in a row, it being the last, are known."""
    found: list[int] = []
    run = 0
    for close in closes:
        run = run + 1 if close else 0
        found.append(run)
    return found


def _bucket(closes: Sequence[float], unbroken: Sequence[int], index: int) -> int | None:
    if unbroken[index] <= LONGEST_MINUTES:
        return None
    moved = of_minutes(closes, index)
    return bucket_of(moved) if moved is not None and moved.whole else None


def _weights(count: int) -> list[float]:
    """By whole years before the end of the candles."""
    return [float(max(1, YOUNGEST_WEIGHT - (count - 1 - index) // YEAR_MINUTES)) for index in range(count)]


def _count(
    closes: Sequence[float],
    unbroken: Sequence[int],
    buckets: Sequence[int | None],
    weights: Sequence[float],
    minutes: int,
    bins: dict[int, array[float]],
) -> None:
    """Add every minute's move over one horizon to the bins of its bucket."""
    ends = zip(islice(closes, minutes, None), islice(unbroken, minutes, None), strict=True)
    for now, bucket, weight, (end, run) in zip(closes, buckets, weights, ends, strict=False):
        if bucket is None or run <= minutes:
            continue
        move = end / now - 1.0
        if move > 0.0:
            column = int(move / STEP)
            bins[bucket][COLUMNS + (column if column < COLUMNS else COLUMNS - 1)] += weight
        elif move < 0.0:
            column = int(-move / STEP)
            bins[bucket][column if column < COLUMNS else COLUMNS - 1] += weight
        else:
            bins[bucket][0] += weight / 2
            bins[bucket][COLUMNS] += weight / 2


def _samples(buckets: Sequence[int | None]) -> dict[int, int]:
    found: dict[int, int] = {}
    for each in buckets:
        if each is not None:
            found[each] = found.get(each, 0) + 1
    return found


def _shares(rows: Sequence[array[float]], samples: int) -> Bucket:
    return Bucket(
        samples=samples,
        up=tuple(tuple(_beyond(row[COLUMNS:], sum(row))) for row in rows),
        down=tuple(tuple(_beyond(row[:COLUMNS], sum(row))) for row in rows),
    )


def _beyond(bins: Sequence[float], total: float) -> Iterator[float]:
    """For each column the share that went at least so far."""
    left = sum(bins)
    for each in bins:
        yield max(0.0, left / total) if total else 0.0
        left -= each
