"""What the engine asks of a market that it trades, and the figures that a trade moves; no strike, no text, no time."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

from recio.exchange_sim.engine.book import OrderBook
from recio.exchange_sim.engine.fees import FeeTerms
from recio.exchange_sim.engine.price_grids import Grid


class Status(StrEnum):
    INITIALIZED = "initialized"
    ACTIVE = "active"
    INACTIVE = "inactive"
    CLOSED = "closed"
    DETERMINED = "determined"
    DISPUTED = "disputed"
    AMENDED = "amended"
    FINALIZED = "finalized"


class TradedMarket(Protocol):
    """Any market, whatever it is about. Last price, volume, open interest and clock are the engine's to write."""

    volume: int
    open_interest: int
    last_price: int
    last_size: int
    quotes_changed: bool
    clock: int
    """Grows with every change of the book."""
    holdings: dict[int, int]
    """Signed position of every participant, for the open interest."""

    @property
    def ticker(self) -> str: ...

    @property
    def event_ticker(self) -> str: ...

    @property
    def market_id(self) -> str: ...

    @property
    def shard(self) -> int:
        """The part of the engine that holds the market and the collateral behind its orders."""
        ...

    @property
    def fees(self) -> FeeTerms: ...

    @property
    def grid(self) -> Grid: ...

    @property
    def status(self) -> Status: ...

    @property
    def book(self) -> OrderBook: ...

    @property
    def result(self) -> str:
        """'yes', 'no' or 'scalar' once it is determined."""
        ...

    @property
    def payout(self) -> int:
        """What one contract of YES is paid at that result, in $0.0001; one of NO is paid the rest of a dollar."""
        ...


def record_trade(market: TradedMarket, *, price: int, quantity: int, buyer: int, seller: int) -> None:
    """Volume, last price and open interest after a trade."""
    market.volume += quantity
    market.last_price = price
    market.last_size = quantity
    market.quotes_changed = True
    market.open_interest += _moved(market.holdings, buyer, quantity) + _moved(
        market.holdings, seller, -quantity
    )


def _moved(holdings: dict[int, int], owner: int, quantity: int) -> int:
    """Change of the longs' total when this owner's signed position moves."""
    before = holdings.get(owner, 0)
    after = before + quantity
    holdings[owner] = after
    return max(after, 0) - max(before, 0)
