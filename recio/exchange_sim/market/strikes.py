"""Strikes: what a value is compared with, and which strikes an event has round a level; integers only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class StrikeType(StrEnum):
    GREATER = "greater"
    GREATER_OR_EQUAL = "greater_or_equal"
    LESS = "less"
    BETWEEN = "between"


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """In the index's own unit. A window's strike has no floor until the window before it has settled."""

    kind: StrikeType
    floor: int | None = None
    cap: int | None = None

    def holds(self, value: int) -> bool:
        """Whether the value is on the winning side; a strike that nobody knows is never met."""
        match self.kind:
            case StrikeType.GREATER:
                return self.floor is not None and value > self.floor
            case StrikeType.GREATER_OR_EQUAL:
                return self.floor is not None and value >= self.floor
            case StrikeType.LESS:
                return self.cap is not None and value < self.cap
            case StrikeType.BETWEEN:
                return self.floor is not None and self.cap is not None and self.floor <= value <= self.cap

    @property
    def edges(self) -> tuple[int | None, int | None]:
        """The least value that wins and the least above it that does not; None for no such edge."""
        match self.kind:
            case StrikeType.GREATER:
                return (None if self.floor is None else self.floor + 1), None
            case StrikeType.GREATER_OR_EQUAL:
                return self.floor, None
            case StrikeType.LESS:
                return None, self.cap
            case StrikeType.BETWEEN:
                return self.floor, None if self.cap is None else self.cap + 1


def ladder(level: int, count: int, spacing: int) -> list[Strike]:
    """'Above' strikes one unit below the multiples of the spacing, so that the multiple itself wins."""
    return [Strike(kind=StrikeType.GREATER, floor=price - 1) for price in _multiples(level, count, spacing)]


def ranges(level: int, count: int, spacing: int) -> list[Strike]:
    """Adjoining ranges with a tail at either end, so that exactly one of them wins."""
    edges = _multiples(level, count - 1, spacing)
    middle = [Strike(kind=StrikeType.BETWEEN, floor=low, cap=low + spacing - 1) for low in edges[:-1]]
    below = Strike(kind=StrikeType.LESS, cap=edges[0])
    above = Strike(kind=StrikeType.GREATER, floor=edges[-1] - 1)
    return [below, *middle, above]


def _multiples(level: int, count: int, spacing: int) -> list[int]:
    """So many multiples of the spacing round the level; fewer where they would reach down to nothing."""
    centre = (level + spacing // 2) // spacing
    below = min(count // 2, centre - 1)
    above = min(count - count // 2, max(centre, 2))
    return [number * spacing for number in range(centre - below, centre + above)]
