"""The price structures of the venue by name: which prices exist and which is nearest; it never looks at a book."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from itertools import chain

from recio.exchange_sim.engine.units import ONE_DOLLAR

Ranges = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """(start, end, step) in units of $0.0001; neighbours share an end that lies on both."""

    name: str
    ranges: Ranges
    levels: tuple[int, ...] = field(init=False)
    """Every price of an order, ascending."""
    _known: frozenset[int] = field(init=False)

    def __post_init__(self) -> None:
        every = set(chain.from_iterable(range(start, end + 1, step) for start, end, step in self.ranges))
        levels = tuple(sorted(every - {0, ONE_DOLLAR}))
        object.__setattr__(self, "levels", levels)
        object.__setattr__(self, "_known", frozenset(levels))

    def holds(self, price: int) -> bool:
        return price in self._known

    def at_or_below(self, price: float) -> int:
        """Place among the levels of the highest price not above this one; the lowest when there is none."""
        return max(bisect_right(self.levels, price) - 1, 0)

    def at_or_above(self, price: float) -> int:
        """Place among the levels of the lowest price not below this one; the highest when there is none."""
        return min(bisect_left(self.levels, price), len(self.levels) - 1)

    def step_at(self, price: float) -> int:
        """From the price at or below this one to the next."""
        place = min(self.at_or_below(price), len(self.levels) - 2)
        return self.levels[place + 1] - self.levels[place]


LINEAR_CENT = Grid("linear_cent", ((0, 10_000, 100),))
TAPERED_DECI_CENT = Grid("tapered_deci_cent", ((0, 1_000, 10), (1_000, 9_000, 100), (9_000, 10_000, 10)))
