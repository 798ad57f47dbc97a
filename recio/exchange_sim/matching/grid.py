"""The `tapered_deci_cent` price grid: which prices exist and which is nearest; it never looks at a book."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import chain

from recio.units import Price, price_text

STRUCTURE = "tapered_deci_cent"
RANGES: tuple[tuple[int, int, int], ...] = ((0, 1_000, 10), (1_000, 9_000, 100), (9_000, 10_000, 10))
"""(start, end, step) in units of $0.0001; neighbours share an end that lies on both grids."""

LEVELS: tuple[int, ...] = tuple(
    sorted(set(chain.from_iterable(range(start, end + 1, step) for start, end, step in RANGES)) - {0, 10_000})
)
_ON_GRID = frozenset(LEVELS)


def on_grid(price: int) -> bool:
    return price in _ON_GRID


def index_at_or_below(price: float) -> int:
    """Index into LEVELS of the highest price not above this one; the lowest level when there is none."""
    return max(bisect_right(LEVELS, price) - 1, 0)


def index_at_or_above(price: float) -> int:
    """Index into LEVELS of the lowest price not below this one; the highest level when there is none."""
    return min(bisect_left(LEVELS, price), len(LEVELS) - 1)


def wire_ranges() -> list[dict[str, str]]:
    """The grid as market objects show it."""
    return [
        {"end": price_text(Price(end)), "start": price_text(Price(start)), "step": price_text(Price(step))}
        for start, end, step in RANGES
    ]
