"""What happened at the venue, one fact each and in order; the wire turns them into messages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recio.exchange_sim.engine.account import Position
    from recio.exchange_sim.engine.orders import Fill, Order
    from recio.exchange_sim.market.markets import Market


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


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderGroupChanged:
    """`event_type` is created, triggered, reset, deleted or limit_updated; the limit is a quantity."""

    event_type: str
    order_group_id: str
    contracts_limit: int | None
    now_ms: int


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
    with_event: bool = True
    """Whether its event is new as well."""


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
class MarketDeactivated:
    market: Market


@dataclass(frozen=True, slots=True)
class MarketActivated:
    """An inactive market trades again."""

    market: Market


@dataclass(frozen=True, slots=True)
class CloseDateChanged:
    """`close_ms` of the market is a new one."""

    market: Market


@dataclass(frozen=True, slots=True)
class GridChanged:
    """The market's price structure is a new one."""

    market: Market


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFeeChanged:
    """What an event now overrides of its series' fees; None for nothing."""

    event_ticker: str
    fee_type: str | None
    fee_multiplier: float | None


@dataclass(frozen=True, slots=True)
class IndexTicked:
    """An index between its prints, five times a second. `value` is an integer of $0.00000001."""

    index_id: str
    value: int
    now_ms: int


@dataclass(frozen=True, slots=True)
class IndexPrinted:
    """`cents` are integers of the index's own smallest unit: cents of Bitcoin's and Ether's, finer ones of others."""

    second: int
    cents: int
    index_id: str = "BRTI"


@dataclass(frozen=True, slots=True)
class FrameRecorded:
    """A recorded public message with its body as it was; `turned` makes the one with NO prices in YES terms."""

    channel: str
    kind: bytes
    ticker: str
    body: bytes
    turned: Callable[[], bytes] | None = None


@dataclass(frozen=True, slots=True)
class SpotTraded:
    trade_id: int
    sequence: int
    price: int
    size: int
    buyer_is_maker: bool
    now_ms: int


Event = (
    BookChanged
    | BookCleared
    | Trade
    | Filled
    | OrderChanged
    | PositionChanged
    | OrderGroupChanged
    | TickerChanged
    | MarketCreated
    | StrikeSet
    | MarketDetermined
    | MarketSettled
    | MarketDeactivated
    | MarketActivated
    | CloseDateChanged
    | GridChanged
    | EventFeeChanged
    | IndexTicked
    | IndexPrinted
    | FrameRecorded
    | SpotTraded
)
