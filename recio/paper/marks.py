"""What trades on paper have taken from the levels of books that know nothing of them; it never gives more back than is shown.

The same size could be bought again and again: what was taken from a level is therefore gone for us until the level itself
has fallen below what we left of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from recio.messages.markets import MarketView
from recio.messages.orders import TakenLevel
from recio.rules.market.order_book import DEPTH_SHOWN
from recio.units import BookSide, Price, Quantity, Ticker

Level = tuple[Ticker, BookSide, Price]
"""A level of the YES book, price in YES terms."""
NOTHING = Quantity(0)


@dataclass(slots=True)
class Marks:
    """By level: what we took in all, and what was left after the last time."""

    levels: dict[Level, tuple[Quantity, Quantity]] = field(
        default_factory=dict[Level, tuple[Quantity, Quantity]]
    )
    _told: tuple[TakenLevel, ...] | None = ()

    def available(self, level: Level, displayed: Quantity) -> Quantity:
        taken = self.levels.get(level)
        return displayed if taken is None else Quantity(max(0, displayed - taken[0]))

    def note(self, level: Level, displayed: Quantity, quantity: Quantity) -> None:
        before, _ = self.levels.get(level, (NOTHING, NOTHING))
        total = Quantity(before + quantity)
        self.levels[level], self._told = (total, Quantity(displayed - total)), None

    def view_is(self, view: MarketView) -> bool:
        """What is shown of a book now; a level behind all that are shown may be there still. Whether a mark went."""
        if view.book is None or not self.levels:
            return False
        ticker, gone = view.market.ticker, list[Level]()
        for level, (_, left) in self.levels.items():
            _, side, price = level
            shown = view.book.bids if side is BookSide.BID else view.book.asks
            there = dict(shown).get(price)
            if level[0] != ticker or (there is None and _is_behind(price, side, shown)):
                continue
            if not there or there < left:
                gone.append(level)
        for level in gone:
            del self.levels[level]
            self._told = None
        return bool(gone)

    def told(self) -> tuple[TakenLevel, ...]:
        """The same object for as long as nothing changed."""
        if self._told is None:
            self._told = tuple(
                TakenLevel(ticker=ticker, side=side, price=price, quantity=taken)
                for (ticker, side, price), (taken, _) in self.levels.items()
            )
        return self._told


def _is_behind(price: Price, side: BookSide, shown: tuple[tuple[Price, Quantity], ...]) -> bool:
    if len(shown) < DEPTH_SHOWN:
        return False
    return price < shown[-1][0] if side is BookSide.BID else price > shown[-1][0]
