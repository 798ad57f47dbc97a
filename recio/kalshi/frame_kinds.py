"""What a WebSocket frame can turn out to be, beyond the messages that other tasks get; it never reads bytes."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from recio.messages.account import FillSeen, OrderSeen
from recio.messages.markets import MarketSays
from recio.messages.prices import IndexValue
from recio.rules.market.order_book import BookDeltaSeen, BookSnapshotSeen
from recio.units import Price, Ticker


class FrameError(ValueError):
    """Bytes that are not a frame we can trust; names what was wrong."""


class TickerSeen(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The venue's own top of book, in YES terms; None where that side is empty."""

    ticker: Ticker
    yes_bid: Price | None
    yes_ask: Price | None
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LifecycleSeen:
    """Something about a market or its event changed."""

    sid: int | None
    seq: int | None
    ticker: Ticker
    """The market's, or its event's where the message is about the event."""
    kind: str
    says: MarketSays = MarketSays()  # noqa: RUF009 - an immutable value
    """What of it could be understood; the lists say the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscribed:
    """A channel is open under a subscription id."""

    channel: str
    sid: int
    number: int | None = None
    """The command it answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledged:
    """An ok or unsubscribed reply; it takes a place in its subscription's sequence."""

    sid: int | None
    seq: int | None
    number: int | None = None
    ended: bool = False
    """The subscription is over: it was an unsubscribed reply."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """Every subscription that the venue knows of, in answer to a list command."""

    subscriptions: tuple[tuple[str, int], ...]
    """(channel, sid)."""
    number: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueError:
    """An error frame: in reply to a command, or about a subscription that ended."""

    code: int
    text: str
    sid: int | None
    seq: int | None = None
    number: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """A frame of a kind we do not listen to; it may still take a place in a sequence."""

    kind: str
    sid: int | None
    seq: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Strange:
    """A frame that says what it is about, and nothing else that could be used; it still takes a place in a sequence."""

    kind: str
    sid: int | None
    seq: int | None
    ticker: Ticker | None
    """The market it is about, where it names one."""
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BadFrame:
    """A frame of which not even its subject is understood: it may have been about anything."""

    why: str


Frame = (
    BookSnapshotSeen
    | BookDeltaSeen
    | TickerSeen
    | LifecycleSeen
    | FillSeen
    | OrderSeen
    | IndexValue
    | Subscribed
    | Acknowledged
    | Listed
    | VenueError
    | Passed
    | Strange
    | BadFrame
)
