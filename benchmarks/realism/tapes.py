"""What was seen of one market, wherever it was seen: changes of its book, prints of spot, trades; it measures nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple


class Change(NamedTuple):
    """A level grew or shrank: moment in milliseconds, side, YES price in $0.0001, quantity in 0.01 contract."""

    at_ms: float
    bid: bool
    price: int
    delta: int


class Spot(NamedTuple):
    at_ms: float
    dollars: float


class Take(NamedTuple):
    """One print of a trade. Prints of one taker share moment, side and market."""

    at_ms: float
    price: int
    quantity: int
    taker_bid: bool


@dataclass(slots=True, kw_only=True)
class Tape:
    """One market from its first snapshot, which is `changes` from an empty book, to its close."""

    ticker: str
    close_ms: int
    strike: float
    """In dollars: YES is paid from there on."""
    yes: bool | None
    """The result; None where nobody recorded it."""
    changes: list[Change] = field(default_factory=list[Change])
    whole_from: int = 0
    """How many of the changes are the first snapshot."""
    spot: list[Spot] = field(default_factory=list[Spot])
    takes: list[Take] = field(default_factory=list[Take])
    cancelled_ahead: list[float] = field(default_factory=list[float])
    """Of every cancelled order, which part of its level's queue was in front of it; only the simulator knows."""


@dataclass(slots=True)
class Levels:
    """A book of sums, as a client keeps it. Prices in $0.0001, quantities in 0.01 contract."""

    bids: dict[int, int] = field(default_factory=dict[int, int])
    asks: dict[int, int] = field(default_factory=dict[int, int])
    best_bid: int = 0
    """0 for none."""
    best_ask: int = 10_000
    """10,000 for none."""

    def take(self, change: Change) -> None:
        side = self.bids if change.bid else self.asks
        left = side.get(change.price, 0) + change.delta
        if left > 0:
            side[change.price] = left
            if change.bid:
                self.best_bid = max(self.best_bid, change.price)
            else:
                self.best_ask = min(self.best_ask, change.price)
            return
        side.pop(change.price, None)
        if change.bid and change.price == self.best_bid:
            self.best_bid = max(side, default=0)
        elif not change.bid and change.price == self.best_ask:
            self.best_ask = min(side, default=10_000)

    @property
    def two_sided(self) -> bool:
        return 0 < self.best_bid < self.best_ask < 10_000

    @property
    def middle(self) -> float:
        return (self.best_bid + self.best_ask) / 2

    def within(self, *, bid: bool, limit: int, wanted: int) -> bool:
        """Whether a taker on this side gets so much at the limit or better."""
        found = 0
        for price, size in (self.asks if bid else self.bids).items():
            if (price <= limit) if bid else (price >= limit):
                found += size
                if found >= wanted:
                    return True
        return False


def played(tape: Tape, stops_ms: Iterator[float], look: Callable[[float, Levels], None]) -> None:
    """Play the changes and call `look` at each stop, in rising order, with the book as it then stands."""
    book = Levels()
    stop = next(stops_ms, None)
    for change in tape.changes:
        while stop is not None and stop < change.at_ms:
            look(stop, book)
            stop = next(stops_ms, None)
        if stop is None:
            return
        book.take(change)
