"""What a row looked like at any moment that may still be asked for; it drops what nobody can ask for any more."""

from __future__ import annotations

import sys
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Generic, TypeVar

PRESENT = sys.maxsize
"""Later than every moment: reads that do not lag ask for this one."""

_Row = TypeVar("_Row")


@dataclass(slots=True)
class Horizon:
    """The moment, by the venue's clock, whose state account reads show. It never goes back."""

    as_of_ms: int = PRESENT
    single_ms: int = PRESENT
    """The same of reads of single orders, where they are further behind than lists."""

    @property
    def oldest_ms(self) -> int:
        return min(self.as_of_ms, self.single_ms)


@dataclass(slots=True)
class Versions(Generic[_Row]):
    """One row's states, oldest first, each with the moment from which it held."""

    horizon: Horizon
    moments: list[int] = field(default_factory=list[int])
    rows: list[_Row] = field(default_factory=list["_Row"])

    def add(self, now_ms: int, row: _Row) -> None:
        """The row is like this from now on. What the horizon has passed is forgotten."""
        if self.moments and self.moments[-1] == now_ms:
            self.rows[-1] = row
        else:
            self.moments.append(now_ms)
            self.rows.append(row)
        superseded = bisect_right(self.moments, self.horizon.oldest_ms) - 1
        if superseded > 0:
            del self.moments[:superseded]
            del self.rows[:superseded]

    def shown(self, as_of_ms: int | None = None) -> _Row | None:
        """The row as lists show it now, or as it was at a moment; None when it was not there yet."""
        found = bisect_right(self.moments, self.horizon.as_of_ms if as_of_ms is None else as_of_ms)
        return self.rows[found - 1] if found else None
