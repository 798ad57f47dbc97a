"""What must be done at the venue, what came of it, and what our own rows say of trades and orders; no behaviour beyond sums."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from recio.units import (
    BookSide,
    ClientOrderId,
    EventTicker,
    Money,
    Price,
    Quantity,
    Side,
    Ticker,
    TradeId,
    VenueOrderId,
)


class OrderPurpose(StrEnum):
    ENTRY = "entry"
    EXIT = "exit"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceOrder:
    """Send this order, whose row is committed, exactly once and not after `send_before`."""

    client_order_id: ClientOrderId
    ticker: Ticker
    exchange_index: int | None
    book_side: BookSide
    quantity: Quantity
    price: Price
    """YES terms."""
    reduce_only: bool
    send_before: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderAccepted:
    client_order_id: ClientOrderId
    venue_order_id: VenueOrderId
    filled: Quantity
    remaining: Quantity
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRejected:
    """The venue refused it, or it never left: in both cases it cannot have traded."""

    client_order_id: ClientOrderId
    code: str
    text: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderUnknown:
    """It left, and nobody knows whether it arrived; only reconciliation leaves this state."""

    client_order_id: ClientOrderId
    why: str
    at: datetime


OrderOutcome = OrderAccepted | OrderRejected | OrderUnknown


class TradeState(StrEnum):
    OPENING = "opening"
    OPEN = "open"
    CLOSING = "closing"
    CLOSED = "closed"
    VOID = "void"


class OrderState(StrEnum):
    PENDING = "pending"
    UNKNOWN = "unknown"
    RESTING = "resting"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    NOT_FOUND = "not_found"


GUARD, OWN, STOP_PRICE, TAKE_PROFIT = "guard", "own", "stop_price", "take_profit"
"""How the figures that a trade was opened from say its guard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """What alone may sell a trade that a person asked for; with neither it is left to the settlement."""

    stop_price: Price | None = None
    """Sell at or below this bid, of the side held."""
    take_profit: Price | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeView:
    """A trade with the figures that its fills add up to."""

    trade_id: TradeId
    strategy: str
    ticker: Ticker
    event_ticker: EventTicker
    side: Side
    state: TradeState
    opened_at: datetime
    closes_at: datetime
    closed_at: datetime | None
    exchange_index: int | None
    entry_quantity: Quantity
    entry_cost: Money
    exit_quantity: Quantity
    exit_proceeds: Money
    fees: Money
    payout: Money
    why: str
    ended_by: str | None
    exits_met: int = 0
    """Exit orders so far that met a book, whatever they got of it."""
    guard: Guard | None = None
    """None: sold by its strategy's exit."""

    @property
    def held(self) -> Quantity:
        return Quantity(self.entry_quantity - self.exit_quantity)

    @property
    def pnl(self) -> Money:
        """Cash out minus cash in so far; for an ended trade its realised profit."""
        return Money(self.exit_proceeds + self.payout - self.entry_cost - self.fees)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderView:
    client_order_id: ClientOrderId
    trade_id: TradeId
    venue_order_id: VenueOrderId | None
    ticker: Ticker
    purpose: OrderPurpose
    book_side: BookSide
    state: OrderState
    quantity: Quantity
    filled: Quantity
    """As the venue's answer or order list says; fills may still be on their way."""
    price: Price
    reserved: Money
    created_at: datetime
    note: str
    ended_at: datetime | None = None
    """When its end was proven to us; None while it is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenLevel:
    """What was bought or sold on paper at a level that still stands in the book, which knows nothing of it."""

    ticker: Ticker
    side: BookSide
    """Of the level in the YES book."""
    price: Price
    """YES terms."""
    quantity: Quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTrades:
    """What trade_manager's rows say: live trades, live orders, and what today has cost."""

    trades: tuple[TradeView, ...]
    orders: tuple[OrderView, ...]
    """Orders without a proven end, and ended ones whose fills have not all arrived."""
    recent_trades: tuple[TradeView, ...]
    recent_orders: tuple[OrderView, ...]
    entries_by_event: Mapping[EventTicker, int]
    last_entry_at: Mapping[Ticker, datetime]
    entries_by_market: Mapping[Ticker, int] = field(default_factory=dict[Ticker, int])
    """Entries that bought something or still may, by market."""
    realised_today: Money
    fees_today: Money
    wins_today: int
    losses_today: int
    losses_in_a_row: int = 0
    """Since the last gain, and since the last halt that somebody cleared."""
    orders_last_minute: int = 0
    """Of market time, whatever became of them."""
    taken: tuple[TakenLevel, ...] = ()
    """Only where trades are on paper: real ones are gone from the book by themselves."""
