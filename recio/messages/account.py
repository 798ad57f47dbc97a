"""What the venue says of our account: orders, fills, settlements, positions; no behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from recio.units import (
    ONE_DOLLAR,
    BookSide,
    ClientOrderId,
    FillId,
    Money,
    Price,
    Quantity,
    Side,
    Ticker,
    VenueOrderId,
)


class VenueOrderStatus(StrEnum):
    RESTING = "resting"
    CANCELED = "canceled"
    EXECUTED = "executed"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderSeen:
    """An order as the venue's order list or order channel shows it."""

    venue_order_id: VenueOrderId
    client_order_id: ClientOrderId | None
    ticker: Ticker
    status: VenueOrderStatus
    filled: Quantity
    remaining: Quantity
    reason: str = ""
    """Why it changed last, in the venue's own word; only its order channel says so."""
    sent_at: datetime | None = field(default=None, compare=False)
    """When its channel sent it, by the venue's clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderProvenAbsent:
    """Two complete reads, both newer than the sending by the venue's own clock, do not have it."""

    client_order_id: ClientOrderId
    proof: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FillSeen:
    fill_id: FillId
    venue_order_id: VenueOrderId
    ticker: Ticker
    book_side: BookSide
    price: Price
    """YES terms."""
    quantity: Quantity
    fee: Money
    is_taker: bool
    at: datetime
    client_order_id: ClientOrderId | None = None
    """Only the fill channel names it, and only for an order that has one."""
    post_position: Quantity | None = None
    """The venue's position after this fill, + YES, - NO; only the fill channel says it."""
    subaccount: int = field(default=0, compare=False)
    """Of the member, whose it is; 0 is the primary one."""
    sent_at: datetime | None = field(default=None, compare=False)
    """When its channel sent it, by the venue's clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementSeen:
    """A market the account held was settled by the venue; a later word on the same market corrects it."""

    ticker: Ticker
    result: Side | None
    """None: neither side won, and each contract is worth what `value` says."""
    settled_at: datetime
    revenue_cents: int
    value: Price | None = None
    """What one contract of YES pays; None where the result says it."""
    set_by: str = ""
    """Who settled it by hand, because the venue's word could not be known; empty: the venue."""

    @property
    def word(self) -> str:
        return "scalar" if self.result is None else self.result.value

    @property
    def yes_value(self) -> Price:
        """What one contract of YES pays."""
        if self.value is not None:
            return self.value
        return ONE_DOLLAR if self.result is Side.YES else Price(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseMoved:
    """The venue has moved the close of a market that is held."""

    ticker: Ticker
    closes_at: datetime


VenueFact = OrderSeen | OrderProvenAbsent | FillSeen | SettlementSeen | CloseMoved


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountChannelsOpened:
    """The private channels are subscribed anew: what happened before must be read over REST."""

    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateStream:
    """How far the channels of our own orders and fills lag behind their sending, by the venue's clock."""

    heard_at: datetime
    """The newest message that told when it was sent."""
    lag_seconds: float
    """Of that message, in market time."""
    worst_seconds: float
    """Of the last messages."""
    messages: int
    """How many those are."""


AccountHint = FillSeen | OrderSeen | AccountChannelsOpened


@dataclass(frozen=True, slots=True, kw_only=True)
class CashMovement:
    """Money that was moved at the venue without a trade, as its lists tell it."""

    name: str
    """Its kind and the venue's own number."""
    at: datetime
    amounts: tuple[Money, ...]
    """What it may have done to our balance, the likeliest first; + came, - went."""
    is_pending: bool = False
    """It may be in the balance already, or not yet."""
    is_timed: bool = True
    """Whether `at` is when it reached the balance; otherwise when it was begun, long before perhaps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionDifference:
    """The venue's position and ours disagree, and time does not explain it."""

    ticker: Ticker
    venue: Quantity
    ours: Quantity
    """By the fills, those of orders that are not ours among them."""
    is_external: bool = False
    """Fills that are not ours explain it, and leave less than a trade of ours holds, which `ours` is then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgottenOrder:
    """An order at the venue that carries a tag of this database and has no row: the rows are older than the order."""

    client_order_id: ClientOrderId
    ticker: Ticker
    rests: bool = False
    """Whether it was seen at rest by this run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountView:
    """The account as the venue shows it, after a complete comparison with our rows."""

    balance: Money
    positions: Mapping[Ticker, Quantity]
    """Signed: + YES, - NO."""
    differences: tuple[PositionDifference, ...]
    external: tuple[Ticker, ...]
    """Positions on markets where recio never ordered: seen, shown, never touched."""
    reconciled_at: datetime
    balance_at: datetime | None = None
    """What was done before this moment of our clock is in the balance; None: as of `reconciled_at`."""
    cash_difference: Money | None = None
    """What the venue has more than the ledger explains, after it stayed the same for several comparisons."""
    cash_agreed: bool = True
    """Whether the cash was explained once since the start."""
    cash_waits: str = ""
    """Why it cannot be said yet whether a difference of cash is explained; empty: it can."""
    unrecorded: tuple[ForgottenOrder, ...] = ()
    external_cost: Mapping[Ticker, Money] = field(default_factory=dict[Ticker, Money])
    """What positions and resting orders that were made without recio have cost or may cost, at their worst."""
    external_orders: int = 0
    """Orders resting at the venue that are not ours."""
    contradicted: tuple[ClientOrderId, ...] = ()
    """Orders that count as never arrived, or as refused, and are at the venue all the same."""
    unsettled: tuple[Ticker, ...] = ()
    """Markets of ours that the venue has settled in a way that cannot be read."""
    overdue: tuple[Ticker, ...] = ()
    """Markets of ours that closed long ago, and of whose end the venue says nothing."""
