"""What the model makes of each market, and what each side would earn at its ask; it reads a book and changes none.

An unknown price, volatility, strike or book gives None with the reason, never a default.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from recio.messages.decisions import StrikeAssessment
from recio.messages.markets import Market, MarketStatus, MarketView
from recio.messages.prices import PriceView
from recio.rules.market.quotes import ask_of, price_in_range
from recio.rules.pricing.fees import taker_fee
from recio.rules.pricing.market_probability import probability
from recio.units import ONE_CONTRACT, Money, Price, Side, complement

MICROS = 1_000_000
FINEST_STEP = 10
"""The finest grid of any market we trade, $0.001."""


def edge(probability: float, ask: Price, multiplier_fee: Money) -> Money:
    """Expected gain of one contract bought at `ask` when its side wins with `probability`."""
    return Money(round(probability * MICROS) - ask * ONE_CONTRACT - multiplier_fee)


def side_edge(view: MarketView, side: Side, yes_probability: float) -> Money | None:
    quote = ask_of(view, side)
    if quote is None:
        return None
    ask, _ = quote
    own = yes_probability if side is Side.YES else 1.0 - yes_probability
    return edge(own, ask, taker_fee(ask, ONE_CONTRACT, view.market.fee_multiplier))


ProbabilityOf = Callable[[Market, PriceView, datetime], float | str]
"""P(YES) of a market at a price and time, or the reason why it is unknown."""


def assess(
    view: MarketView, price: PriceView | None, now: datetime, probability_of: ProbabilityOf = probability
) -> StrikeAssessment:
    """Model against market for one strike."""
    market = view.market

    def unknown(note: str) -> StrikeAssessment:
        return StrikeAssessment(
            ticker=market.ticker, probability=None, yes_edge=None, no_edge=None, note=note
        )

    if market.untradable:
        return unknown(market.untradable)
    if market.status is not MarketStatus.ACTIVE:
        return unknown(f"market is {market.status}")
    if price is None:
        return unknown(f"no price of {market.symbol} yet")
    likely = probability_of(market, price, now)
    if isinstance(likely, str):
        return unknown(likely)
    return StrikeAssessment(
        ticker=market.ticker,
        probability=likely,
        yes_edge=side_edge(view, Side.YES, likely),
        no_edge=side_edge(view, Side.NO, likely),
        note=view.why_no_book,
    )


def max_price(
    view: MarketView, side: Side, probability: float, min_edge: Money, highest: Price
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
        if not price_in_range(price if side is Side.YES else complement(price), view):
            continue
        if edge(probability, price, taker_fee(price, ONE_CONTRACT, view.market.fee_multiplier)) < min_edge:
            break
        found = price
    return found
