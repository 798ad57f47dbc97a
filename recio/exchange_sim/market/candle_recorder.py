"""Writes down each market's candles, quotes once a second and every trade; it changes nothing that is traded."""

from __future__ import annotations

from itertools import takewhile

from recio.exchange_sim.engine.events import Trade
from recio.exchange_sim.engine.venue import Venue
from recio.exchange_sim.market.listings import Listings
from recio.exchange_sim.market.markets import Market


class CandleRecorder:
    """Knows how far it has read the venue's tape."""

    def __init__(self, venue: Venue, listings: Listings) -> None:
        self._venue = venue
        self._listings = listings
        self._read = 0

    def quote(self, market: Market) -> None:
        """Take down a market's best prices as they are now."""
        market.candles.quote(self._venue.now_ms, market.book.best_bid(), market.book.best_ask())

    def catch_up(self) -> None:
        """Take down the trades since the last time, oldest first."""
        fresh = list(takewhile(lambda trade: trade.sequence > self._read, reversed(self._venue.trades)))
        for trade in reversed(fresh):
            self._take_down(trade)
        if fresh:
            self._read = fresh[0].sequence

    def _take_down(self, trade: Trade) -> None:
        market = self._listings.markets.get(trade.market.ticker)
        if market is not None:
            market.candles.trade(
                trade.now_ms,
                price=trade.price,
                quantity=trade.quantity,
                open_interest=market.open_interest,
            )
