"""Order books rebuilt from snapshots and deltas, and the sequence check that decides whether to trust them.

A book is either exactly what the venue sent or it is unusable: after a gap or an impossible level it
stays unusable until the next snapshot.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass, field

import msgspec

from recio.messages.markets import BookView
from recio.units import ONE_DOLLAR, Price, Quantity, Side, Ticker, complement

DEPTH_SHOWN = 10
"""Levels a side that a BookView carries: far more than one of our orders ever needs."""


class BookSnapshotSeen(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The whole book of one market; levels are (price in that side's own terms, quantity)."""

    sid: int
    seq: int
    ticker: Ticker
    yes: tuple[tuple[Price, Quantity], ...]
    no: tuple[tuple[Price, Quantity], ...]


# A struct and no dataclass: one is made for every message of a busy market, and costs a fortieth.
class BookDeltaSeen(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A signed change of one level, price in that side's own terms."""

    sid: int
    seq: int
    ticker: Ticker
    side: Side
    price: Price
    change: Quantity
    at_ms: int | None


class Applied(msgspec.Struct, frozen=True, gc=False):
    ticker: Ticker


@dataclass(frozen=True, slots=True)
class SequenceGap:
    sid: int
    expected: int
    got: int


@dataclass(frozen=True, slots=True)
class ImpossibleLevel:
    """A delta took a level below zero, or a price lies outside (0, 1)."""

    ticker: Ticker
    price: Price
    quantity: Quantity


@dataclass(frozen=True, slots=True)
class NotListening:
    """A delta for a market whose book is not usable: it waits for a snapshot."""

    ticker: Ticker


BookOutcome = Applied | SequenceGap | ImpossibleLevel | NotListening


def is_impossible(price: Price, quantity: Quantity) -> bool:
    """Whether no book can hold this level."""
    return quantity < 0 or not 0 < price < ONE_DOLLAR


@dataclass(slots=True)
class Ladder:
    """The bids of one outcome: quantity by price, the prices in order, and the best levels as they were last shown."""

    is_mirrored: bool = False
    """Whether levels are shown at prices seen from the other outcome."""
    levels: dict[Price, Quantity] = field(default_factory=dict[Price, Quantity])
    _ascending: list[Price] = field(default_factory=list[Price])
    shown_last: tuple[tuple[Price, Quantity], ...] | None = None
    """None once anything among the best levels has changed."""
    _deepest_shown: int = 0
    """A change below this price shows nothing new."""

    @property
    def best(self) -> Price | None:
        return self._ascending[-1] if self._ascending else None

    def replace(self, levels: tuple[tuple[Price, Quantity], ...]) -> None:
        self.levels = {price: quantity for price, quantity in levels if quantity > 0}
        self._ascending = sorted(self.levels)
        self.shown_last = None

    def change(self, price: Price, by: Quantity) -> Quantity:
        """Add a signed change; returns the new quantity, negative if that is impossible."""
        before = self.levels.get(price)
        now = by if before is None else Quantity(before + by)
        if now > 0:
            self.levels[price] = now
            if before is None:
                insort(self._ascending, price)
        elif now == 0 and before is not None:
            del self.levels[price]
            del self._ascending[bisect_left(self._ascending, price)]
        if price >= self._deepest_shown:
            self.shown_last = None
        return now

    def shown(self) -> tuple[tuple[Price, Quantity], ...]:
        """The best levels, best first; made anew only after a change among them."""
        if self.shown_last is None:
            best, levels = self._ascending[: -DEPTH_SHOWN - 1 : -1], self.levels
            self._deepest_shown = best[-1] if len(best) == DEPTH_SHOWN else 0
            seen = map(complement, best) if self.is_mirrored else best
            self.shown_last = tuple(zip(seen, map(levels.__getitem__, best), strict=True))
        return self.shown_last


@dataclass(slots=True)
class OrderBook:
    """One market's book: YES bids and NO bids, which are YES asks seen from the other side."""

    yes: Ladder = field(default_factory=Ladder)
    no: Ladder = field(default_factory=lambda: Ladder(is_mirrored=True))

    def ladder(self, side: Side) -> Ladder:
        return self.yes if side is Side.YES else self.no

    @property
    def best_bid(self) -> Price | None:
        return self.yes.best

    @property
    def best_ask(self) -> Price | None:
        return None if self.no.best is None else complement(self.no.best)

    @property
    def has_levels(self) -> bool:
        return bool(self.yes.levels or self.no.levels)

    def view(self) -> BookView:
        return BookView(bids=self.yes.shown(), asks=self.no.shown())


@dataclass(slots=True)
class SequencedBooks:
    """All books of one socket, each usable only while its subscription's sequence is unbroken."""

    books: dict[Ticker, OrderBook] = field(default_factory=dict[Ticker, OrderBook])
    usable: set[Ticker] = field(default_factory=set[Ticker])
    last_seq: dict[int, int] = field(default_factory=dict[int, int])
    carriers: dict[Ticker, int] = field(default_factory=dict[Ticker, int])
    views: dict[Ticker, BookView] = field(default_factory=dict[Ticker, BookView])
    """Of books that have not changed since they were looked at."""

    def view(self, ticker: Ticker) -> BookView | None:
        """The best levels of one book, None while it is not usable."""
        if ticker not in self.usable:
            return None
        view = self.views.get(ticker)
        if view is None:
            view = self.views[ticker] = self.books[ticker].view()
        return view

    def count(self, sid: int, seq: int) -> SequenceGap | None:
        """Check one sequenced message of a subscription; a gap makes all its books unusable.

        A message that comes again or late is a gap too. It does not set the count back, unless it is number
        one: some recordings begin a subscription anew without saying so.
        """
        last = self.last_seq.get(sid)
        if last is None or seq == last + 1:
            self.last_seq[sid] = seq
            return None
        self.last_seq[sid] = seq if seq == 1 else max(last, seq)
        self.distrust(sid)
        return SequenceGap(sid, last + 1, seq)

    def distrust(self, sid: int) -> None:
        """Every book of a subscription is unusable until its next snapshot."""
        self.usable -= {ticker for ticker, carrier in self.carriers.items() if carrier == sid}

    def snapshot(self, seen: BookSnapshotSeen) -> BookOutcome:
        gap = self.count(seen.sid, seen.seq)
        if gap is not None and 1 < gap.got < gap.expected:
            return gap  # changes that it does not have came before it
        self.views.pop(seen.ticker, None)
        book = self.books.setdefault(seen.ticker, OrderBook())
        self.carriers[seen.ticker] = seen.sid
        for price, quantity in (*seen.yes, *seen.no):
            if is_impossible(price, quantity):
                self.usable.discard(seen.ticker)
                # The gap comes first: it concerns every book of the subscription, this one included.
                return gap or ImpossibleLevel(seen.ticker, price, quantity)
        book.yes.replace(seen.yes)
        book.no.replace(seen.no)
        self.usable.add(seen.ticker)
        return gap or Applied(seen.ticker)

    def delta(self, seen: BookDeltaSeen) -> BookOutcome:
        gap = self.count(seen.sid, seen.seq)
        if gap is not None:
            return gap
        if seen.ticker not in self.usable:
            return NotListening(seen.ticker)
        if not 0 < seen.price < ONE_DOLLAR:
            self.usable.discard(seen.ticker)
            return ImpossibleLevel(seen.ticker, seen.price, seen.change)
        ladder = self.books[seen.ticker].ladder(seen.side)
        now = ladder.change(seen.price, seen.change)
        if ladder.shown_last is None:
            self.views.pop(seen.ticker, None)
        if now < 0:
            self.usable.discard(seen.ticker)
            return ImpossibleLevel(seen.ticker, seen.price, now)
        return Applied(seen.ticker)

    def restart(self, sid: int) -> None:
        """A subscription was (re)made: its sequence begins anew and its books wait for snapshots."""
        self.last_seq.pop(sid, None)
        self.distrust(sid)

    def drop(self, ticker: Ticker) -> None:
        """A market is over: its book is no longer kept."""
        self.books.pop(ticker, None)
        self.views.pop(ticker, None)
        self.usable.discard(ticker)
        self.carriers.pop(ticker, None)
