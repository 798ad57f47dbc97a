"""What the venue says of its markets, their books and itself; no behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

import msgspec

from recio.units import EventTicker, Price, Quantity, Side, Ticker


class MarketStatus(StrEnum):
    INITIALIZED = "initialized"
    INACTIVE = "inactive"
    ACTIVE = "active"
    CLOSED = "closed"
    DETERMINED = "determined"
    DISPUTED = "disputed"
    AMENDED = "amended"
    FINALIZED = "finalized"
    UNKNOWN = "unknown"
    """It had stopped, and may go on since: nobody was there to hear it."""


class StrikeType(StrEnum):
    """How a settlement value compares with the strike for YES."""

    UNSET = ""
    """The venue has not set the strike yet, or its kind is not read here: nothing can be said of its worth."""
    GREATER = "greater"
    GREATER_OR_EQUAL = "greater_or_equal"
    LESS = "less"
    LESS_OR_EQUAL = "less_or_equal"
    BETWEEN = "between"


FROM_ABOVE = frozenset({StrikeType.GREATER, StrikeType.GREATER_OR_EQUAL, StrikeType.BETWEEN})
"""Kinds that need a floor."""
FROM_BELOW = frozenset({StrikeType.LESS, StrikeType.LESS_OR_EQUAL, StrikeType.BETWEEN})
"""Kinds that need a cap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traded:
    """A series that is traded: its coin, and the index that decides it."""

    series: str
    symbol: str
    index_id: str


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
    untradable: str
    """Why nothing may be traded here: its rules text, its fee or its kind of strike is not understood; empty if all are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketEnded:
    """The venue has said how a market ended; a later word on the same market corrects it."""

    ticker: Ticker
    result: Side | None
    """None: neither side won."""
    heard_at: datetime
    value: Price | None = None
    """What one contract of YES pays where neither side won."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketSays:
    """What one message of the venue says of a market; None where it says nothing of that."""

    status: MarketStatus | None = None
    close_time: datetime | None = None
    strike_type: StrikeType | None = None
    strikes: tuple[Decimal | None, Decimal | None] | None = None
    """Floor and cap, which are told together."""
    unread: str | None = None
    """Why the strike that is told was not read; empty where it was."""
    price_ranges: tuple[PriceRange, ...] | None = None
    result: Side | None = None
    settled_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketMoved:
    """The venue's socket spoke of a market, or of its event; `kind` is the venue's own word."""

    ticker: Ticker
    """The market's, or its event's where the message is about the event."""
    kind: str
    says: MarketSays


@dataclass(frozen=True, slots=True)
class ListeningAnew:
    """The socket was away, or lost a message: what it would have said of markets is only in the lists."""


MarketNews = MarketMoved | ListeningAnew


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketSettled:
    """The venue has paid out a market, by the last result that it announced."""

    result: Side
    settled_at: datetime


class BookView(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The best levels of one book in YES terms, best first; both sides from the same instant."""

    bids: tuple[tuple[Price, Quantity], ...]
    asks: tuple[tuple[Price, Quantity], ...]


class MarketView(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A market with its book, or without one while the book cannot be trusted."""

    market: Market
    book: BookView | None
    why_no_book: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RestBook:
    """The bids of both outcomes of one market as a REST read has them, by price in that side's own terms."""

    yes: Mapping[Price, Quantity]
    no: Mapping[Price, Quantity]


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
class VenueRead:
    """One thing that is read of the venue again and again, and how old what is known of it is."""

    name: str
    every: float
    """Host seconds between two reads while they succeed."""
    confirmed_at: datetime | None = None
    """When it last succeeded; None if it never did."""
    fault: str = ""
    """Why it has failed since; empty while it succeeds."""
    may_be_missing: bool = False
    """What is not known without it is not traded anyway."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listings:
    """All that is known of markets and of the venue itself, whether it was read or heard."""

    markets: Mapping[Ticker, Market]
    """Of the event that closes next and the one after it, and every market that is held."""
    settled: Mapping[Ticker, MarketSettled]
    """Markets of which the socket said so."""
    venue: VenueState
    reads: tuple[VenueRead, ...]


@dataclass(slots=True, kw_only=True)
class MarketBoard:
    """Every market of the open event of every series.

    Its writer changes it in place, so that one book's change costs the same with two strikes and with two
    hundred. Who wants to keep something of it keeps a view, which never changes, and not the board.
    """

    by_ticker: dict[Ticker, MarketView] = field(default_factory=dict[Ticker, MarketView])
    """In order of close and strike."""
    venue: VenueState
    heard_at: datetime | None = None
    """The time that the newest data of the socket speaks of: how old every whole book is."""
    clock_offset: float | None = None
    """Seconds by which the venue's clock is ahead of ours; None while unknown."""

    @property
    def markets(self) -> tuple[MarketView, ...]:
        """All of them as they are now, for who looks at the whole board."""
        return tuple(self.by_ticker.values())


class BoardChange(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is new on the board since somebody looked at it last."""

    views: tuple[MarketView, ...]
    tickers: tuple[Ticker, ...] | None
    """Every market on it, in order, if that is new."""
    venue: VenueState
    heard_at: datetime | None
    clock_offset: float | None
