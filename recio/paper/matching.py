"""What an immediate order gets of the book that is shown when it arrives: level by level, never more than stands there and never beyond its limit.

It sends nothing. Buying and selling are one function: both take from the YES book, as at the venue.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from recio.messages.markets import BookView, MarketBoard, MarketStatus, MarketView
from recio.messages.orders import PlaceOrder
from recio.paper.marks import Marks
from recio.rules.account.lifecycle import yes_price
from recio.rules.market.quotes import market_on, price_in_range
from recio.rules.pricing.fees import taker_fee
from recio.units import BookSide, Money, Price, Quantity, Side, notional

LATENCY = timedelta(milliseconds=100)
"""Market time from a decision to the arrival of its order at the venue: our own delay and the way there."""
DELIVERY = timedelta(milliseconds=80)
"""Market time from a change at the venue until it is heard of here. A recorder's clock may be off by more, so it cannot be measured
from a recording; this is a guess at the slow end of what one way across a continent takes."""
MET_AFTER = LATENCY + DELIVERY
"""From a decision until the book that its order met is the one that is shown here."""
LESS = "less was there when the order arrived"


@dataclass(frozen=True, slots=True, kw_only=True)
class Taking:
    """A part of an order that found a counterparty; price in YES terms."""

    price: Price
    quantity: Quantity
    fee: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of an order; `note` says why it is less than was asked for."""

    got: tuple[Taking, ...] = ()
    note: str = ""
    is_refused: bool = False
    """The venue would not have taken it at all."""

    @property
    def quantity(self) -> Quantity:
        return Quantity(sum(each.quantity for each in self.got))

    @property
    def fees(self) -> Money:
        return Money(sum(each.fee for each in self.got))

    def value(self, side: Side) -> Money:
        """What was paid or brought, without fees, by whoever trades this side."""
        return Money(sum(notional(yes_price(side, each.price), each.quantity) for each in self.got))


def meet(
    order: PlaceOrder,
    closes_at: datetime,
    board: MarketBoard | None,
    marks: Marks,
    now: datetime,
    longest_age: float,
) -> Answer:
    """Match an order that arrives now, and mark what it took.

    `closes_at` is the close of its market where the board no longer has it, `longest_age` that of a book in seconds.
    """
    view = market_on(board, order.ticker)
    if now >= (closes_at if view is None else view.market.close_time):
        return Answer(note="the market had closed when the order arrived", is_refused=True)
    if view is not None and (refusal := _refusal(order, view, now)):
        return Answer(note=refusal, is_refused=True)
    if board is None or view is None or view.book is None or board.heard_at is None:
        return Answer(note="the book was not usable when the order arrived")
    if (now - board.heard_at).total_seconds() > longest_age:
        return Answer(note="the book was too old when the order arrived")
    got = _take(order, view, view.book, marks)
    short = sum(each.quantity for each in got) < order.quantity
    return Answer(got=got, note=LESS if short else "")


def _refusal(order: PlaceOrder, view: MarketView, now: datetime) -> str:
    if view.market.status is not MarketStatus.ACTIVE:
        return f"the market was {view.market.status} when the order arrived"
    if not price_in_range(order.price, view):
        return "the price is not on the market's grid"
    return "" if now <= order.send_before else "the order would have left too late"


def _take(order: PlaceOrder, view: MarketView, book: BookView, marks: Marks) -> tuple[Taking, ...]:
    buys = order.book_side is BookSide.BID
    side, wanted, got = BookSide.ASK if buys else BookSide.BID, order.quantity, list[Taking]()
    for price, displayed in book.asks if buys else book.bids:
        if wanted <= 0 or (price > order.price if buys else price < order.price):
            break
        level = (order.ticker, side, price)
        quantity = Quantity(min(wanted, marks.available(level, displayed)))
        if quantity > 0:
            marks.note(level, displayed, quantity)
            fee = taker_fee(price, quantity, view.market.fee_multiplier)
            got.append(Taking(price=price, quantity=quantity, fee=fee))
            wanted = Quantity(wanted - quantity)
    return tuple(got)
