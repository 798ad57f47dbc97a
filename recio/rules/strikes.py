"""The strike board: what the model makes of each market, and what each side would earn at its ask.

An unknown price, volatility, strike or book gives None with the reason, never a default.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from recio.messages import (
    Market,
    MarketBoard,
    MarketStatus,
    MarketView,
    PriceView,
    StrikeAssessment,
)
from recio.rules.average_fit import FITTED, Fit
from recio.rules.fees import taker_fee
from recio.rules.probability import Span, prints_made, thresholds, within
from recio.rules.settlement_average import Outlook, outlook
from recio.rules.time_of_day import growth
from recio.units import ONE_CONTRACT, ONE_DOLLAR, Money, Price, Quantity, Side, Ticker, complement

MICROS = 1_000_000
MOST_SPANS = 2_048
_SPANS: dict[Ticker, tuple[Market, Span | None]] = {}
FINEST_STEP = 10
"""The finest grid of any market we trade, $0.001."""


def outlook_of(market: Market, price: PriceView, now: datetime, fit: Fit = FITTED) -> Outlook | str:
    """What all strikes of a coin that close together share, or the reason why it is unknown."""
    if price.volatility is None:
        return "volatility is not known yet"
    if price.volatility <= 0:
        return "the price has not moved: its volatility cannot be zero"
    unix = now.timestamp()
    closes_at = market.close_time.timestamp()
    prints = prints_made(price.last_minute, int(closes_at), unix)
    if prints is None:
        return "prices of the closing minute are missing"
    remaining = max(0.0, closes_at - unix)
    to_come = price.volatility * growth(fit.time_of_day, unix, unix + remaining)
    return outlook(float(price.tick.price), to_come, remaining, prints, fit)


def yes_chance(market: Market, seen: Outlook) -> float | str:
    """P(YES) of one of those strikes, or the reason why it is unknown."""
    span = span_of(market)
    if span is None:
        return "the strike is not known yet"
    least, beyond = span
    if least is not None and beyond is None:
        return seen.above(least)
    return within(span, seen.above)


def span_of(market: Market) -> Span | None:
    """Its thresholds. A market is the same object turn after turn, and comparing identities is all that a turn needs."""
    known = _SPANS.get(market.ticker)
    if known is not None and known[0] is market:
        return known[1]
    if len(_SPANS) >= MOST_SPANS:
        _SPANS.clear()
    span = thresholds(market.strike_type, market.floor_strike, market.cap_strike)
    _SPANS[market.ticker] = (market, span)
    return span


def probability(market: Market, price: PriceView, now: datetime, fit: Fit = FITTED) -> float | str:
    """P(YES) by the settlement average, or the reason why it is unknown."""
    seen = outlook_of(market, price, now, fit)
    return seen if isinstance(seen, str) else yes_chance(market, seen)


def edge(chance: float, ask: Price, multiplier_fee: Money) -> Money:
    """Expected gain of one contract bought at `ask` when its side wins with `chance`."""
    return Money(round(chance * MICROS) - ask * ONE_CONTRACT - multiplier_fee)


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
    return next((each for each in (board.markets if board else ()) if each.market.ticker == ticker), None)


def ask_on(board: MarketBoard | None, ticker: Ticker, side: Side) -> Price | None:
    """Best ask of one side of a market of the board, in its own terms; None while nobody is known to offer."""
    view = market_on(board, ticker)
    quote = None if view is None else ask_of(view, side)
    return None if quote is None else quote[0]


def is_crossed(view: MarketView) -> bool:
    """A bid at or above the ask: the two halves of an update pair are not both here yet."""
    book = view.book
    return book is not None and bool(book.bids and book.asks) and book.bids[0][0] >= book.asks[0][0]


def side_edge(view: MarketView, side: Side, yes_chance: float) -> Money | None:
    quote = ask_of(view, side)
    if quote is None:
        return None
    ask, _ = quote
    chance = yes_chance if side is Side.YES else 1.0 - yes_chance
    return edge(chance, ask, taker_fee(ask, ONE_CONTRACT, view.market.fee_multiplier))


Chance = Callable[[Market, PriceView, datetime], float | str]
"""P(YES) of a market at a price and time, or the reason why it is unknown."""


def assess(
    view: MarketView, price: PriceView | None, now: datetime, chance_of: Chance = probability
) -> StrikeAssessment:
    """Model against market for one strike."""
    market = view.market

    def unknown(note: str) -> StrikeAssessment:
        return StrikeAssessment(
            ticker=market.ticker, probability=None, yes_edge=None, no_edge=None, note=note
        )

    if market.doubt:
        return unknown(market.doubt)
    if market.status is not MarketStatus.ACTIVE:
        return unknown(f"market is {market.status}")
    if price is None:
        return unknown(f"no price of {market.symbol} yet")
    chance = chance_of(market, price, now)
    if isinstance(chance, str):
        return unknown(chance)
    return StrikeAssessment(
        ticker=market.ticker,
        probability=chance,
        yes_edge=side_edge(view, Side.YES, chance),
        no_edge=side_edge(view, Side.NO, chance),
        note=view.why_no_book,
    )


def dearest_price(
    view: MarketView, side: Side, chance: float, min_edge: Money, highest: Price
) -> Price | None:
    """The most to pay for one contract of `side`, in own terms, that still leaves the wanted edge.

    At least the best ask, at most `highest`, and on the market's grid; None if even the ask does not
    leave it. An order at this limit still fills when the book moves by less than the edge.
    """
    quote = ask_of(view, side)
    if quote is None:
        return None
    found: Price | None = None
    for own in range(quote[0], highest + 1, FINEST_STEP):
        price = Price(own)
        if edge(chance, price, taker_fee(price, ONE_CONTRACT, view.market.fee_multiplier)) < min_edge:
            break
        if price_in_range(price if side is Side.YES else complement(price), view):
            found = price
    return found


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


def sellable_floor(view: MarketView, side: Side, floor: Price) -> Price:
    """The nearest price on the market's grid at or below `floor`, or its lowest, in own terms.

    Selling YES is an ask, so its limit steps down; selling NO is a bid of YES, whose limit steps up.
    """
    ranges = view.market.price_ranges
    if side is Side.YES:
        lowest = min(each.start or each.start + each.step for each in ranges)
        fits = (
            Price(each.start + (min(floor, each.end) - each.start) // each.step * each.step)
            for each in view.market.price_ranges
            if each.start <= floor
        )
        return max((price for price in fits if 0 < price < ONE_DOLLAR), default=Price(lowest))
    wanted = complement(floor)
    fits = (
        Price(each.start + -(-(max(wanted, each.start) - each.start) // each.step) * each.step)
        for each in view.market.price_ranges
        if each.end >= wanted
    )
    highest = max(each.end if each.end < ONE_DOLLAR else each.end - each.step for each in ranges)
    return complement(min((price for price in fits if 0 < price < ONE_DOLLAR), default=Price(highest)))


def price_in_range(price: Price, view: MarketView) -> bool:
    """Whether a YES price lies on the market's own grid."""
    return 0 < price < ONE_DOLLAR and any(
        each.start <= price <= each.end and (price - each.start) % each.step == 0
        for each in view.market.price_ranges
    )
