"""The strikes that come near to being bought: the same wants as entry's, each less a margin; it opens nothing.

What entry wants is not loosened by it: a strike on the list still has to pass every gate.
"""

from __future__ import annotations

from collections.abc import Sequence

from recio.messages.decisions import StrikeAssessment
from recio.messages.markets import MarketView
from recio.rules.market.quotes import ask_of, quantity_up_to
from recio.settings.trading import EntrySection
from recio.units import Money, Side, Ticker

MOST = 5
"""Strikes on the list: the best by their edge."""


def watched(
    views: Sequence[MarketView], strikes: Sequence[StrikeAssessment], settings: EntrySection
) -> tuple[Ticker, ...]:
    """The tickers, best edge first; strikes whose probability or ask is unknown are never among them."""
    near = [
        (edge, view.market.ticker)
        for view, strike in zip(views, strikes, strict=True)
        if (edge := _near(view, strike, settings)) is not None
    ]
    return tuple(ticker for _, ticker in sorted(near, key=lambda each: -each[0])[:MOST])


def _near(view: MarketView, strike: StrikeAssessment, settings: EntrySection) -> Money | None:
    """The edge of its better side, if that comes near to what is wanted."""
    if strike.probability is None:
        return None
    sides = [
        (edge, side, probability)
        for side, edge, probability in (
            (Side.YES, strike.yes_edge, strike.probability),
            (Side.NO, strike.no_edge, 1.0 - strike.probability),
        )
        if edge is not None
    ]
    if not sides:
        return None
    edge, side, probability = max(sides)
    quote = ask_of(view, side)
    if quote is None or quote[0] > settings.max_price_dollars:
        return None
    depth = settings.min_depth_contracts
    if depth is not None and quantity_up_to(view, side, quote[0]) < depth:
        return None
    wanted = settings.min_edge_dollars - settings.watch_edge_margin_dollars
    least = settings.min_probability
    likely = least is None or probability >= least - settings.watch_probability_margin
    return edge if likely and edge >= wanted else None
