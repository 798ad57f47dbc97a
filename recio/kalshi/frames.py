"""WebSocket frames of Kalshi into messages, strictly: a frame is understood whole or refused with its field named.

Frames of kinds that this daemon does not listen to, and fields it does not need, are passed over;
a needed field that is missing, ill-typed or out of its unit never becomes a default.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import msgspec

from recio import units
from recio.messages import (
    BookDeltaSeen,
    BookSnapshotSeen,
    FillSeen,
    LifecycleSeen,
    OrderSeen,
    TickerSeen,
    VenueOrderStatus,
)
from recio.units import (
    ONE_DOLLAR,
    BookSide,
    ClientOrderId,
    FillId,
    Price,
    Quantity,
    Side,
    Ticker,
    VenueOrderId,
)


class FrameError(ValueError):
    """Bytes that are not a frame we can trust; names what was wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscribed:
    channel: str
    sid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledged:
    """An ok or unsubscribed reply; it takes a place in its subscription's sequence."""

    sid: int | None
    seq: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueError:
    code: int
    text: str
    sid: int | None
    seq: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """A frame of a kind we do not listen to; it may still take a place in a sequence."""

    kind: str
    sid: int | None
    seq: int | None


Frame = (
    BookSnapshotSeen
    | BookDeltaSeen
    | TickerSeen
    | LifecycleSeen
    | FillSeen
    | OrderSeen
    | Subscribed
    | Acknowledged
    | VenueError
    | Passed
)

# One book repeats the same few thousand texts for hours: remembering them makes a delta cheap.
_price = lru_cache(maxsize=20_000)(units.price)
_quantity = lru_cache(maxsize=50_000)(units.quantity)


class _Snapshot(msgspec.Struct):
    market_ticker: str
    yes_dollars_fp: list[tuple[str, str]] = []
    no_dollars_fp: list[tuple[str, str]] = []


class _Delta(msgspec.Struct):
    market_ticker: str
    price_dollars: str
    delta_fp: str
    side: Side
    ts_ms: int | None = None


class _Ticker(msgspec.Struct):
    market_ticker: str
    yes_bid_dollars: str
    yes_ask_dollars: str
    ts_ms: int


class _Fill(msgspec.Struct):
    trade_id: str
    order_id: str
    market_ticker: str
    book_side: BookSide
    yes_price_dollars: str
    count_fp: str
    fee_cost: str
    is_taker: bool
    ts_ms: int


class _Order(msgspec.Struct):
    order_id: str
    ticker: str
    status: str
    fill_count_fp: str
    remaining_count_fp: str
    client_order_id: str = ""


class _Lifecycle(msgspec.Struct):
    market_ticker: str
    event_type: str


class _Subscribed(msgspec.Struct):
    channel: str
    sid: int


class _Error(msgspec.Struct):
    code: int
    msg: str = ""


class _Envelope(msgspec.Struct):
    type: str
    sid: int | None = None
    seq: int | None = None
    msg: msgspec.Raw = msgspec.Raw(b"{}")


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
UNREADABLE = (msgspec.MsgspecError, units.UnitError, UnicodeError, RecursionError)
"""All that hostile bytes can raise on the way: JSON nested too deep is a RecursionError."""

_envelope = msgspec.json.Decoder(_Envelope)
_snapshot = msgspec.json.Decoder(_Snapshot)
_delta = msgspec.json.Decoder(_Delta)
_ticker = msgspec.json.Decoder(_Ticker)
_fill = msgspec.json.Decoder(_Fill)
_order = msgspec.json.Decoder(_Order)
_lifecycle = msgspec.json.Decoder(_Lifecycle)
_subscribed = msgspec.json.Decoder(_Subscribed)
_error = msgspec.json.Decoder(_Error)


def parse_frame(raw: bytes | str) -> Frame:
    """One WebSocket text frame into a message. Raises FrameError naming the field and the value."""
    try:
        return _parse(_envelope.decode(raw))
    except UNREADABLE as error:
        raise FrameError(f"{error} in frame {_shown(raw)}") from error


def _parse(envelope: _Envelope) -> Frame:
    match envelope.type:
        case "orderbook_delta":
            return _book_delta(envelope)
        case "orderbook_snapshot":
            return _book_snapshot(envelope)
        case "ticker":
            return _ticker_seen(_ticker.decode(envelope.msg))
        case "fill":
            return _fill_seen(_fill.decode(envelope.msg))
        case "user_order":
            return _order_seen(_order.decode(envelope.msg))
        case "market_lifecycle_v2":
            body = _lifecycle.decode(envelope.msg)
            return LifecycleSeen(ticker=Ticker(body.market_ticker), kind=body.event_type)
        case "subscribed":
            reply = _subscribed.decode(envelope.msg)
            return Subscribed(channel=reply.channel, sid=reply.sid)
        case "ok" | "unsubscribed":
            return Acknowledged(sid=envelope.sid, seq=envelope.seq)
        case "error":
            fault = _error.decode(envelope.msg)
            return VenueError(code=fault.code, text=fault.msg, sid=envelope.sid, seq=envelope.seq)
        case _:
            return Passed(kind=envelope.type, sid=envelope.sid, seq=envelope.seq)


def _book_delta(envelope: _Envelope) -> BookDeltaSeen:
    body = _delta.decode(envelope.msg)
    return BookDeltaSeen(
        sid=_present(envelope.sid, "sid"),
        seq=_present(envelope.seq, "seq"),
        ticker=Ticker(body.market_ticker),
        side=body.side,
        price=_price(body.price_dollars),
        change=_quantity(body.delta_fp),
        at_ms=body.ts_ms,
    )


def _book_snapshot(envelope: _Envelope) -> BookSnapshotSeen:
    body = _snapshot.decode(envelope.msg)
    return BookSnapshotSeen(
        sid=_present(envelope.sid, "sid"),
        seq=_present(envelope.seq, "seq"),
        ticker=Ticker(body.market_ticker),
        yes=_levels(body.yes_dollars_fp),
        no=_levels(body.no_dollars_fp),
    )


def _levels(levels: list[tuple[str, str]]) -> tuple[tuple[Price, Quantity], ...]:
    return tuple((_price(price), _quantity(quantity)) for price, quantity in levels)


def _ticker_seen(body: _Ticker) -> TickerSeen:
    bid, ask = _price(body.yes_bid_dollars), _price(body.yes_ask_dollars)
    return TickerSeen(
        ticker=Ticker(body.market_ticker),
        yes_bid=bid if bid > 0 else None,
        yes_ask=ask if ask < ONE_DOLLAR else None,
        at_ms=body.ts_ms,
    )


def _fill_seen(body: _Fill) -> FillSeen:
    return FillSeen(
        fill_id=FillId(body.trade_id),
        venue_order_id=VenueOrderId(body.order_id),
        ticker=Ticker(body.market_ticker),
        book_side=body.book_side,
        price=units.price(body.yes_price_dollars),
        quantity=units.quantity(body.count_fp),
        fee=units.money(body.fee_cost),
        is_taker=body.is_taker,
        at=_instant(body.ts_ms),
    )


def _order_seen(body: _Order) -> OrderSeen | Passed:
    try:
        status = VenueOrderStatus(body.status)
    except ValueError:
        # "unknown" is a status of this channel; the order list over REST settles what it is.
        return Passed(kind=f"user_order with status {body.status}", sid=None, seq=None)
    return OrderSeen(
        venue_order_id=VenueOrderId(body.order_id),
        client_order_id=ClientOrderId(body.client_order_id) if body.client_order_id else None,
        ticker=Ticker(body.ticker),
        status=status,
        filled=units.quantity(body.fill_count_fp),
        remaining=units.quantity(body.remaining_count_fp),
    )


def _instant(ts_ms: int) -> datetime:
    try:
        return EPOCH + timedelta(milliseconds=ts_ms)
    except OverflowError as error:
        raise units.UnitError(f"ts_ms {str(ts_ms)[:40]} is not a time") from error


def _present(value: int | None, name: str) -> int:
    if value is None:
        raise units.UnitError(f"missing field {name}")
    return value


def _shown(raw: bytes | str) -> str:
    text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else raw
    return repr(text[:200])
