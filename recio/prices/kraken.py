"""Kraken's keyless feed, protocol 2: the middle of a book whose checksum was verified; an unverified book has no price.

The middle and not the last trade: the settlement index is built from order books, this book can be proved, and its best
prices move several times a second where trades are seconds apart. Prices and quantities are JSON numbers whose printed
digits enter the checksum, so they are read as decimals exactly. A book that fails is asked for anew by itself; the other
pairs of the connection go on. Whatever comes confirms every pair that has a price, because one connection carries them
all in order; heartbeats come once a second, so no ping is sent. A snapshot is what stands now: its timestamp is that of
the last change, which on a quiet pair was long ago, and is not used.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

import msgspec

from recio.prices.best_prices import middle
from recio.prices.feed import (
    FeedError,
    Heard,
    Heartbeat,
    Parser,
    Quoted,
    Source,
    Unpriced,
    moment,
    sane_dollars,
)

NAME = "kraken"
DEPTH = 10
MOST_LEVELS = 1_000
"""The largest message the protocol allows a book."""
LARGEST = Decimal(10) ** 15
ONLINE = "online"
PATIENCE = 3
"""Broken books in a row of one pair before the whole connection is given up."""


class _Level(msgspec.Struct):
    price: Decimal
    qty: Decimal


class _Book(msgspec.Struct):
    symbol: str
    checksum: int
    bids: list[_Level] = []
    asks: list[_Level] = []
    timestamp: datetime | None = None


class _Books(msgspec.Struct):
    type: str
    data: list[_Book]


class _Status(msgspec.Struct):
    system: str


class _Statuses(msgspec.Struct):
    data: list[_Status]


class _Message(msgspec.Struct):
    channel: str = ""
    method: str = ""
    success: bool = True
    error: str | None = None
    symbol: str | None = None


_message = msgspec.json.Decoder(_Message)
_books = msgspec.json.Decoder(_Books)
_statuses = msgspec.json.Decoder(_Statuses)


@dataclass(slots=True)
class _Ladder:
    """One side of a book: exact quantity by exact price, cut to the depth that the checksum covers."""

    best_is_highest: bool
    levels: dict[Decimal, Decimal] = field(default_factory=dict[Decimal, Decimal])

    def take(self, levels: Iterable[_Level]) -> None:
        for level in levels:
            # A price may come back with other digits: the newest printing is the one that counts.
            self.levels.pop(level.price, None)
            if level.qty != 0:
                self.levels[level.price] = level.qty
        for price in sorted(self.levels, reverse=self.best_is_highest)[DEPTH:]:
            del self.levels[price]

    def best(self) -> Decimal | None:
        if not self.levels:
            return None
        return max(self.levels) if self.best_is_highest else min(self.levels)

    def digits(self) -> Iterator[str]:
        for price in sorted(self.levels, reverse=self.best_is_highest):
            yield _digits(price)
            yield _digits(self.levels[price])


@dataclass(slots=True)
class _TwoSides:
    bids: _Ladder = field(default_factory=lambda: _Ladder(best_is_highest=True))
    asks: _Ladder = field(default_factory=lambda: _Ladder(best_is_highest=False))

    def take(self, change: _Book) -> bool:
        """Whether what stands now fits the checksum that came with it."""
        self.bids.take(change.bids)
        self.asks.take(change.asks)
        text = "".join((*self.asks.digits(), *self.bids.digits()))
        return zlib.crc32(text.encode()) == change.checksum

    def middle(self) -> Decimal | str:
        """The price, or why there is none."""
        return middle(self.bids.best(), self.asks.best())


def _digits(value: Decimal) -> str:
    return f"{value:f}".replace(".", "").lstrip("0")


@dataclass(slots=True)
class _Connection:
    """What one connection has said so far."""

    pairs: Mapping[str, str]
    books: dict[str, _TwoSides] = field(default_factory=dict[str, _TwoSides])
    broken: dict[str, int] = field(default_factory=dict[str, int])
    """How often in a row each pair's book did not fit."""
    system: str = ONLINE

    def changed(self, kind: str, change: _Book) -> tuple[Heard, ...]:
        pair, symbol = change.symbol, self.pairs.get(change.symbol)
        if symbol is None:
            raise FeedError(f"{NAME}: symbol {pair[:40]!r} was not asked for")
        _check_levels(change)
        if kind not in ("snapshot", "update"):
            raise FeedError(f"{NAME}: type {kind[:40]!r} of a book is not known")
        if kind == "snapshot":
            self.books[pair] = _TwoSides()
        book = self.books.get(pair)
        if book is None and pair in self.broken:
            return (Heartbeat(at=None, symbol=symbol, unchanged=False),)
        if book is None:
            raise FeedError(f"{NAME}: an update of {pair} came before its snapshot")
        if not book.take(change):
            return (self._anew(pair, symbol),)
        self.broken.pop(pair, None)
        what = f"{NAME}: timestamp of {pair}"
        at = None if kind == "snapshot" else moment(change.timestamp, what)
        middle = book.middle() if self.system == ONLINE else f"the exchange is in {self.system}"
        if isinstance(middle, str):
            return (Unpriced(symbol=symbol, why=middle),)
        return (Heartbeat(at=at), Quoted(symbol=symbol, price=middle, at=at))

    def _anew(self, pair: str, symbol: str) -> Unpriced:
        del self.books[pair]
        self.broken[pair] = self.broken.get(pair, 0) + 1
        if self.broken[pair] >= PATIENCE:
            raise FeedError(f"{NAME}: the book of {pair} failed its checksum {PATIENCE} times in a row")
        why = "its book failed its checksum and is read anew"
        ask = (_wanted("unsubscribe", pair), _wanted("subscribe", pair))
        return Unpriced(symbol=symbol, why=why, ask=ask)

    def told(self, statuses: Iterable[_Status]) -> tuple[Heard, ...]:
        for status in statuses:
            self.system = status.system
        if self.system == ONLINE:
            return ()
        return (Unpriced(symbol=None, why=f"the exchange is in {self.system[:40]}"),)

    def refused(self, message: _Message) -> Unpriced:
        """A refusal that names one of our pairs is about that one only."""
        symbol = self.pairs.get(message.symbol or "")
        if symbol is None or message.method != "subscribe":
            raise FeedError(f"{NAME}: {message.method[:40]} refused: {(message.error or '')[:200]}")
        return Unpriced(symbol=symbol, why=(message.error or "refused")[:200])


def source(url: str, pairs: Mapping[str, str]) -> Source:
    """`pairs` maps each pair, such as BTC/USD, to its symbol."""
    subscribe = (_wanted("subscribe", *pairs),)
    return Source(name=NAME, url=url, subscribe=subscribe, parser=lambda: parser(pairs))


def _wanted(method: str, *pairs: str) -> Mapping[str, object]:
    params: dict[str, object] = {"channel": "book", "symbol": list(pairs), "depth": DEPTH}
    if method == "subscribe":
        params["snapshot"] = True
    return {"method": method, "params": params}


def parser(pairs: Mapping[str, str]) -> Parser:
    """Keeps the books of one connection."""
    connection = _Connection(pairs)

    def parse(raw: str | bytes) -> tuple[Heard, ...]:
        try:
            return _heard(raw, connection)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            raise FeedError(f"{NAME}: {error}") from error

    return parse


def _heard(raw: str | bytes, connection: _Connection) -> tuple[Heard, ...]:
    message = _message.decode(raw)
    if message.error or not message.success:
        return (connection.refused(message),)
    match message.channel:
        case "book":
            books = _books.decode(raw)
            return tuple(heard for each in books.data for heard in connection.changed(books.type, each))
        case "status":
            return connection.told(_statuses.decode(raw).data)
        case "heartbeat":
            return (Heartbeat(at=None),)
        case _:
            return ()


def _check_levels(change: _Book) -> None:
    if len(change.bids) + len(change.asks) > 2 * MOST_LEVELS:
        raise FeedError(f"{NAME}: a book of {change.symbol} with too many levels")
    for level in (*change.bids, *change.asks):
        sane_dollars(level.price, f"{NAME}: price of {change.symbol}")
        exponent = level.qty.as_tuple().exponent
        # Bounded before it is printed: 1e999999 is a legal JSON number.
        if not isinstance(exponent, int) or not -18 <= exponent <= 0 or not 0 <= level.qty <= LARGEST:
            raise FeedError(f"{NAME}: qty of {change.symbol} {str(level.qty)[:40]} cannot be")
