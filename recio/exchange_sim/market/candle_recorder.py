"""Writes down each market's candles, quotes once a second and every trade; it changes nothing that is traded."""

from __future__ import annotations

from itertools import takewhile

from recio.exchange_sim.engine.venue import Venue
from recio.exchange_sim.market.markets import Market


class Chronicle:
    """Knows how far it has read the venue's tape."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._read = 0

    def quote(self, market: Market) -> None:
        """Take down a market's best prices as they are now."""
        market.candles.quote(self._venue.now_ms, market.book.best_bid(), market.book.best_ask())

    def catch_up(self) -> None:
        """Take down the trades since the last time, oldest first."""
        fresh = list(takewhile(lambda trade: trade.sequence > self._read, reversed(self._venue.trades)))
        for trade in reversed(fresh):
            trade.market.candles.trade(
                trade.now_ms,
                price=trade.price,
                quantity=trade.quantity,
                open_interest=trade.market.open_interest,
            )
        if fresh:
            self._read = fresh[0].sequence
