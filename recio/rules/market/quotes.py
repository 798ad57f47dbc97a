"""What a market's book offers on each side, in that side's own terms, and the prices its grid allows; it prices nothing.

A book that is not known gives None or nothing, never a default.
"""

from __future__ import annotations

from collections.abc import Sequence

from recio.messages.markets import MarketBoard, MarketView, PriceRange
from recio.units import ONE_DOLLAR, Price, Quantity, Side, Ticker, complement

WHOLE_CENTS = (PriceRange(start=Price(0), end=ONE_DOLLAR, step=Price(100)),)
"""Where a market's own grid is not known: every grid that the venue has had contains the whole cents."""


def ask_of(view: MarketView, side: Side) -> tuple[Price, Quantity] | None:
    """Best ask of one side in its own terms, with the quantity there."""
    if view.book is None:
        return None
    levels = view.book.asks if side is Side.YES else view.book.bids
    if not levels:
        return None
    price, quantity = levels[0]
    return (price if side is Side.YES else complement(price), quantity)


def bid_of(view: MarketView, side: Side) -> tuple[Price, Quantity] | None:
    """Best bid of one side in its own terms, with the quantity there."""
    if view.book is None:
        return None
    levels = view.book.bids if side is Side.YES else view.book.asks
    if not levels:
        return None
    price, quantity = levels[0]
    return (price if side is Side.YES else complement(price), quantity)


def market_on(board: MarketBoard | None, ticker: Ticker) -> MarketView | None:
    """A market of the board; None while it is not there."""
    return None if board is None else board.by_ticker.get(ticker)


def ask_on(board: MarketBoard | None, ticker: Ticker, side: Side) -> Price | None:
    """Best ask of one side of a market of the board, in its own terms; None while nobody is known to offer."""
    view = market_on(board, ticker)
    quote = None if view is None else ask_of(view, side)
    return None if quote is None else quote[0]


def is_crossed(view: MarketView) -> bool:
    """A bid at or above the ask: the two halves of an update pair are not both here yet."""
    book = view.book
    return book is not None and bool(book.bids and book.asks) and book.bids[0][0] >= book.asks[0][0]


def quantity_up_to(view: MarketView, side: Side, limit: Price) -> Quantity:
    """What stands on the shown levels at no more than `limit`, in own terms."""
    if view.book is None:
        return Quantity(0)
    levels = view.book.asks if side is Side.YES else view.book.bids
    return Quantity(
        sum(
            quantity
            for price, quantity in levels
            if (price if side is Side.YES else complement(price)) <= limit
        )
    )


def sellable_floor(ranges: Sequence[PriceRange], side: Side, floor: Price) -> Price:
    """The nearest price on a market's grid at or below `floor`, or its lowest, in own terms.

    Selling YES is an ask, so its limit steps down; selling NO is a bid of YES, whose limit steps up.
    """
    if side is Side.YES:
        below = _at_or_below(ranges, floor)
        return _lowest(ranges) if below is None else below
    above = _at_or_above(ranges, complement(floor))
    return complement(_highest(ranges) if above is None else above)


def sellable_least(ranges: Sequence[PriceRange], side: Side, least: Price) -> Price:
    """The nearest price on a market's grid at or above `least`, or its highest, in own terms."""
    if side is Side.YES:
        above = _at_or_above(ranges, least)
        return _highest(ranges) if above is None else above
    below = _at_or_below(ranges, complement(least))
    return complement(_lowest(ranges) if below is None else below)


def _at_or_below(ranges: Sequence[PriceRange], price: Price) -> Price | None:
    fits = (
        Price(each.start + (min(price, each.end) - each.start) // each.step * each.step)
        for each in ranges
        if each.start <= price
    )
    return max((each for each in fits if 0 < each < ONE_DOLLAR), default=None)


def _at_or_above(ranges: Sequence[PriceRange], price: Price) -> Price | None:
    fits = (
        Price(each.start + -(-(max(price, each.start) - each.start) // each.step) * each.step)
        for each in ranges
        if each.end >= price
    )
    return min((each for each in fits if 0 < each < ONE_DOLLAR), default=None)


def _lowest(ranges: Sequence[PriceRange]) -> Price:
    return Price(min(each.start or each.start + each.step for each in ranges))


def _highest(ranges: Sequence[PriceRange]) -> Price:
    return Price(max(each.end if each.end < ONE_DOLLAR else each.end - each.step for each in ranges))


def price_in_range(price: Price, view: MarketView) -> bool:
    """Whether a YES price lies on the market's own grid."""
    return 0 < price < ONE_DOLLAR and any(
        each.start <= price <= each.end and (price - each.start) % each.step == 0
        for each in view.market.price_ranges
    )
