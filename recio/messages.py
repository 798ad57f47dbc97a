"""Every message that crosses a wire, and nothing else: frozen facts, wishes and commands, no behaviour.

Facts are past participles, wishes end in Intent, commands are imperatives. Times are aware UTC in
market time, prices and quantities the integers of recio.units, probabilities floats in [0, 1].
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from recio.units import (
    BookSide,
    ClientOrderId,
    EventTicker,
    FillId,
    Money,
    Price,
    Quantity,
    Side,
    Ticker,
    TradeId,
    VenueOrderId,
)

# --- what the price source said ---------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceTick:
    """One trade at a spot exchange."""

    symbol: str
    source: str
    price: Decimal
    at: datetime
    """The exchange's own time of the trade."""
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexValue:
    """One print of the settlement index, as the venue passes it on."""

    sid: int | None
    seq: int | None
    index_id: str
    value: Decimal
    at: datetime
    """The index's own time of the print."""
    received_at: datetime
    final_minute_mean: Decimal | None
    """The venue's mean of the prints of the closing minute so far; None outside it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexTape:
    """The newest prints of every index that is listened to, by index id, oldest first, at most 120 each."""

    prints: Mapping[str, tuple[IndexValue, ...]]
    why_none: str = ""
    """Why nothing is heard: empty while something is."""


class SourceState(StrEnum):
    GOOD = "good"
    CONNECTING = "connecting"
    DOWN = "down"
    """No connection."""
    SILENT = "silent"
    """Connected, and nothing comes, not even a heartbeat."""
    STUCK = "stuck"
    """It talks, but its price stands still while the others move."""
    OUTLIER = "outlier"
    """Its price is far from what the others agree on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceView:
    """One source of one symbol's price."""

    source: str
    state: SourceState
    price: Decimal | None
    at: datetime | None
    """The source's own time of its price."""
    heard_at: datetime | None
    """When it last said anything at all, a heartbeat included."""
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Momentum:
    """The weighted move of the last half hour."""

    hundredths: float
    """Hundredths of a percent, signed."""
    whole: bool
    """Whether every horizon was known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceView:
    """The newest price of one symbol with what is remembered of the past: what the model needs, and no more."""

    tick: PriceTick
    volatility: float | None
    """Standard deviation of the relative price change over one second; None while too little is known."""
    last_minute: tuple[tuple[int, Decimal], ...]
    """(Unix second, last price of that second), ascending, at most the last 60 complete seconds."""
    heard_at: datetime
    """When any good source last said anything at all, a heartbeat included."""
    momentum: Momentum | None = None
    """None while too little is known."""
    momentum_peaks: tuple[tuple[int, float], ...] = ()
    """(Unix minute, highest absolute momentum of it), ascending, for the last hour."""
    sources: tuple[SourceView, ...] = ()
    doubt: str = ""
    """Why this price must not be traded on; empty when it may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """The price of every symbol that has one."""

    by_symbol: Mapping[str, PriceView] = field(default_factory=dict[str, PriceView])
    sources: Mapping[str, tuple[SourceView, ...]] = field(default_factory=dict[str, tuple[SourceView, ...]])
    """Every source of every configured symbol, also while there is no price."""


# --- what the venue said about markets --------------------------------------------------------


class MarketStatus(StrEnum):
    INITIALIZED = "initialized"
    INACTIVE = "inactive"
    ACTIVE = "active"
    CLOSED = "closed"
    DETERMINED = "determined"
    DISPUTED = "disputed"
    AMENDED = "amended"
    FINALIZED = "finalized"


class StrikeType(StrEnum):
    GREATER = "greater"
    GREATER_OR_EQUAL = "greater_or_equal"
    LESS = "less"
    LESS_OR_EQUAL = "less_or_equal"
    BETWEEN = "between"


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceRange:
    """A stretch of the price grid: prices from `start` to `end` (both included) in steps of `step`."""

    start: Price
    end: Price
    step: Price


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """One contract as the venue describes it."""

    ticker: Ticker
    event_ticker: EventTicker
    series_ticker: str
    symbol: str
    exchange_index: int | None
    strike_type: StrikeType
    floor_strike: Decimal | None
    cap_strike: Decimal | None
    open_time: datetime
    close_time: datetime
    status: MarketStatus
    price_ranges: tuple[PriceRange, ...]
    fee_multiplier: Decimal
    rules_primary: str
    rules_secondary: str
    doubt: str
    """Why nothing may be traded here: its rules text is not understood, or its fee is not; empty if both are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BookSnapshotSeen:
    """The whole book of one market; levels are (price in that side's own terms, quantity)."""

    sid: int
    seq: int
    ticker: Ticker
    yes: tuple[tuple[Price, Quantity], ...]
    no: tuple[tuple[Price, Quantity], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BookDeltaSeen:
    """A signed change of one level, price in that side's own terms."""

    sid: int
    seq: int
    ticker: Ticker
    side: Side
    price: Price
    change: Quantity
    at_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TickerSeen:
    """The venue's own top of book, in YES terms; None where that side is empty."""

    ticker: Ticker
    yes_bid: Price | None
    yes_ask: Price | None
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LifecycleSeen:
    """Something about a market or its event changed; it must be read again over REST."""

    sid: int | None
    seq: int | None
    ticker: Ticker
    """The market's, or its event's where the message is about the event."""
    kind: str
    result: Side | None = None
    """Which side was paid, where this says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketEnded:
    """The venue has said how a market ended; a later word on the same market corrects it."""

    ticker: Ticker
    result: Side
    heard_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BookView:
    """The best levels of one book in YES terms, best first; both sides from the same instant."""

    bids: tuple[tuple[Price, Quantity], ...]
    asks: tuple[tuple[Price, Quantity], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketView:
    """A market with its book, or without one while the book cannot be trusted."""

    market: Market
    book: BookView | None
    book_at: datetime | None
    """When the socket that carries this book last delivered anything."""
    why_no_book: str = ""


class VenuePhase(StrEnum):
    """Whether the shard that trades our markets trades now."""

    TRADING = "trading"
    TRADING_PAUSED = "trading paused"
    """Nothing can be placed or amended; cancels work."""
    EXCHANGE_PAUSED = "exchange paused"
    """Nothing works, cancels included."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueState:
    """What the venue says about itself."""

    phase: VenuePhase
    resumes_at: datetime | None = None
    """The venue's own estimate; None if it gives none."""
    next_pause: tuple[datetime, datetime] | None = None
    """Begin and end of the maintenance that comes next or lasts now, by the venue's schedule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketBoard:
    """Every market of the open event of every series."""

    markets: tuple[MarketView, ...]
    venue: VenueState
    clock_offset: float | None = None
    """Seconds by which the venue's clock is ahead of ours; None while unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StrikeAssessment:
    """What the model makes of one market now; None is unknown and never a default."""

    ticker: Ticker
    probability: float | None
    """Probability that the market settles YES."""
    yes_edge: Money | None
    """Expected gain of one contract of YES at the ask after the taker fee, in Money per contract."""
    no_edge: Money | None
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowScore:
    """What the ended trades of a strategy that does not order come to."""

    trades: int
    won: int
    pnl: Money
    """After fees."""
    chance: float | None
    """What its model gave the sides it took, on average of those whose market has ended."""
    brier: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """How often one gate was the first to be closed for one event."""

    event: EventTicker
    """Empty for turns in which no event was open."""
    gate: str
    cycles: int
    first_at: datetime
    last_at: datetime
    sentence: str
    """Its last words, with their figures."""
    by: str = ""
    """The strategy that counted, where that is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessments:
    """The model's view of the whole board, and entry's last word on it."""

    strikes: tuple[StrikeAssessment, ...]
    verdict: str
    watchlist: tuple[Ticker, ...] = ()
    """Strikes that come near to being bought, best edge first."""
    why_not: tuple[Refused, ...] = ()
    """Of the open events, since this run began."""


# --- what somebody wants, what must be done, what came of it ----------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenIntent:
    """Entry wants to buy one side of one market."""

    strategy: str
    ticker: Ticker
    event_ticker: EventTicker
    exchange_index: int | None
    side: Side
    quantity: Quantity
    limit: Price
    """The most to pay for one contract of `side`, in that side's own terms."""
    chance: float
    """What the model gives this side; one contract is worth that many dollars to it."""
    fee_estimate: Money
    closes_at: datetime
    decided_at: datetime
    why: str
    inputs: Mapping[str, str]
    """The figures the decision was made from, as text, for the journal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseIntent:
    """Exit wants to sell what a trade holds."""

    trade_id: TradeId
    exchange_index: int | None
    quantity: Quantity
    floor: Price
    """The least to accept for one contract, in the trade's own side's terms."""
    decided_at: datetime
    why: str


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
    """It left, and whether it lives nobody knows; only reconciliation leaves this state."""

    client_order_id: ClientOrderId
    why: str
    at: datetime


OrderOutcome = OrderAccepted | OrderRejected | OrderUnknown


# --- what the venue said about our account ----------------------------------------------------


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


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementSeen:
    """A market the account held was settled by the venue."""

    ticker: Ticker
    result: Side
    settled_at: datetime
    revenue_cents: int


VenueFact = OrderSeen | OrderProvenAbsent | FillSeen | SettlementSeen


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountChannelsOpened:
    """The private channels are subscribed anew: what happened before must be read over REST."""

    at: datetime


AccountHint = FillSeen | OrderSeen | AccountChannelsOpened


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionDifference:
    """The venue's position and ours disagree, and time does not explain it."""

    ticker: Ticker
    venue: Quantity
    ours: Quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountView:
    """The account as the venue shows it, after a complete comparison with our rows."""

    balance: Money
    positions: Mapping[Ticker, Quantity]
    """Signed: + YES, - NO."""
    differences: tuple[PositionDifference, ...]
    foreign: tuple[Ticker, ...]
    """Positions on markets where recio never ordered: seen, shown, never touched."""
    reconciled_at: datetime
    cash_difference: Money | None = None
    """What the venue has more than the books explain, after it stayed the same for several comparisons."""
    unrecorded: tuple[ClientOrderId, ...] = ()
    """Orders at the venue that carry our tag and have no row: the rows are older than the orders."""
    foreign_cost: Mapping[Ticker, Money] = field(default_factory=dict[Ticker, Money])
    """What positions and resting orders that were made by hand have cost or may cost, at their worst."""
    foreign_orders: int = 0
    """Orders resting at the venue that are not ours."""


# --- what we remember of our own trades -------------------------------------------------------


class TradeState(StrEnum):
    OPENING = "opening"
    OPEN = "open"
    CLOSING = "closing"
    CLOSED = "closed"
    VOID = "void"


class OrderState(StrEnum):
    INTENDED = "intended"
    UNKNOWN = "unknown"
    RESTING = "resting"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    ABSENT = "absent"


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


# --- what stops us ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A computed condition that stops entries as long as it holds, and clears by itself."""

    condition: str
    detail: str
    clears: str
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RootCause:
    """What lies behind one or several blocks, for whoever reads the page."""

    cause: str
    sentence: str
    consequences: tuple[str, ...]
    """The conditions of the blocks that follow from it."""
    since: datetime


class Brake(StrEnum):
    """How hard a halt stops."""

    HALT = "halt"
    """No entries; exits go on by their own rule."""
    FLATTEN = "flatten"
    """No entries, and everything held is sold as long as its market is open."""
    STOP = "stop"
    """No entries, and the daemon ends and does not start again until somebody resumes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Halt:
    """A row that stops entries until somebody clears it; a restart does not."""

    cause: str
    since: datetime
    by: str
    way_out: str
    brake: Brake = Brake.HALT
    halt_id: int = 0
    """Of its row; 0 while it has none yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrakeRequest:
    """Somebody pulls a brake from outside the database: by the page or by a signal."""

    brake: Brake
    cause: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BrakeCheck:
    """What was done at the venue about a halt, and when it was seen to be so; seconds since its row was written."""

    halt_id: int
    cancelled: int
    """Resting orders of ours that were cancelled for it."""
    verified_after: float | None = None
    """Until a listing newer than the halt showed nothing of ours resting."""
    flat_after: float | None = None
    """Until nothing was held any more; asked only where everything is to be sold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderGroupReady:
    """The venue's own brake on entries: an order that carries this id is refused once the group is triggered."""

    group_id: str
    exchange_index: int | None


class Switch(StrEnum):
    """What a person may switch off by itself; the program never switches anything."""

    ENTRY = "entry"
    EXIT = "exit"


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchedOff:
    switch: Switch
    since: datetime
    by: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Restraints:
    """Everything that stops entries now; exits and reconciliation never look at it."""

    blocks: tuple[Block, ...] = field(default=())
    halts: tuple[Halt, ...] = field(default=())
    causes: tuple[RootCause, ...] = field(default=())
    """Of the blocks, the deepest first."""
    vouched_until: datetime | None = None
    """After this moment nobody has looked lately, and nothing may be opened; None: it is not dated."""
    switched_off: tuple[SwitchedOff, ...] = field(default=())

    def off(self, switch: Switch) -> SwitchedOff | None:
        return next((each for each in self.switched_off if each.switch is switch), None)

    @property
    def flatten(self) -> Halt | None:
        """The halt by which everything held must be sold, if there is one."""
        return next((each for each in self.halts if each.brake is Brake.FLATTEN), None)
