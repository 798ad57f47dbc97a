"""Order groups as records with their rolling count of matched contracts; they cancel nothing themselves."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

ROLLING_MS = 15_000


@dataclass(slots=True, eq=False)
class OrderGroup:
    """Orders that stop together once the limit was matched within 15 seconds of venue time."""

    group_id: str
    subaccount: int
    shard: int
    limit: int
    """In quantity."""
    triggered: bool = False
    matched: deque[tuple[int, int]] = field(default_factory=deque[tuple[int, int]])
    stops_beyond: bool = False
    """It stops only once more than the limit was matched."""
    total: int = 0
    """Sum over what `matched` still has."""

    def count(self, now_ms: int, quantity: int) -> None:
        self.matched.append((now_ms, quantity))
        self.total += quantity

    def exceeded(self, now_ms: int) -> bool:
        while self.matched and self.matched[0][0] <= now_ms - ROLLING_MS:
            self.total -= self.matched.popleft()[1]
        return self.total > self.limit or (self.total == self.limit and not self.stops_beyond)

    def reset(self) -> None:
        self.triggered = False
        self.matched.clear()
        self.total = 0
