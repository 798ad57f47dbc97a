"""Moves the border of the historical tier and forgets the oldest settled markets; money stays where it is."""

from __future__ import annotations

from collections import deque

from recio.exchange_sim.engine.venue import Venue
from recio.exchange_sim.market.listings import Listings
from recio.exchange_sim.market.markets import Market
from recio.exchange_sim.market.series import KEPT_MARKETS

_FORGOTTEN_AT_ONCE = 0.1


class Retention:
    """Settled markets in the order of their settlement."""

    def __init__(
        self, venue: Venue, listings: Listings, *, history_ms: int, most: int = KEPT_MARKETS
    ) -> None:
        self._venue = venue
        self._listings = listings
        self._history_ms = history_ms
        self._most = most
        self._settled: deque[Market] = deque()

    def settled(self, market: Market) -> None:
        """A market has come to its end; nothing rests in it any more."""
        for member in self._venue.members:
            member.open_orders.pop(market.ticker, None)
        self._settled.append(market)

    def step(self) -> None:
        """What settled before the border is historical from now on; far beyond the most, all of it goes."""
        self._venue.floor.historical_cutoff_ms = self._venue.now_ms - self._history_ms
        if len(self._settled) > self._most * (1 + _FORGOTTEN_AT_ONCE):
            excess = len(self._settled) - self._most
            self._forget({self._settled.popleft().ticker for _ in range(excess)})

    def _forget(self, gone: set[str]) -> None:
        """These markets with the members' orders, fills and closed positions in them."""
        for ticker in gone:
            del self._listings.markets[ticker]
        for member in self._venue.members:
            _forget_of(member, gone)


def _forget_of(venue: Venue, gone: set[str]) -> None:
    for account in venue.accounts.values():
        for ticker in gone:
            account.positions.pop(ticker, None)
            account.position_versions.pop(ticker, None)
    for order_id in [order.order_id for order in venue.orders.values() if order.ticker in gone]:
        del venue.orders[order_id]
        venue.order_versions.pop(order_id, None)
    venue.fills = [fill for fill in venue.fills if fill.order.ticker not in gone]
