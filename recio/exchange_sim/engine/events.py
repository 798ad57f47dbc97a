"""What the engine reports, one fact each and in order; the wire turns them into messages."""

from __future__ import annotations

from dataclasses import dataclass

from recio.exchange_sim.engine.account import Position
from recio.exchange_sim.engine.orders import Fill, Order
from recio.exchange_sim.engine.traded_market import TradedMarket

Event = object
"""Whatever a room reports through the venue: these, and kinds of other rooms that the engine never looks into."""


@dataclass(frozen=True, slots=True)
class BookChanged:
    market: TradedMarket
    bid: bool
    price: int
    delta: int
    now_ms: int
    order: Order | None
    """The member's order behind the change, if it was one."""
    clock: int
    """The market's book clock with this change in it; what one action changes has one clock."""


@dataclass(frozen=True, slots=True)
class BookCleared:
    """The venue sent a finished market's empty book once more."""

    market: TradedMarket


@dataclass(frozen=True, slots=True)
class Trade:
    sequence: int
    trade_id: str
    market: TradedMarket
    price: int
    quantity: int
    taker_bid: bool
    now_ms: int


@dataclass(frozen=True, slots=True)
class Filled:
    fill: Fill


@dataclass(frozen=True, slots=True)
class OrderChanged:
    """The order as it was at that moment, not as it is when the message is written."""

    order: Order
    reason: str
    now_ms: int


@dataclass(frozen=True, slots=True)
class PositionChanged:
    """The position as it was at that moment."""

    position: Position


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderGroupChanged:
    """`event_type` is created, triggered, reset, deleted or limit_updated; the limit is a quantity."""

    event_type: str
    order_group_id: str
    contracts_limit: int | None
    now_ms: int
    owner: int = 0
    """The member whose group it is."""


@dataclass(frozen=True, slots=True)
class TickerChanged:
    """A market's figures at that moment."""

    market: TradedMarket
    best_bid: int | None
    best_ask: int | None
    bid_size: int
    ask_size: int
    last_price: int
    last_size: int
    volume: int
    open_interest: int
    now_ms: int
