"""What the venue says of the market of a trade that the trade's own row does not say yet; it changes no row."""

from __future__ import annotations

from collections.abc import Iterator

from recio.messages.account import CloseMoved, SettlementSeen
from recio.messages.markets import Listings
from recio.messages.orders import TradeView


def untold(trade: TradeView, listings: Listings) -> Iterator[CloseMoved | SettlementSeen]:
    """Another close than the row's, and how the market was settled where the socket said so."""
    market, settled = listings.markets.get(trade.ticker), listings.settled.get(trade.ticker)
    if market is not None and market.close_time != trade.closes_at:
        yield CloseMoved(ticker=trade.ticker, closes_at=market.close_time)
    if settled is not None:
        yield SettlementSeen(
            ticker=trade.ticker,
            result=settled.result,
            settled_at=settled.settled_at,
            # A hundredth of a contract that won pays a cent.
            revenue_cents=trade.held if trade.side is settled.result else 0,
        )
