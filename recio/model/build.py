"""Empirical tables from closes: every minute is counted once whose closes from half an hour before to its end are all known.

It reads and writes nothing.

Younger minutes weigh more: five times in the last year of the candles, four times in the one before, and so on down to once.
How surely a share is known is told by how months differ, because for so long the market is wild or calm.
"""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from recio.model.candles import Candles
from recio.model.effective_size import Blocks, of_weights
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
FORM = 3
"""Raised whenever the same candles would make other tables."""
_WIDTH = 2 * COLUMNS
"""Bins of one horizon: downward moves by their column, then upward ones."""
BLOCK_MINUTES = 28 * 1440
"""Of candles of 2022 to 2024, 15 minutes, half an hour's calm before: 7,979 minutes that do not overlap differ from week to week
as 2,047 draws would, and from month to month as 717."""
PROBES = (0, 1, 3, 8)
"""Columns of which it is told how blocks differ, of moves down and up."""
_CLASSES = [sum(at % COLUMNS >= each for each in PROBES) - 1 for at in range(_WIDTH)]
_SLOTS = [each + (len(PROBES) if at >= COLUMNS else 0) for at, each in enumerate(_CLASSES)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    table: EmpiricalTable
    first_minute: int
    last_minute: int
    minutes: int
    parameters: dict[str, float]


def build(candles: Candles, symbol: str, block_minutes: int = BLOCK_MINUTES) -> Built:
    """The tables of some candles; the same candles always make the same tables and digest."""
    closes = candles.closes
    unbroken = _unbroken(closes)
    buckets = [_bucket(closes, unbroken, index) for index in range(len(closes))]
    weights = _weights(len(closes))
    counted: dict[int, list[array[float]]] = {
        each: [array("d", bytes(8 * _WIDTH)) for _ in range(HORIZONS)]
        for each in range(-BUCKETS, BUCKETS + 1)
    }
    samples, most = _samples(buckets), _most(buckets, weights)
    worth: dict[int, list[float]] = {each: [] for each in counted}
    for minutes in range(1, HORIZONS + 1):
        bins = {each: rows[minutes - 1] for each, rows in counted.items()}
        known = _count(closes, unbroken, buckets, weights, minutes, bins, block_minutes)
        for each, blocks in known.items():
            worth[each].append(blocks.worth(most.get(each, 0.0)))
    parameters = {
        "form": FORM,
        "buckets": BUCKETS,
        "horizons": HORIZONS,
        "columns": COLUMNS,
        "step": STEP,
        "youngest_weight": YOUNGEST_WEIGHT,
        "block_minutes": block_minutes,
    }
    words = json.dumps([symbol, candles.digest, parameters], sort_keys=True)
    table = EmpiricalTable(
        digest=hashlib.sha256(words.encode()).hexdigest(),
        symbol=symbol,
        buckets={each: _shares(rows, samples.get(each, 0), worth[each]) for each, rows in counted.items()},
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
    block_minutes: int,
) -> dict[int, Blocks]:
    """Add every minute's move over one horizon to the bins of its bucket; returns how its blocks differ."""
    known = {each: Blocks(2 * len(PROBES)) for each in bins}
    for start in range(0, len(closes), block_minutes):
        end = start + block_minutes
        found = zip(
            closes[start:end],
            buckets[start:end],
            weights[start:end],
            closes[start + minutes : end + minutes],
            unbroken[start + minutes : end + minutes],
            strict=False,
        )
        for each, slots in _count_block(found, minutes, bins).items():
            known[each].add(
                sum(slots), [*_from_each_on(slots[: len(PROBES)]), *_from_each_on(slots[len(PROBES) :])]
            )
    return known


def _count_block(
    found: Iterable[tuple[float, int | None, float, float, int]], minutes: int, bins: dict[int, array[float]]
) -> dict[int, list[float]]:
    """Of each bucket the weight by what its block is told by."""
    block: dict[int, list[float]] = {}
    for now, bucket, weight, end, run in found:
        if bucket is None or run <= minutes:
            continue
        slots = block.get(bucket)
        if slots is None:
            slots = block[bucket] = [0.0] * (2 * len(PROBES))
        move = end / now - 1.0
        if move == 0.0:
            for at in (0, COLUMNS):
                bins[bucket][at] += weight / 2
                slots[_SLOTS[at]] += weight / 2
            continue
        column = int(abs(move) / STEP)
        at = (column if column < COLUMNS else COLUMNS - 1) + (COLUMNS if move > 0.0 else 0)
        bins[bucket][at] += weight
        slots[_SLOTS[at]] += weight
    return block


def _from_each_on(slots: Sequence[float]) -> Iterator[float]:
    """The weight at least so far, for each probe."""
    return (sum(slots[at:]) for at in range(len(slots)))


def _most(buckets: Sequence[int | None], weights: Sequence[float]) -> dict[int, float]:
    """Of each bucket the minutes of equal weight that would tell as much, if each were a draw of its own."""
    held: dict[int, list[float]] = {}
    for bucket, weight in zip(buckets, weights, strict=True):
        if bucket is not None:
            held.setdefault(bucket, []).append(weight)
    return {bucket: of_weights(each) for bucket, each in held.items()}


def _samples(buckets: Sequence[int | None]) -> dict[int, int]:
    found: dict[int, int] = {}
    for each in buckets:
        if each is not None:
            found[each] = found.get(each, 0) + 1
    return found


def _shares(rows: Sequence[array[float]], samples: int, worth: Sequence[float]) -> Bucket:
    return Bucket(
        samples=samples,
        worth=tuple(worth),
        up=tuple(tuple(_beyond(row[COLUMNS:], sum(row))) for row in rows),
        down=tuple(tuple(_beyond(row[:COLUMNS], sum(row))) for row in rows),
    )


def _beyond(bins: Sequence[float], total: float) -> Iterator[float]:
    """For each column the share that went at least so far."""
    left = sum(bins)
    for each in bins:
        yield max(0.0, left / total) if total else 0.0
        left -= each
