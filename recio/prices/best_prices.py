"""One side of a book kept from changes, and the middle of two best prices; it proves nothing about the book."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from recio.prices.feed import FeedError, sane_dollars
from recio.units import PLAIN_DECIMAL


def level_of(price: str, amount: str, what: str) -> tuple[Decimal, bool]:
    """A level's price, and whether anything stands there. Raises FeedError.

    Nobody is kept from offering a coin for more than it can ever cost, so the price need only be a price.
    """
    for text, name in ((price, "price"), (amount, "amount")):
        if PLAIN_DECIMAL.fullmatch(text) is None or text.startswith("-"):
            raise FeedError(f"{what}: {name} {text[:40]!r} is not a plain decimal number")
    if not (found := Decimal(price)):
        raise FeedError(f"{what}: price {price[:40]!r} cannot be")
    return found, Decimal(amount) > 0


def middle(bid: Decimal | None, ask: Decimal | None) -> Decimal | str:
    """The price between both, or why there is none. Raises FeedError for one that no coin can have."""
    if bid is None or ask is None:
        return "its book has one side only"
    return "its book is crossed" if bid >= ask else sane_dollars((bid + ask) / 2, "middle of the book")


@dataclass(slots=True)
class BestPrice:
    """The prices at which something stands, and the best of them; quantities are not kept."""

    best_is_highest: bool
    prices: set[Decimal] = field(default_factory=set[Decimal])
    best: Decimal | None = None

    def take(self, price: Decimal, *, stands: bool) -> None:
        if stands:
            self.prices.add(price)
            if self.best is None or self._is_better(price, self.best):
                self.best = price
            return
        self.prices.discard(price)
        if price == self.best:
            chosen = max if self.best_is_highest else min
            self.best = chosen(self.prices, default=None)

    def _is_better(self, price: Decimal, than: Decimal) -> bool:
        return price > than if self.best_is_highest else price < than
