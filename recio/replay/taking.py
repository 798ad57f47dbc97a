"""What an immediate order would have got from a recorded book, and what of that book we have already taken.

The recording knows nothing of our orders, so the same displayed size could be bought again and again:
what was taken from a level is therefore gone for us until the level itself has fallen below what we
left of it. Never more than is displayed is filled, and never beyond the limit.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from recio.messages.markets import BookView
from recio.messages.orders import PlaceOrder
from recio.rules.market.order_book import DEPTH_SHOWN, OrderBook
from recio.units import BookSide, Price, Quantity, Side, Ticker, complement

Level = tuple[Ticker, Side, Price]
"""A level of one outcome's bids, price in that outcome's own terms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taking:
    """A part of an order that found a counterparty; price in YES terms."""

    price: Price
    quantity: Quantity


@dataclass(slots=True)
class Taken:
    """By level: what we took in all, and what was left after the last time."""

    levels: dict[Level, tuple[Quantity, Quantity]] = field(
        default_factory=dict[Level, tuple[Quantity, Quantity]]
    )

    def available(self, level: Level, displayed: Quantity) -> Quantity:
        taken = self.levels.get(level)
        return displayed if taken is None else Quantity(max(0, displayed - taken[0]))

    def note(self, level: Level, displayed: Quantity, quantity: Quantity) -> None:
        before, _ = self.levels.get(level, (Quantity(0), Quantity(0)))
        total = Quantity(before + quantity)
        self.levels[level] = (total, Quantity(displayed - total))

    def left_of(self, ticker: Ticker, view: BookView) -> BookView:
        """A recorded book as it would be had our orders been real."""
        if not self.levels:
            return view
        bids = [(price, self.available((ticker, Side.YES, price), there)) for price, there in view.bids]
        asks = [
            (price, self.available((ticker, Side.NO, complement(price)), there)) for price, there in view.asks
        ]
        return BookView(
            bids=tuple(each for each in bids if each[1] > 0),
            asks=tuple(each for each in asks if each[1] > 0),
        )

    def level_is(self, level: Level, displayed: Quantity) -> None:
        """A level changed: below what we left, what is there now is there in truth."""
        taken = self.levels.get(level)
        if taken is not None and (displayed <= 0 or displayed < taken[1]):
            del self.levels[level]

    def book_is(self, ticker: Ticker, book: OrderBook) -> None:
        """A whole book arrived: look at all of its levels that we took from."""
        for level in [each for each in self.levels if each[0] == ticker]:
            _, side, price = level
            self.level_is(level, book.ladder(side).levels.get(price, Quantity(0)))

    def view_is(self, ticker: Ticker, view: BookView) -> None:
        """The best levels are known: a level behind all that are shown may be there still."""
        book = book_of(view)
        for level in [each for each in self.levels if each[0] == ticker]:
            _, side, price = level
            shown = book.ladder(side).levels
            if price in shown or len(shown) < DEPTH_SHOWN or price > min(shown):
                self.level_is(level, shown.get(price, Quantity(0)))


def book_of(view: BookView) -> OrderBook:
    """The levels that are shown, as a book that orders can meet."""
    book = OrderBook()
    book.yes.replace(view.bids)
    book.no.replace(tuple((complement(price), quantity) for price, quantity in view.asks))
    return book


def displayed(before: BookView, after: BookView) -> OrderBook:
    """What stood in both books: the most that an order between them can count on."""
    book, later = book_of(before), book_of(after)
    for side in Side:
        there = later.ladder(side).levels
        book.ladder(side).replace(
            tuple(
                (price, Quantity(min(quantity, there.get(price, Quantity(0)))))
                for price, quantity in book.ladder(side).levels.items()
            )
        )
    return book


def take(book: OrderBook, taken: Taken, order: PlaceOrder) -> list[Taking]:
    """Match an immediate-or-cancel order level by level, and remember what it took."""
    buys = order.book_side is BookSide.BID
    side = Side.NO if buys else Side.YES
    worst = complement(order.price) if buys else order.price
    wanted = order.quantity
    got: list[Taking] = []
    for price, displayed in sorted(book.ladder(side).levels.items(), reverse=True):
        if price < worst or wanted <= 0:
            break
        level = (order.ticker, side, price)
        quantity = Quantity(min(wanted, taken.available(level, displayed)))
        if quantity > 0:
            taken.note(level, displayed, quantity)
            got.append(Taking(price=complement(price) if buys else price, quantity=quantity))
            wanted = Quantity(wanted - quantity)
    return got
