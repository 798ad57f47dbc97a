"""Gemini's keyless feed (market data, version 2): the middle of the book; a book that stays crossed is given up.

The first `l2_updates` of a symbol is its whole book and brings its last trades along, every later one the changes of it.
Nothing numbers them, so a book cannot be proven: one that is crossed for more than a few messages is broken, and the
connection is opened anew. All symbols come in order on one connection, so whatever comes, heartbeats every five seconds
among it, confirms every price on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from recio.prices.best_prices import BestPrice, level_of, middle
from recio.prices.feed import FeedError, Heard, Heartbeat, Parser, Quoted, Source, Unpriced

NAME = "gemini"
MOST_CHANGES = 100_000
PATIENCE = 20
"""Messages in a row for which a book may be crossed: a match takes both sides away one message after the other."""
LATEST_MILLISECONDS = 253_402_300_800_000


class _Kind(msgspec.Struct):
    type: str = ""
    result: str = ""
    reason: str = ""
    message: str = ""


class _Changes(msgspec.Struct):
    symbol: str
    changes: list[tuple[str, str, str]]
    trades: list[msgspec.Raw] | None = None


class _Beat(msgspec.Struct):
    timestamp: int


_kind = msgspec.json.Decoder(_Kind)
_changes = msgspec.json.Decoder(_Changes)
_beat = msgspec.json.Decoder(_Beat)


@dataclass(slots=True)
class _Book:
    bids: BestPrice = field(default_factory=lambda: BestPrice(best_is_highest=True))
    asks: BestPrice = field(default_factory=lambda: BestPrice(best_is_highest=False))
    crossed: int = 0
    """How many messages in a row left it crossed."""

    def take(self, changes: Iterable[tuple[str, str, str]], symbol: str) -> None:
        for side, price, amount in changes:
            if side not in ("buy", "sell"):
                raise FeedError(f"{NAME}: side {side[:40]!r} of {symbol} is neither buy nor sell")
            level, stands = level_of(price, amount, f"{NAME}: {symbol}")
            (self.bids if side == "buy" else self.asks).take(level, stands=stands)


def source(url: str, names: Mapping[str, str]) -> Source:
    """`names` maps each of its symbols, such as BTCUSD, to ours."""
    subscribe = ({"type": "subscribe", "subscriptions": [{"name": "l2", "symbols": list(names)}]},)
    return Source(name=NAME, url=url, subscribe=subscribe, parser=lambda: parser(names))


def parser(names: Mapping[str, str]) -> Parser:
    """Keeps the books of one connection."""
    books: dict[str, _Book] = {}

    def parse(raw: str | bytes) -> tuple[Heard, ...]:
        try:
            return _heard(raw, names, books)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            raise FeedError(f"{NAME}: {error}") from error

    return parse


def _heard(raw: str | bytes, names: Mapping[str, str], books: dict[str, _Book]) -> tuple[Heard, ...]:
    message = _kind.decode(raw)
    if message.result == "error":
        raise FeedError(f"{NAME}: {message.reason} {message.message}"[:200])
    match message.type:
        case "l2_updates":
            return _changed(_changes.decode(raw), names, books)
        case "heartbeat":
            return (Heartbeat(at=_moment(_beat.decode(raw).timestamp)),)
        case _:
            return ()


def _changed(said: _Changes, names: Mapping[str, str], books: dict[str, _Book]) -> tuple[Heard, ...]:
    symbol = names.get(said.symbol)
    if symbol is None:
        raise FeedError(f"{NAME}: symbol {said.symbol[:40]!r} was not asked for")
    if len(said.changes) > MOST_CHANGES:
        raise FeedError(f"{NAME}: a message of {symbol} with too many changes")
    if said.trades is not None:
        books[said.symbol] = _Book()
    book = books.get(said.symbol)
    if book is None:
        raise FeedError(f"{NAME}: a change of {said.symbol[:40]} came before its book")
    book.take(said.changes, symbol)
    return (Heartbeat(at=None), _priced(book, symbol))


def _priced(book: _Book, symbol: str) -> Heard:
    price = middle(book.bids.best, book.asks.best)
    if isinstance(price, Decimal):
        book.crossed = 0
        return Quoted(symbol=symbol, price=price, at=None)
    book.crossed += 1
    if book.crossed > PATIENCE:
        raise FeedError(f"{NAME}: {price} for {PATIENCE} messages: it is read anew")
    return Unpriced(symbol=symbol, why=price)


def _moment(milliseconds: int) -> datetime:
    if not 0 <= milliseconds < LATEST_MILLISECONDS:
        raise FeedError(f"{NAME}: timestamp {milliseconds} is not a time")
    seconds, rest = divmod(milliseconds, 1_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest * 1_000)
