"""Bitstamp's keyless feed: the middle of the hundred best orders, sent whole each time; nothing is pieced together.

Each `order_book` message is a whole book with the time of its own, so none can be missed for good and nothing has to be
proven: the newest one is what stands. The channel of changes would need a first state from elsewhere. Messages come when
something changed; where nothing does, the source is silent and is opened again, which brings the present state.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from recio.prices.best_prices import level_of, middle
from recio.prices.feed import FeedError, Heard, Heartbeat, Parser, Quoted, Source, Unpriced

NAME = "bitstamp"
CHANNEL = "order_book_"
MOST_LEVELS = 1_000
LATEST_MICROSECONDS = 253_402_300_800_000_000
"""The year 10000: no time can be written beyond it."""


class _Kind(msgspec.Struct):
    event: str
    channel: str = ""


class _Book(msgspec.Struct):
    microtimestamp: str
    bids: list[tuple[str, str]]
    asks: list[tuple[str, str]]


class _Data(msgspec.Struct):
    data: _Book


class _Fault(msgspec.Struct):
    message: str = ""


class _Error(msgspec.Struct):
    data: _Fault


_kind = msgspec.json.Decoder(_Kind)
_data = msgspec.json.Decoder(_Data)
_error = msgspec.json.Decoder(_Error)


def source(url: str, pairs: Mapping[str, str]) -> Source:
    """`pairs` maps each pair, such as btcusd, to its symbol."""
    subscribe = tuple({"event": "bts:subscribe", "data": {"channel": CHANNEL + pair}} for pair in pairs)
    return Source(name=NAME, url=url, subscribe=subscribe, parser=lambda: parser(pairs))


def parser(pairs: Mapping[str, str]) -> Parser:
    def parse(raw: str | bytes) -> tuple[Heard, ...]:
        try:
            return _heard(raw, pairs)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            raise FeedError(f"{NAME}: {error}") from error

    return parse


def _heard(raw: str | bytes, pairs: Mapping[str, str]) -> tuple[Heard, ...]:
    message = _kind.decode(raw)
    match message.event:
        case "data":
            return _booked(_data.decode(raw).data, message.channel, pairs)
        case "bts:error":
            return (_refused(_error.decode(raw).data.message, message.channel, pairs),)
        case "bts:request_reconnect":
            raise FeedError(f"{NAME}: asks for a new connection")
        case "bts:heartbeat":
            return (Heartbeat(at=None, unchanged=False),)
        case _:
            return ()


def _booked(book: _Book, channel: str, pairs: Mapping[str, str]) -> tuple[Heard, ...]:
    symbol = pairs.get(channel.removeprefix(CHANNEL)) if channel.startswith(CHANNEL) else None
    if symbol is None:
        raise FeedError(f"{NAME}: channel {channel[:60]!r} was not asked for")
    if len(book.bids) + len(book.asks) > 2 * MOST_LEVELS:
        raise FeedError(f"{NAME}: a book of {symbol} with too many levels")
    at = _moment(book.microtimestamp)
    bid = max(_levels(book.bids, symbol), default=None)
    ask = min(_levels(book.asks, symbol), default=None)
    price = middle(bid, ask)
    if isinstance(price, str):
        return (Unpriced(symbol=symbol, why=price),)
    return (Quoted(symbol=symbol, price=price, at=at),)


def _levels(levels: Iterable[tuple[str, str]], symbol: str) -> Iterable[Decimal]:
    for price, amount in levels:
        found, stands = level_of(price, amount, f"{NAME}: {symbol}")
        if stands:
            yield found


def _moment(stamp: str) -> datetime:
    if not (stamp.isascii() and stamp.isdigit()) or len(stamp) > 18 or int(stamp) >= LATEST_MICROSECONDS:
        raise FeedError(f"{NAME}: microtimestamp {stamp[:40]!r} is not a time")
    seconds, microseconds = divmod(int(stamp), 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=microseconds)


def _refused(words: str, channel: str, pairs: Mapping[str, str]) -> Unpriced:
    """An error that names one of our pairs is about that one only."""
    symbol = pairs.get(channel.removeprefix(CHANNEL))
    if symbol is None:
        raise FeedError(f"{NAME}: {words[:200]}")
    return Unpriced(symbol=symbol, why=words[:200])
