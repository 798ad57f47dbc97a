"""What happened at the venue, one fact each and in order; the wire turns them into messages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recio.exchange_sim.market.markets import Market
    from recio.exchange_sim.matching.account import Position
    from recio.exchange_sim.matching.orders import Fill, Order


@dataclass(frozen=True, slots=True)
class BookChanged:
    market: Market
    bid: bool
    price: int
    delta: int
    now_ms: int
    order: Order | None
    """The account's own order behind the change, if it was one."""


@dataclass(frozen=True, slots=True)
class BookCleared:
    """The venue sent a finished market's empty book once more."""

    market: Market


@dataclass(frozen=True, slots=True)
class Trade:
    sequence: int
    trade_id: str
    market: Market
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


@dataclass(frozen=True, slots=True)
class TickerChanged:
    """A market's figures at that moment."""

    market: Market
    best_bid: int | None
    best_ask: int | None
    bid_size: int
    ask_size: int
    last_price: int
    last_size: int
    volume: int
    open_interest: int
    now_ms: int


@dataclass(frozen=True, slots=True)
class MarketCreated:
    market: Market


@dataclass(frozen=True, slots=True)
class StrikeSet:
    market: Market


@dataclass(frozen=True, slots=True)
class MarketDetermined:
    market: Market


@dataclass(frozen=True, slots=True)
class MarketSettled:
    market: Market


@dataclass(frozen=True, slots=True)
class IndexPrinted:
    second: int
    cents: int


@dataclass(frozen=True, slots=True)
class SpotTraded:
    trade_id: int
    sequence: int
    price: int
    size: int
    buyer_is_maker: bool
    now_ms: int


@dataclass(frozen=True, slots=True)
class SpotHeartbeat:
    last_trade_id: int
    sequence: int
    now_ms: int


Event = (
    BookChanged
    | BookCleared
    | Trade
    | Filled
    | OrderChanged
    | PositionChanged
    | TickerChanged
    | MarketCreated
    | StrikeSet
    | MarketDetermined
    | MarketSettled
    | IndexPrinted
    | SpotTraded
    | SpotHeartbeat
)
