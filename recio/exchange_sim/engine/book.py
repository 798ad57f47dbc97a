"""One market's YES book: price-time priority and nothing about money, accounts, time or messages."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol


@dataclass(slots=True, eq=False)
class Resting:
    """A quantity that rests in the book. `bid` buys YES at `price`, otherwise it sells YES at it."""

    key: int
    owner: int
    bid: bool
    price: int
    remaining: int


class Change(NamedTuple):
    """A level of one side grew or shrank because of the order with this key."""

    bid: bool
    price: int
    delta: int
    key: int


class Match(NamedTuple):
    """A resting order gave this much at its own price."""

    resting: Resting
    price: int
    quantity: int


@dataclass(slots=True)
class Sweep:
    """What an incoming order met on its way through the other side."""

    matches: list[Match] = field(default_factory=list[Match])
    own_cancelled: list[tuple[Resting, int]] = field(default_factory=list[tuple[Resting, int]])
    """Own resting orders taken out of the way, with what was left of each."""
    left: int = 0
    stopped_by_own: bool = False


class BookSide:
    """One side's levels: a queue per price, oldest first."""

    def __init__(self) -> None:
        self.levels: dict[int, dict[int, Resting]] = {}
        self.totals: dict[int, int] = {}
        self.prices: list[int] = []

    def add(self, order: Resting) -> None:
        level = self.levels.get(order.price)
        if level is None:
            self.levels[order.price] = {order.key: order}
            self.totals[order.price] = order.remaining
            insort(self.prices, order.price)
            return
        level[order.key] = order
        self.totals[order.price] += order.remaining

    def shrink(self, order: Resting, quantity: int) -> None:
        """Take a quantity off an order; an order with nothing left goes, and an empty level with it."""
        order.remaining -= quantity
        self.totals[order.price] -= quantity
        if order.remaining:
            return
        level = self.levels[order.price]
        del level[order.key]
        if not level:
            del self.levels[order.price]
            del self.totals[order.price]
            del self.prices[bisect_left(self.prices, order.price)]

    def from_best(self, *, bid: bool) -> Iterator[int]:
        return iter(self.prices[::-1] if bid else self.prices[:])


class OrderBook(Protocol):
    """What the matching asks of a market's book, whoever rests in it."""

    @property
    def bids(self) -> BookSide: ...

    @property
    def asks(self) -> BookSide: ...

    @property
    def changes(self) -> list[Change]: ...

    def best_bid(self) -> int | None: ...

    def best_ask(self) -> int | None: ...

    def side(self, *, bid: bool) -> BookSide: ...

    def place(self, order: Resting) -> None: ...

    def reduce(self, order: Resting, quantity: int) -> None: ...

    def cancel(self, order: Resting) -> int: ...

    def crosses(self, *, bid: bool, price: int) -> bool: ...

    def fillable(self, *, owner: int, bid: bool, limit: int, wanted: int, stop_at_own: bool) -> int: ...

    def sweep(self, *, owner: int, bid: bool, limit: int, quantity: int, stop_at_own: bool) -> Sweep: ...

    def collect(self) -> list[Change]: ...


class Book:
    """Both sides in YES terms, and the changes nobody has collected yet."""

    def __init__(self) -> None:
        self.bids = BookSide()
        self.asks = BookSide()
        self.changes: list[Change] = []

    def best_bid(self) -> int | None:
        return self.bids.prices[-1] if self.bids.prices else None

    def best_ask(self) -> int | None:
        return self.asks.prices[0] if self.asks.prices else None

    def side(self, *, bid: bool) -> BookSide:
        return self.bids if bid else self.asks

    def place(self, order: Resting) -> None:
        """Rest an order at the end of its level's queue. The caller has made sure that it does not cross."""
        self.side(bid=order.bid).add(order)
        self.changes.append(Change(order.bid, order.price, order.remaining, order.key))

    def reduce(self, order: Resting, quantity: int) -> None:
        """Take a quantity off a resting order, which keeps its place."""
        self.side(bid=order.bid).shrink(order, quantity)
        self.changes.append(Change(order.bid, order.price, -quantity, order.key))

    def cancel(self, order: Resting) -> int:
        """Take an order out and return what was left of it."""
        left = order.remaining
        self.reduce(order, left)
        return left

    def crosses(self, *, bid: bool, price: int) -> bool:
        best = self.best_ask() if bid else self.best_bid()
        if best is None:
            return False
        return best <= price if bid else best >= price

    def fillable(self, *, owner: int, bid: bool, limit: int, wanted: int, stop_at_own: bool) -> int:
        """How much of `wanted` an order would get at once, its own orders never being counted."""
        opposite = self._opposite(bid=bid, limit=limit)
        return fillable_from(opposite, owner=owner, wanted=wanted, stop_at_own=stop_at_own)

    def sweep(self, *, owner: int, bid: bool, limit: int, quantity: int, stop_at_own: bool) -> Sweep:
        """Execute against the other side up to `limit`; own orders stop it or are cancelled on the way."""
        return sweep_through(
            self._opposite(bid=bid, limit=limit),
            owner=owner,
            quantity=quantity,
            stop_at_own=stop_at_own,
            cancel=self.cancel,
            take=self.reduce,
        )

    def collect(self) -> list[Change]:
        """Hand over the changes since the last call, in order."""
        changes, self.changes = self.changes, []
        return changes

    def _opposite(self, *, bid: bool, limit: int) -> Iterator[Resting]:
        book_side = self.side(bid=not bid)
        for price in book_side.from_best(bid=not bid):
            if (price > limit) if bid else (price < limit):
                return
            yield from list(book_side.levels[price].values())


def fillable_from(orders: Iterable[Resting], *, owner: int, wanted: int, stop_at_own: bool) -> int:
    """How much of `wanted` these orders give, best first; those of the same owner give nothing."""
    found = 0
    for order in orders:
        if order.owner == owner:
            if stop_at_own:
                break
            continue
        found += order.remaining
        if found >= wanted:
            return wanted
    return found


def sweep_through(
    orders: Iterable[Resting],
    *,
    owner: int,
    quantity: int,
    stop_at_own: bool,
    cancel: Callable[[Resting], int],
    take: Callable[[Resting, int], None],
) -> Sweep:
    """Match a quantity with these orders, best first; the book says how one is cancelled and how one gives."""
    result = Sweep(left=quantity)
    for order in orders:
        if not result.left:
            break
        if order.owner == owner:
            if stop_at_own:
                result.stopped_by_own = True
                break
            result.own_cancelled.append((order, cancel(order)))
            continue
        taken = min(order.remaining, result.left)
        take(order, taken)
        result.left -= taken
        result.matches.append(Match(order, order.price, taken))
    return result
