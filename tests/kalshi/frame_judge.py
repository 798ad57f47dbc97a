"""What a frame says, read by another JSON parser: the judge of what recio's parser made of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from recio.kalshi.frame_kinds import LifecycleSeen, TickerSeen
from recio.kalshi.frames import (
    Acknowledged,
    Frame,
    Listed,
    Passed,
    Subscribed,
    VenueError,
)
from recio.messages.account import FillSeen, OrderSeen
from recio.messages.prices import IndexValue
from recio.rules.market.order_book import BookDeltaSeen, BookSnapshotSeen


def said(raw: bytes | str) -> dict[str, Any]:
    text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else raw
    return json.loads(text, parse_float=Decimal)


def differences(frame: Frame, raw: bytes | str) -> list[str]:
    """Every field of the message whose value is not what the JSON says; empty if none was lost or changed."""
    envelope = said(raw)
    body = envelope.get("msg", {})
    pairs = _pairs(frame, envelope, body)
    return [f"{name}: {ours!r} instead of {theirs!r}" for name, ours, theirs in pairs if ours != theirs]


def _pairs(frame: Frame, envelope: dict[str, Any], body: Any) -> list[tuple[str, object, object]]:
    match frame:
        case BookDeltaSeen():
            return [
                ("sid", frame.sid, envelope["sid"]),
                ("seq", frame.seq, envelope["seq"]),
                ("ticker", frame.ticker, body["market_ticker"]),
                ("side", frame.side.value, body["side"]),
                ("price", _price(frame.price), Decimal(body["price_dollars"])),
                ("change", _quantity(frame.change), Decimal(body["delta_fp"])),
                ("at", frame.at_ms, body.get("ts_ms")),
            ]
        case BookSnapshotSeen():
            return [
                ("sid", frame.sid, envelope["sid"]),
                ("seq", frame.seq, envelope["seq"]),
                ("ticker", frame.ticker, body["market_ticker"]),
                ("yes", _levels(frame.yes), _said_levels(body.get("yes_dollars_fp"))),
                ("no", _levels(frame.no), _said_levels(body.get("no_dollars_fp"))),
            ]
        case TickerSeen():
            return [
                ("ticker", frame.ticker, body["market_ticker"]),
                ("bid", _price(frame.yes_bid or 0), Decimal(body["yes_bid_dollars"])),
                ("ask", _ask(frame), Decimal(body["yes_ask_dollars"])),
                ("at", frame.at_ms, body["ts_ms"]),
            ]
        case FillSeen():
            return [
                ("fill", frame.fill_id, body["trade_id"]),
                ("order", frame.venue_order_id, body["order_id"]),
                ("price", _price(frame.price), Decimal(body["yes_price_dollars"])),
                ("quantity", _quantity(frame.quantity), Decimal(body["count_fp"])),
                ("fee", Decimal(frame.fee).scaleb(-6), Decimal(body["fee_cost"])),
                ("side", frame.book_side.value, body["book_side"]),
                ("ticker", frame.ticker, body["market_ticker"]),
                ("taker", frame.is_taker, body["is_taker"]),
                ("at", frame.at, _at(body["ts_ms"])),
                ("name", frame.client_order_id or "", body.get("client_order_id", "")),
                ("position", *_optional(frame.post_position, body.get("post_position_fp"))),
            ]
        case OrderSeen():
            return [
                ("ticker", frame.ticker, body["ticker"]),
                ("name", frame.client_order_id or "", body.get("client_order_id", "")),
                ("reason", frame.reason, body.get("last_update_reason", "")),
                ("order", frame.venue_order_id, body["order_id"]),
                ("status", frame.status.value, body["status"]),
                ("filled", _quantity(frame.filled), Decimal(body["fill_count_fp"])),
                ("remaining", _quantity(frame.remaining), Decimal(body["remaining_count_fp"])),
            ]
        case IndexValue():
            is_fast = envelope["type"] == "cfbenchmarks_value_5hz"
            inner = {} if is_fast else said(body["data"])
            value, at = (
                (body["value_usd"], body["source_ts_ms"]) if is_fast else (inner["value"], inner["time"])
            )
            mean = None if is_fast else body.get("last_60s_windowed_average_15min")
            mean = mean["value"] if isinstance(mean, dict) else mean
            return [
                *_numbered(frame, envelope),
                ("index", frame.index_id, body["index_id"]),
                ("value", frame.value, Decimal(value)),
                ("at", frame.at, _at(at)),
                ("mean", frame.final_minute_mean, None if mean is None else Decimal(mean)),
            ]
        case _:
            return _others(frame, envelope, body)


def _others(frame: Frame, envelope: dict[str, Any], body: Any) -> list[tuple[str, object, object]]:
    match frame:
        case LifecycleSeen():
            about = {"event_lifecycle": "event", "event_fee_update": "fee"}.get(envelope["type"])
            named, kind = body["event_ticker" if about else "market_ticker"], about or body["event_type"]
            said = None if about or body.get("result") not in ("yes", "no") else body["result"]
            return [
                *_numbered(frame, envelope),
                ("ticker", frame.ticker, named),
                ("kind", frame.kind, kind),
                ("result", frame.says.result and frame.says.result.value, said),
            ]
        case Subscribed():
            answers = ("number", frame.number, envelope.get("id"))
            return [("sid", frame.sid, body["sid"]), ("channel", frame.channel, body["channel"]), answers]
        case _:
            return _replies(frame, envelope, body)


def _replies(frame: Frame, envelope: dict[str, Any], body: Any) -> list[tuple[str, object, object]]:
    match frame:
        case Acknowledged():
            answers = ("number", frame.number, envelope.get("id"))
            return [
                *_numbered(frame, envelope),
                answers,
                ("ended", frame.ended, envelope["type"] == "unsubscribed"),
            ]
        case Listed():
            listed = [(each["channel"], each["sid"]) for each in body]
            return [
                ("listed", list(frame.subscriptions), listed),
                ("number", frame.number, envelope.get("id")),
            ]
        case VenueError():
            told = ("code", frame.code, _code(body)), ("text", frame.text, _text(body, frame.text))
            return [*_numbered(frame, envelope), *told, ("number", frame.number, envelope.get("id"))]
        case Passed(kind=kind) if kind == envelope["type"]:
            return _numbered(frame, envelope)
        case Passed():
            return [("kind", frame.kind, f"user_order with status {body['status']}")]
        case _:
            raise AssertionError(f"nobody judges {type(frame).__name__}")


def _code(body: Any) -> int:
    said = str(body.get("code")) if isinstance(body, dict) else ""
    return int(said) if said.isdecimal() and len(said) < 10 else 0


def _text(body: Any, otherwise: str) -> str:
    """Of an error without a text of its own any will do."""
    said = body.get("msg") if isinstance(body, dict) else None
    return said if isinstance(said, str) else otherwise


def _numbered(frame: Any, envelope: dict[str, Any]) -> list[tuple[str, object, object]]:
    return [("sid", frame.sid, envelope.get("sid")), ("seq", frame.seq, envelope.get("seq"))]


def _at(ms: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)


def _optional(ours: int | None, theirs: str | None) -> tuple[object, object]:
    return (
        None if ours is None else _quantity(ours),
        None if theirs is None else Decimal(theirs),
    )


def _price(value: int) -> Decimal:
    return Decimal(value).scaleb(-4)


def _quantity(value: int) -> Decimal:
    return Decimal(value).scaleb(-2)


def _ask(frame: TickerSeen) -> Decimal:
    return Decimal(1) if frame.yes_ask is None else _price(frame.yes_ask)


def _levels(levels: tuple[tuple[int, int], ...]) -> list[tuple[Decimal, Decimal]]:
    return [(_price(price), _quantity(quantity)) for price, quantity in levels]


def _said_levels(levels: Any) -> list[tuple[Decimal, Decimal]]:
    return [(Decimal(price), Decimal(quantity)) for price, quantity in levels or []]
