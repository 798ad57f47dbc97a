"""Recorded frames of the venue's socket as facts in YES terms, each with its body as it was; it judges no sequence."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import msgspec

from recio.exchange_sim.engine.units import ONE_DOLLAR, UnitError, read_price, read_quantity
from recio.exchange_sim.recorded.files import bad_line, lines

EARLIEST_MS, LATEST_MS = 946_684_800_000, 4_102_444_800_000
"""Years 2000 to 2100: a time outside is in the wrong unit."""
NS_PER_MS = 1_000_000
BOOK = "orderbook_delta"
TICKER = "ticker"
"""The channels whose messages are served."""

_Levels = list[tuple[str, str]]
_Stamp = Annotated[int, msgspec.Meta(ge=EARLIEST_MS, le=LATEST_MS)]
_Received = Annotated[int, msgspec.Meta(ge=EARLIEST_MS * NS_PER_MS, le=LATEST_MS * NS_PER_MS)]
Level = tuple[int, int]
"""YES price and quantity."""


class _Message(msgspec.Struct):
    type: str
    sid: int | None = None
    seq: int | None = None
    msg: msgspec.Raw = msgspec.Raw(b"null")


class _Line(msgspec.Struct):
    recv_ns: _Received
    m: _Message


class _Subscribed(msgspec.Struct):
    channel: str
    sid: int


class _Delta(msgspec.Struct):
    market_ticker: str
    price_dollars: str
    delta_fp: str
    side: Literal["yes", "no"]
    ts_ms: _Stamp
    market_id: str = ""


class _Snapshot(msgspec.Struct):
    market_ticker: str
    market_id: str = ""
    yes_dollars_fp: _Levels = []
    no_dollars_fp: _Levels = []


class _Ticker(msgspec.Struct):
    market_ticker: str
    ts_ms: _Stamp
    market_id: str = ""
    price_dollars: str | None = None
    last_trade_size_fp: str | None = None
    volume_fp: str | None = None
    open_interest_fp: str | None = None


class BookDelta(NamedTuple):
    """A level of one side changed by so much."""

    ticker: str
    market_id: str
    bid: bool
    price: int
    change: int
    ts_ms: int
    body: bytes


class BookSnapshot(NamedTuple):
    ticker: str
    market_id: str
    bids: list[Level]
    asks: list[Level]
    body: bytes


class TickerUpdate(NamedTuple):
    """A ticker message: what traded last and how much in all. None is not known."""

    ticker: str
    market_id: str
    last_price: int | None
    last_size: int | None
    volume: int | None
    open_interest: int | None
    ts_ms: int
    body: bytes


class Subscribed(NamedTuple):
    """The recorder subscribed anew; the numbers of this sid begin again."""

    channel: str
    sid: int


class NotServed(NamedTuple):
    """Something that is not served."""

    kind: str


Fact = BookDelta | BookSnapshot | TickerUpdate | Subscribed | NotServed


class Frame(NamedTuple):
    line: int
    received_ns: int
    sid: int | None
    seq: int | None
    fact: Fact


_line = msgspec.json.Decoder(_Line)
_delta = msgspec.json.Decoder(_Delta)
_snapshot = msgspec.json.Decoder(_Snapshot)
_ticker = msgspec.json.Decoder(_Ticker)
_subscribed = msgspec.json.Decoder(_Subscribed)


def read_frames(path: Path) -> Iterator[Frame]:
    """Every frame in the order received. Raises BadSession at the first line that is none."""
    for number, raw in lines(path):
        try:
            line = _line.decode(raw)
            yield Frame(number, line.recv_ns, line.m.sid, line.m.seq, _fact(line.m))
        except (msgspec.MsgspecError, UnitError, UnicodeDecodeError, RecursionError) as error:
            shown = raw[:120].decode("utf-8", "replace").rstrip()
            raise bad_line(path, number, f"{error}; the line begins {shown!r}") from error


def _fact(message: _Message) -> Fact:
    body = bytes(message.msg)
    match message.type:
        case "orderbook_delta":
            return _book_delta(_delta.decode(body), body)
        case "orderbook_snapshot":
            seen = _snapshot.decode(body)
            bids = [_level(*level) for level in seen.yes_dollars_fp]
            asks = [_complement(_level(*level)) for level in seen.no_dollars_fp]
            return BookSnapshot(seen.market_ticker, seen.market_id, bids, asks, body)
        case "ticker":
            return _quote(_ticker.decode(body), body)
        case "subscribed":
            opened = _subscribed.decode(body)
            return Subscribed(opened.channel, opened.sid)
        case _:
            return NotServed(message.type)


def _book_delta(seen: _Delta, body: bytes) -> BookDelta:
    bid = seen.side == "yes"
    at = _inside(seen.price_dollars)
    return BookDelta(
        seen.market_ticker,
        seen.market_id,
        bid,
        at if bid else ONE_DOLLAR - at,
        read_quantity(seen.delta_fp),
        seen.ts_ms,
        body,
    )


def _quote(seen: _Ticker, body: bytes) -> TickerUpdate:
    return TickerUpdate(
        seen.market_ticker,
        seen.market_id,
        None if seen.price_dollars is None else read_price(seen.price_dollars),
        _size(seen.last_trade_size_fp),
        _size(seen.volume_fp),
        _size(seen.open_interest_fp),
        seen.ts_ms,
        body,
    )


def _size(text: str | None) -> int | None:
    return None if text is None else read_quantity(text)


def _level(at: str, text: str) -> Level:
    size = read_quantity(text)
    if size <= 0:
        raise UnitError(f"a level of {text} cannot stand in a book")
    return _inside(at), size


def _complement(level: Level) -> Level:
    return ONE_DOLLAR - level[0], level[1]


def _inside(text: str) -> int:
    at = read_price(text)
    if not 0 < at < ONE_DOLLAR:
        raise UnitError(f"price {text} is not between 0 and 1")
    return at
