"""What the venue still has of runs that these rows do not remember, because the database was restored; no behaviour."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from recio.messages.account import OrderSeen
from recio.messages.orders import OrderPurpose
from recio.units import BookSide, ClientOrderId, EventTicker, Price, Quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class PastMarket:
    """Of the market of an entry, what its trade has to know."""

    event_ticker: EventTicker
    closes_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PastOrder:
    """An order of an earlier tag as the venue's list keeps it, with all that makes its row."""

    name: ClientOrderId
    seen: OrderSeen
    purpose: OrderPurpose
    book_side: BookSide
    price: Price
    """YES terms: its limit."""
    quantity: Quantity
    """What it asked for."""
    exchange_index: int | None
    created_at: datetime
    changed_at: datetime
    """When the venue touched it last."""
    strategy: str = ""
    """Of an entry: by whose rules its trade is sold."""
    market: PastMarket | None = None
    """Of an entry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PastRead:
    """All of them were told, as of a time after which no earlier run can have sent another."""

    orders: tuple[PastOrder, ...]
    """Those that had no row before this reading."""
    resting: tuple[ClientOrderId, ...] = ()
    """Those without a row that rest: they are not brought in, and a halt cancels each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BroughtIn:
    """What came of it, in numbers, for a person."""

    restored_at: datetime
    finished_at: datetime | None
    """None: it is still being asked for."""
    orders: int
    trades: int
    fills: int
    settlements: int
    left_out: tuple[ClientOrderId, ...]


PastFact = PastOrder | PastRead
