"""The one subscription that carries every book: what is asked for, what is awaited, and what breaks it.

Each book is asked for when it breaks, and once more if that brings nothing; when none comes at all, the whole
subscription is made anew. What it cannot mend stays unusable, never guessed.
An empty snapshot is believed only when a second one says the same: it may be the end of a market, or a fault.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from recio.kalshi.commands import (
    BOOKS,
    TICKERS_PER_COMMAND,
    Command,
    subscribe_books,
    unsubscribe,
    update_books,
)
from recio.kalshi.socket_outcomes import QUIET, BookChanged, Broken, Fed
from recio.rules.market.order_book import (
    Applied,
    BookDeltaSeen,
    BookSnapshotSeen,
    ImpossibleLevel,
    NotListening,
    SequencedBooks,
    SequenceGap,
)
from recio.units import Ticker

BLIND_LIMIT = 5.0
"""Host seconds that books wait for snapshots, and none comes, before more is done about it."""


@dataclass(slots=True)
class BookChannel:
    """The book subscription of one socket."""

    books: SequencedBooks = field(default_factory=SequencedBooks)
    sid: int | None = None
    is_opening: bool = False
    wanted: set[Ticker] = field(default_factory=set[Ticker])
    asked: set[Ticker] = field(default_factory=set[Ticker])
    """Markets that were asked for on the present subscription."""
    awaited: set[Ticker] = field(default_factory=set[Ticker])
    """Those of them whose snapshot is still to come."""
    _retried: set[Ticker] = field(default_factory=set[Ticker])
    """Those that were asked for a second time."""
    _empty: set[Ticker] = field(default_factory=set[Ticker])
    """Markets whose newest snapshot came empty."""
    _changed: dict[Ticker, Fed] = field(default_factory=dict[Ticker, Fed])
    """What is said of each change, made once: changes come by the thousand."""
    _snapshots: int = 0
    _blind: tuple[int, float] | None = None
    """How many snapshots there were when the waiting began, and the host time of that."""

    def towards(self, wanted: Iterable[Ticker]) -> tuple[Command, ...]:
        """The commands that lead from the books asked for to these."""
        self.wanted = set(wanted)
        return self.settle()

    def settle(self) -> tuple[Command, ...]:
        """What is still to be asked for, or no longer; nothing while the subscription is being made."""
        if self.is_opening:
            return ()
        gone = self.asked - self.wanted
        self._forget(gone)
        fresh = self.wanted - self.asked
        if self.sid is not None:
            self._await(fresh)
            dropped = update_books(self.sid, "delete_markets", gone)
            return (*dropped, *update_books(self.sid, "add_markets", fresh))
        if not fresh:
            return ()
        first = sorted(fresh)[:TICKERS_PER_COMMAND]
        self.is_opening = True
        self._await(first)
        return (subscribe_books(first),)

    def opened(self, sid: int) -> tuple[Command, ...]:
        self.is_opening = False
        if sid != self.sid:
            self.sid = sid
            self.books.restart(sid)
        return self.settle()

    def take(self, frame: BookDeltaSeen | BookSnapshotSeen) -> Fed:
        """Apply a snapshot or a change, if it is the very next message of this subscription."""
        if frame.sid != self.sid:
            return QUIET  # what is left of a subscription that was given up
        if frame.seq <= self.books.last_seq.get(frame.sid, 0) or frame.ticker not in self.asked:
            return self.count(frame.seq)
        if isinstance(frame, BookSnapshotSeen):
            return self._snapshot(frame)
        outcome = self.books.delta(frame)
        match outcome:
            case Applied():
                return self._changed[frame.ticker]
            case NotListening():
                return QUIET
            case ImpossibleLevel():
                return self._impossible(outcome)
            case SequenceGap():
                return self._gap(outcome)

    def count(self, seq: int) -> Fed:
        """A message of this subscription that carries no book of ours."""
        gap = None if self.sid is None else self.books.count(self.sid, seq)
        return QUIET if gap is None else self._gap(gap)

    def lost(self) -> None:
        """The venue ended the subscription."""
        if self.sid is not None:
            self.books.restart(self.sid)
        self.sid = None
        self.is_opening = False
        self.asked.clear()
        self.awaited.clear()
        self._retried.clear()

    def refused(self, command: Command) -> None:
        """A command about books was not carried out."""
        if command.name == "subscribe":
            self.is_opening = False
        if command.action == "get_snapshot":
            # A market that is over may have no snapshot any more: its book stays unusable and is not waited for.
            self.awaited -= set(command.tickers) & self._empty
        elif command.action != "delete_markets":
            self.asked -= set(command.tickers)
            self.awaited -= set(command.tickers)

    def impatient(self, now: float) -> Fed:
        """Look at whether snapshots that were asked for stopped coming. `now` is host time."""
        if not self.awaited:
            self._blind = None
            return QUIET
        if self._blind is None or self._blind[0] != self._snapshots:
            self._blind = (self._snapshots, now)
            return QUIET
        if now - self._blind[1] <= BLIND_LIMIT:
            return QUIET
        self._blind = None
        return self._insist()

    def _insist(self) -> Fed:
        """Some may be markets that the venue shows no book of: those must not cost the others theirs."""
        why = f"no snapshot of {min(self.awaited)} for {BLIND_LIMIT:g} s"
        if self.awaited >= self.asked or self.sid is None:
            return Broken(BOOKS, why), self._renew()
        self.awaited -= self._retried
        self._retried |= self.awaited
        again = update_books(self.sid, "get_snapshot", self.awaited)
        return (Broken(BOOKS, why), again) if again else QUIET

    def _renew(self) -> tuple[Command, ...]:
        over = () if self.sid is None else (unsubscribe(self.sid, BOOKS),)
        self.lost()
        return (*over, *self.settle())

    def _snapshot(self, frame: BookSnapshotSeen) -> Fed:
        self._snapshots += 1
        ticker, outcome = frame.ticker, self.books.snapshot(frame)
        self.awaited.discard(ticker)
        self._retried.discard(ticker)
        mending = self._doubt(ticker) if self._is_doubtful(frame) else ()
        match outcome:
            case ImpossibleLevel():
                return self._impossible(outcome)
            case SequenceGap():
                broken, more = self._gap(outcome)
                return broken, (*mending, *more)
            case _:
                return self._changed[ticker] if not mending else (BookChanged(ticker), mending)

    def _is_doubtful(self, frame: BookSnapshotSeen) -> bool:
        """Whether this is the first empty snapshot in a row."""
        if frame.yes or frame.no:
            self._empty.discard(frame.ticker)
            return False
        return frame.ticker not in self._empty

    def _doubt(self, ticker: Ticker) -> tuple[Command, ...]:
        self._empty.add(ticker)
        self.books.usable.discard(ticker)
        return self._again([ticker])

    def _impossible(self, found: ImpossibleLevel) -> Fed:
        why = f"impossible level of {found.ticker}: {found.quantity} at {found.price}"
        return Broken(BOOKS, why), self._again([found.ticker])

    def _gap(self, gap: SequenceGap) -> Fed:
        """Every book of the subscription is suspect; those that are not awaited already are asked for again."""
        why = f"message {gap.got} came instead of {gap.expected}"
        return Broken(BOOKS, why), self._again(self.asked - self.books.usable)

    def _again(self, tickers: Iterable[Ticker]) -> tuple[Command, ...]:
        fresh = set(tickers) - self.awaited
        self.awaited |= fresh
        return () if self.sid is None else update_books(self.sid, "get_snapshot", fresh)

    def _await(self, tickers: Iterable[Ticker]) -> None:
        for ticker in tickers:
            self._changed[ticker] = (BookChanged(ticker), ())
        self.asked |= set(tickers)
        self.awaited |= set(tickers)

    def _forget(self, gone: set[Ticker]) -> None:
        for ticker in gone:
            self.books.drop(ticker)
            self._changed.pop(ticker, None)
        self.asked -= gone
        self.awaited -= gone
        self._empty -= gone
