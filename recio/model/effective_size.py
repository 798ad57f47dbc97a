"""How many independent draws a counted share is worth, told from how its blocks differ; it never says more than the weights allow.

A block is what goes together: minutes of one stretch share their moves where horizons overlap, and how wild the market was.
What cannot be told from the blocks, because there are few or nothing happened in them, is worth one draw a block.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

FEWEST_BLOCKS = 6.0
"""Of equal weight."""
FEWEST_HITS = 20.0
"""Draws of the rarer kind, below which a spread over blocks is chance itself."""


@dataclass(slots=True)
class Blocks:
    """Sums over blocks of weight and of hits, of several shares of the same minutes."""

    shares: int
    count: int = 0
    weight: float = 0.0
    squared: float = 0.0
    hits: list[float] = field(init=False)
    crossed: list[float] = field(init=False)
    hits_squared: list[float] = field(init=False)

    def __post_init__(self) -> None:
        self.hits, self.crossed, self.hits_squared = ([0.0] * self.shares for _ in range(3))

    def add(self, weight: float, hits: Sequence[float]) -> None:
        """One block: the weight of its minutes, and of those that count for each share."""
        self.count += 1
        self.weight += weight
        self.squared += weight * weight
        for at, hit in enumerate(hits):
            self.hits[at] += hit
            self.crossed[at] += weight * hit
            self.hits_squared[at] += hit * hit

    def worth(self, most: float) -> float:
        """Of the share that is known worst; at most so many as all minutes would be if each were a draw of its own."""
        if not self.weight:
            return 0.0
        blocks = self.weight**2 / self.squared
        told = [size for at in range(self.shares) if (size := self._told(at, most, blocks)) is not None]
        return min([most, *(told or [blocks])])

    def _told(self, at: int, most: float, blocks: float) -> float | None:
        share = min(1.0, self.hits[at] / self.weight)
        chance = share * (1.0 - share)
        if blocks < FEWEST_BLOCKS or chance * most < FEWEST_HITS:
            return None
        apart = self.hits_squared[at] - 2 * share * self.crossed[at] + share * share * self.squared
        # The spread of few blocks is itself not known well: what Student's t has beyond a normal.
        variance = apart / self.weight**2 * blocks / (blocks - 3)
        return chance / variance if variance * most > chance else most


def of_weights(weights: Sequence[float]) -> float:
    """Draws of equal weight that tell as much as draws of these weights."""
    squared = sum(each * each for each in weights)
    return sum(weights) ** 2 / squared if squared else 0.0
