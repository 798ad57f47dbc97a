"""Turns WebSocket frames into messages, strictly: a frame is understood whole or refused with its field named.

Frames of kinds that this daemon does not listen to, and fields it does not need, are passed over;
a needed field that is missing, ill-typed or out of its unit never becomes a default.
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache

import msgspec

from recio import units
from recio.kalshi.account_frames import fill_from_frame, order_from_frame, sent_at
from recio.kalshi.amounts import EPOCH
from recio.kalshi.frame_bodies import (
    About,
    Delta,
    DeltaFrame,
    Envelope,
    ErrorBody,
    Snapshot,
    SubscribedTo,
    TickerFrame,
    TopOfBook,
)
from recio.kalshi.frame_kinds import (
    Acknowledged,
    Frame,
    FrameError,
    Listed,
    Passed,
    Strange,
    Subscribed,
    TickerSeen,
    VenueError,
)
from recio.kalshi.index_frames import fast_index_value, index_value
from recio.kalshi.lifecycle_frames import event_seen, lifecycle_seen
from recio.kalshi.responses import NOT_DECODABLE
from recio.rules.market.order_book import BookDeltaSeen, BookSnapshotSeen
from recio.units import ONE_DOLLAR, Price, Quantity, Side, Ticker, complement

__all__ = [
    "EPOCH",
    "Acknowledged",
    "Frame",
    "FrameError",
    "Listed",
    "Passed",
    "Subscribed",
    "VenueError",
    "parse_frame",
]

NO = Side.NO
"""Looked up once: it is asked for at every change of every book."""

# One book repeats the same few thousand texts for hours: remembering them makes a delta cheap.
_price = lru_cache(maxsize=20_000)(units.price)
_quantity = lru_cache(maxsize=50_000)(units.quantity)


NOT_A_FRAME = (*NOT_DECODABLE, units.UnitError)
"""All that hostile bytes can raise on the way."""

FrequentFrame = DeltaFrame | TickerFrame
_frequent = msgspec.json.Decoder(FrequentFrame)
_envelope = msgspec.json.Decoder(Envelope)
_snapshot = msgspec.json.Decoder(Snapshot)
_delta = msgspec.json.Decoder(Delta)
_ticker = msgspec.json.Decoder(TopOfBook)
_subscribed = msgspec.json.Decoder(SubscribedTo)
_listed = msgspec.json.Decoder(list[SubscribedTo])
_error = msgspec.json.Decoder(ErrorBody)
_about = msgspec.json.Decoder(About)
MOST_CODE_DIGITS = 9
BOOK_FRAMES = frozenset({"orderbook_delta", "orderbook_snapshot"})
"""Frames that are lost on one market alone, if they tell which and where they stand in the sequence."""
SET_ASIDE = frozenset(
    {
        *("ticker", "fill", "user_order", "cfbenchmarks_value", "cfbenchmarks_value_5hz"),
        *("market_lifecycle_v2", "event_lifecycle", "event_fee_update"),
    }
)
"""Frames without which everything else goes on."""


def parse_frame(raw: bytes | str, received_at: datetime = EPOCH, *, no_in_yes_terms: bool = False) -> Frame:
    """One WebSocket text frame into a message. Raises FrameError naming the field and the value.

    `received_at` is noted on index values only. `no_in_yes_terms`: the prices of NO levels are written as YES prices,
    as the subscription asked for.
    """
    try:
        try:
            frame = _frequent.decode(raw)
        except NOT_DECODABLE:
            # Another kind, or a fault: this way tells which, and names the field.
            return _parse(_envelope.decode(raw), received_at, no_in_yes_terms)
        # As seen_in does, without the call: this is asked for every message of every market.
        if isinstance(frame, DeltaFrame):
            return _delta_seen(frame.sid, frame.seq, frame.msg, no_in_yes_terms)
        return _ticker_seen(frame.msg)
    except NOT_A_FRAME as error:
        raise FrameError(f"{error} in frame {_shown(raw)}") from error


def strange_frame(raw: bytes | str, error: FrameError) -> Strange | None:
    """What is left of a frame that was refused: which subject it concerns. None where that cannot be told either."""
    try:
        envelope = _envelope.decode(raw)
        about = _about.decode(envelope.msg)
    except NOT_A_FRAME:
        return None
    is_placed = envelope.sid is not None and envelope.seq is not None and about.market_ticker is not None
    if envelope.type not in SET_ASIDE and not (envelope.type in BOOK_FRAMES and is_placed):
        return None
    ticker = None if about.market_ticker is None else Ticker(about.market_ticker)
    return Strange(kind=envelope.type, sid=envelope.sid, seq=envelope.seq, ticker=ticker, why=str(error))


def seen_in(frame: FrequentFrame) -> Frame:
    """A frame of the frequent kinds, decoded, into a message. Raises UnitError."""
    if isinstance(frame, DeltaFrame):
        return _delta_seen(frame.sid, frame.seq, frame.msg, False)
    return _ticker_seen(frame.msg)


def _parse(envelope: Envelope, received_at: datetime, no_in_yes_terms: bool) -> Frame:
    match envelope.type:
        case "orderbook_delta":
            return _book_delta(envelope, no_in_yes_terms)
        case "orderbook_snapshot":
            return _book_snapshot(envelope, no_in_yes_terms)
        case "ticker":
            return _ticker_seen(_ticker.decode(envelope.msg))
        case "cfbenchmarks_value":
            return index_value(envelope, received_at)
        case "cfbenchmarks_value_5hz":
            return fast_index_value(envelope, received_at)
        case _:
            return _private(envelope)


def _private(envelope: Envelope) -> Frame:
    match envelope.type:
        case "fill":
            return fill_from_frame(envelope.msg, sent_at(envelope))
        case "user_order":
            return order_from_frame(envelope.msg, sent_at(envelope))
        case _:
            return _lifecycle_frame(envelope)


def _lifecycle_frame(envelope: Envelope) -> Frame:
    match envelope.type:
        case "market_lifecycle_v2":
            return lifecycle_seen(envelope)
        case "event_lifecycle":
            return event_seen(envelope, "event")
        case "event_fee_update":
            return event_seen(envelope, "fee")
        case _:
            return _reply(envelope)


def _reply(envelope: Envelope) -> Frame:
    match envelope.type:
        case "subscribed":
            reply = _subscribed.decode(envelope.msg)
            return Subscribed(channel=reply.channel, sid=reply.sid, number=envelope.id)
        case "ok" if bytes(envelope.msg)[:1] == b"[":
            listed = tuple((each.channel, each.sid) for each in _listed.decode(envelope.msg))
            return Listed(subscriptions=listed, number=envelope.id)
        case "ok" | "unsubscribed":
            ended = envelope.type == "unsubscribed"
            return Acknowledged(sid=envelope.sid, seq=envelope.seq, number=envelope.id, ended=ended)
        case "error":
            return _venue_error(envelope)
        case _:
            return Passed(kind=envelope.type, sid=envelope.sid, seq=envelope.seq)


def _venue_error(envelope: Envelope) -> VenueError:
    """With all that it says as text where it is not written as errors are."""
    try:
        error = _error.decode(envelope.msg)
    except msgspec.ValidationError:
        error = ErrorBody()
    is_text = bytes(error.msg)[:1] == b'"'
    text = msgspec.json.decode(error.msg, type=str) if is_text else _shown(bytes(envelope.msg))
    return VenueError(
        code=_error_code(error.code), text=text, sid=envelope.sid, seq=envelope.seq, number=envelope.id
    )


def _error_code(said: msgspec.Raw) -> int:
    """0, which the venue does not have, for one that is no number."""
    digits = bytes(said).strip(b'"')
    return int(digits) if digits.isdigit() and len(digits) <= MOST_CODE_DIGITS else 0


def _book_delta(envelope: Envelope, no_in_yes_terms: bool) -> BookDeltaSeen:
    body = _delta.decode(envelope.msg)
    return _delta_seen(_present(envelope.sid, "sid"), _present(envelope.seq, "seq"), body, no_in_yes_terms)


def _delta_seen(sid: int, seq: int, body: Delta, no_in_yes_terms: bool) -> BookDeltaSeen:
    price = _price(body.price_dollars)
    return BookDeltaSeen(
        sid=sid,
        seq=seq,
        ticker=Ticker(body.market_ticker),
        side=body.side,
        price=complement(price) if no_in_yes_terms and body.side is NO else price,
        change=_quantity(body.delta_fp),
        at_ms=body.ts_ms,
    )


def _book_snapshot(envelope: Envelope, no_in_yes_terms: bool) -> BookSnapshotSeen:
    body = _snapshot.decode(envelope.msg)
    no = _levels(body.no_dollars_fp)
    return BookSnapshotSeen(
        sid=_present(envelope.sid, "sid"),
        seq=_present(envelope.seq, "seq"),
        ticker=Ticker(body.market_ticker),
        yes=_levels(body.yes_dollars_fp),
        no=tuple((complement(price), quantity) for price, quantity in no) if no_in_yes_terms else no,
    )


def _levels(levels: list[tuple[str, str]] | None) -> tuple[tuple[Price, Quantity], ...]:
    return tuple((_price(price), _quantity(quantity)) for price, quantity in levels or ())


def _ticker_seen(body: TopOfBook) -> TickerSeen:
    bid = _quote(body.yes_bid_dollars, "yes_bid_dollars")
    ask = _quote(body.yes_ask_dollars, "yes_ask_dollars")
    return TickerSeen(
        ticker=Ticker(body.market_ticker),
        yes_bid=bid if bid > 0 else None,
        yes_ask=ask if ask < ONE_DOLLAR else None,
        at_ms=body.ts_ms,
    )


def _quote(text: str, name: str) -> Price:
    """The edges of the dollar are how the venue writes an empty side."""
    quote = _price(text)
    if not 0 <= quote <= ONE_DOLLAR:
        raise units.UnitError(f"{name} {text[:40]} is outside the dollar")
    return quote


def _present(value: int | None, name: str) -> int:
    if value is None:
        raise units.UnitError(f"missing field {name}")
    return value


def _shown(raw: bytes | str) -> str:
    text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else raw
    return repr(text[:200])
