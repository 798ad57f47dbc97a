"""A market's figures as they are this moment, for a client that asks for them at once; it announces nothing."""

from __future__ import annotations

from recio.exchange_sim.engine.events import TickerChanged
from recio.exchange_sim.engine.venue import Venue
from recio.exchange_sim.market.markets import Market


def of(venue: Venue, market: Market) -> TickerChanged:
    """What the next ticker message of the market would say."""
    book = market.book
    bid, ask = book.best_bid(), book.best_ask()
    return TickerChanged(
        market=market,
        best_bid=bid,
        best_ask=ask,
        bid_size=0 if bid is None else book.bids.totals[bid],
        ask_size=0 if ask is None else book.asks.totals[ask],
        last_price=market.last_price,
        last_size=market.last_size,
        volume=market.volume,
        open_interest=market.open_interest,
        now_ms=venue.now_ms,
    )
