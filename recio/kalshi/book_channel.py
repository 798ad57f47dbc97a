"""Keeps the one subscription that carries every order book; a book that is not whole is never usable, nor guessed.

A snapshot is requested when a book breaks, and once more if none comes; when none comes at all, the subscription
is made anew. A book that was given up is asked for again after a while: what spoilt it may be over, and a stop may need it. An empty snapshot is believed only when a second one says the same: it may be the end of a market,
or a fault.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from recio.kalshi.book_proof import BookProof
from recio.kalshi.book_silence import BookSilence, Verdict
from recio.kalshi.commands import (
    BOOKS,
    Command,
    subscribe_books,
    unsubscribe,
    update_books,
)
from recio.kalshi.frame_kinds import Strange
from recio.kalshi.refused_books import LEFT_ALONE, RefusedBooks
from recio.kalshi.socket_outcomes import NO_CHANGE, BookChanged, Broken, InOrder, Reaction
from recio.messages.markets import RestBook
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

MOST_SPOILS = 3
"""Messages about one book that cannot be read, after which its market is left alone for a while."""
ASKED_AGAIN_AFTER = 10
"""Ticks, of about a second, for which a book is neither whole nor asked for, after which it is asked for once more."""
SNAPSHOT_LIMIT = 5.0
"""Host seconds that books wait for snapshots, and none comes, before they are requested again."""


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
    proof: BookProof = field(default_factory=BookProof)
    """Which of them were held against the venue's REST books since the subscription was opened."""
    refused_books: RefusedBooks = field(default_factory=RefusedBooks)
    silence: BookSilence = field(default_factory=BookSilence)
    _retried: set[Ticker] = field(default_factory=set[Ticker])
    """Those that were asked for a second time."""
    _empty: set[Ticker] = field(default_factory=set[Ticker])
    """Markets whose newest snapshot on this subscription came empty, and of which no change came since."""
    _changed: dict[Ticker, Reaction] = field(default_factory=dict[Ticker, Reaction])
    """The reaction to a change of each book, made once: changes come by the thousand."""
    _spoils: Counter[Ticker] = field(default_factory=Counter[Ticker])
    """How often a message about each book could not be read lately, on the present subscription."""
    _given_up: set[Ticker] = field(default_factory=set[Ticker])
    """Those that were left alone for it, until a snapshot can be read again."""
    _unasked: Counter[Ticker] = field(default_factory=Counter[Ticker])
    """For how many ticks each has been neither whole nor asked for."""
    _not_shown: set[Ticker] = field(default_factory=set[Ticker])
    """Those of which the venue said that it has no such market."""
    _ticks: int = 0
    _snapshots: int = 0
    _waiting_since: tuple[int, float] | None = None
    """How many snapshots there were when the waiting began, and the host time of that."""

    def commands_for(self, wanted: Iterable[Ticker]) -> tuple[Command, ...]:
        """The commands that subscribe these books and drop all others."""
        self.wanted = set(wanted)
        unwanted = self.refused_books.counts.keys() - self.wanted
        self.proof.forget(unwanted - self.asked)
        self.refused_books.forget(unwanted)
        return self.missing_commands()

    def missing_commands(self) -> tuple[Command, ...]:
        """Commands for books that are wanted and not subscribed, or the reverse; none while the subscription is being made."""
        if self.is_opening:
            return ()
        gone = self.asked - self.wanted
        self._forget(gone)
        fresh = self.wanted - self.asked
        pieces = tuple(self.refused_books.pieces(fresh))
        if self.sid is not None:
            added = tuple(
                command for each in pieces for command in update_books(self.sid, "add_markets", each)
            )
            self._await(ticker for each in pieces for ticker in each)
            return (*update_books(self.sid, "delete_markets", gone), *added)
        if not pieces:
            return ()
        first = pieces[0]
        self.is_opening = True
        self._await(first)
        return (subscribe_books(first),)

    def opened(self, sid: int) -> tuple[Command, ...]:
        """The venue opened the subscription under this id."""
        self.is_opening = False
        if sid != self.sid:
            self._follow(sid)
        return self.missing_commands()

    def _follow(self, sid: int) -> None:
        """Listen to this subscription alone: what the one before made of the books is worth nothing from here on."""
        if self.sid is not None:
            self.books.restart(self.sid)
            self.awaited |= self.asked
            self._empty.clear()
        self.sid = sid
        self.books.restart(sid)
        self._spoils.clear()
        self._given_up.clear()
        self.proof.begin_anew(self.asked)

    def take(self, frame: BookDeltaSeen | BookSnapshotSeen) -> Reaction:
        """Apply a snapshot or a change, if it is the very next message of this subscription."""
        if frame.sid != self.sid:
            return NO_CHANGE  # what is left of a subscription that was given up
        self.silence.messages += 1
        is_old = frame.seq <= self.books.last_seq.get(frame.sid, 0)
        if is_old or frame.ticker not in self.asked or self._spoils.get(frame.ticker, 0) >= MOST_SPOILS:
            return self.count_message(frame.seq)
        if isinstance(frame, BookSnapshotSeen):
            return self._snapshot(frame)
        outcome = self.books.delta(frame)
        match outcome:
            case Applied():
                self._empty.discard(frame.ticker)
                return self._changed[frame.ticker]
            case NotListening():
                return NO_CHANGE
            case ImpossibleLevel():
                return self._impossible(outcome)
            case SequenceGap():
                return self._gap(outcome)

    def spoilt(self, frame: Strange, ticker: Ticker) -> Reaction:
        """A message about one book that cannot be read: that book is read anew, and given up when it keeps happening."""
        if frame.sid != self.sid or frame.seq is None:
            return NO_CHANGE
        counted = self.count_message(frame.seq)
        if ticker not in self.asked or self._spoils[ticker] >= MOST_SPOILS:
            return counted
        self.books.usable.discard(ticker)
        self.awaited.discard(ticker)
        self._spoils[ticker] += 1
        if self._spoils[ticker] >= MOST_SPOILS:
            self._given_up.add(ticker)
            self.proof.set_aside(ticker, f"its book cannot be read: {frame.why}")
            return BookChanged(ticker), counted[1]
        again = self._request_snapshots([ticker])
        return Broken(BOOKS, f"{ticker}: {frame.why}"), (*counted[1], *again)

    def read_anew(self, why: str) -> Reaction:
        """A message was lost that may have been of any book: none is usable until its snapshot comes."""
        self.books.usable.clear()
        return Broken(BOOKS, why), self._request_snapshots(self.asked - self._given_up)

    def count_message(self, seq: int) -> Reaction:
        """A message of this subscription that carries no book of ours."""
        gap = None if self.sid is None else self.books.count(self.sid, seq)
        return NO_CHANGE if gap is None else self._gap(gap)

    def compare(self, ticker: Ticker, rest: RestBook) -> str:
        """Hold a book against the REST book of this moment. Returns what is to be told of it now; mostly nothing."""
        if ticker not in self.books.usable:
            return ""
        return self.proof.compare(ticker, self.books.books[ticker], rest)

    def lost(self) -> None:
        """The venue ended the subscription."""
        if self.sid is not None:
            self.books.restart(self.sid)
        self.sid = None
        self.is_opening = False
        self.silence.begin_anew()
        self.proof.forget(self.asked)
        self.proof.forget(self.refused_books.counts)
        self.refused_books = RefusedBooks()
        self.asked.clear()
        self.awaited.clear()
        self._retried.clear()
        self._empty.clear()
        self._unasked.clear()
        self._not_shown.clear()

    def refused(self, command: Command, why: str, *, may_pass: bool, is_shown: bool) -> None:
        """A command about books was not carried out. `is_shown` False: because the venue has no such market."""
        if command.name == "subscribe":
            self.is_opening = False
        if command.action == "get_snapshot":
            # A market that is over may have no snapshot any more: its book stays unusable and is not waited for.
            self.awaited -= set(command.tickers) & self._empty
            if not is_shown:
                # A whole one stays as it is: it was asked for only to hear something.
                self.awaited -= set(command.tickers) & self.books.usable
                self.silence.refused(command.tickers)
                self._not_shown |= set(command.tickers)
        elif command.action != "delete_markets":
            self.asked -= set(command.tickers)
            self.awaited -= set(command.tickers)
            alone = None if may_pass else self.refused_books.refused(command.tickers)
            if alone is not None:
                self.proof.set_aside(alone, f"the venue refuses its book: {why}")

    def overdue(self, now: float) -> Reaction:
        """Request snapshots again that have stopped coming. `now` is host time in seconds."""
        self.refused_books.tick()
        self._forgive()
        forgotten = self._ask_for_forgotten()
        outcome, commands = self._late(now)
        return (outcome, (*forgotten, *commands)) if forgotten else (outcome, commands)

    def _forgive(self) -> None:
        """A book that is whole again has its chances again: it would be left alone for one bad message a day."""
        self._ticks += 1
        if self._ticks % LEFT_ALONE == 0:
            for ticker in self._spoils.keys() & self.books.usable:
                del self._spoils[ticker]

    def _ask_for_forgotten(self) -> tuple[Command, ...]:
        """One more message that cannot be read, and such a book is left alone for as long again."""
        idle = self.asked - self.books.usable - self.awaited
        self._unasked = Counter({ticker: self._unasked[ticker] + 1 for ticker in idle})
        due = [
            ticker
            for ticker, ticks in self._unasked.items()
            if ticks >= (LEFT_ALONE if ticker in self._not_shown else ASKED_AGAIN_AFTER)
        ]
        for ticker in due:
            del self._unasked[ticker]
            self._spoils[ticker] = min(self._spoils[ticker], MOST_SPOILS - 1)
        return self._request_snapshots(due)

    def _late(self, now: float) -> Reaction:
        dead = self._silent(now)
        if dead is not NO_CHANGE:
            return dead
        if not self.awaited - self.books.usable:
            self._waiting_since = None
            return NO_CHANGE
        if self._waiting_since is None or self._waiting_since[0] != self._snapshots:
            self._waiting_since = (self._snapshots, now)
            return NO_CHANGE
        if now - self._waiting_since[1] <= SNAPSHOT_LIMIT:
            return NO_CHANGE
        self._waiting_since = None
        return self._ask_again()

    def _silent(self, now: float) -> Reaction:
        """Ask for a book where none is heard any more; a channel that does not answer to that is subscribed anew."""
        if self.sid is None or not self.books.usable:
            self.silence.begin_anew()  # what is not whole is asked for already
            return NO_CHANGE
        others = self.awaited - self.books.usable  # a whole one is awaited only because it was asked for here
        shown = [each for each in self.books.usable & self.asked if self.books.books[each].has_levels]
        verdict = self.silence.look(now, shown, others_asked=bool(others))
        asked_of = self.silence.asked_of
        if verdict is Verdict.DEAD:
            why = f"no message of any book, and no snapshot of {asked_of} either"
            return Broken(BOOKS, why), self._resubscribe()
        if verdict is Verdict.ASK and asked_of is not None:
            self.awaited -= self.books.usable
            return InOrder(), self._request_snapshots([asked_of])
        return NO_CHANGE

    def _ask_again(self) -> Reaction:
        """Some may be markets that the venue shows no book of: those must not cost the others theirs."""
        self.awaited -= self.books.usable
        why = f"no snapshot of {min(self.awaited)} for {SNAPSHOT_LIMIT:g} s"
        if self.awaited >= self.asked or self.sid is None:
            return Broken(BOOKS, why), self._resubscribe()
        self.awaited -= self._retried
        self._retried |= self.awaited
        again = update_books(self.sid, "get_snapshot", self.awaited)
        return (Broken(BOOKS, why), again) if again else NO_CHANGE

    def _resubscribe(self) -> tuple[Command, ...]:
        over = () if self.sid is None else (unsubscribe(self.sid, BOOKS),)
        self.lost()
        return (*over, *self.missing_commands())

    def _snapshot(self, frame: BookSnapshotSeen) -> Reaction:
        self._snapshots += 1
        self.proof.has_news = True
        ticker, outcome = frame.ticker, self.books.snapshot(frame)
        self._not_shown.discard(ticker)
        if ticker in self._given_up:
            self._given_up.discard(ticker)
            self.proof.begin([ticker])
        self.awaited.discard(ticker)
        self._retried.discard(ticker)
        self.refused_books.forget([ticker])
        commands = self._recheck_empty(ticker) if self._is_first_empty(frame) else ()
        match outcome:
            case ImpossibleLevel():
                return self._impossible(outcome)
            case SequenceGap():
                broken, repair = self._gap(outcome)
                return broken, (*commands, *repair)
            case _:
                return self._changed[ticker] if not commands else (BookChanged(ticker), commands)

    def _is_first_empty(self, frame: BookSnapshotSeen) -> bool:
        """Whether this is the first empty snapshot in a row."""
        if frame.yes or frame.no:
            self._empty.discard(frame.ticker)
            return False
        return frame.ticker not in self._empty

    def _recheck_empty(self, ticker: Ticker) -> tuple[Command, ...]:
        self._empty.add(ticker)
        self.books.usable.discard(ticker)
        return self._request_snapshots([ticker])

    def _impossible(self, found: ImpossibleLevel) -> Reaction:
        why = f"impossible level of {found.ticker}: {found.quantity} at {found.price}"
        return Broken(BOOKS, why), self._request_snapshots([found.ticker])

    def _gap(self, gap: SequenceGap) -> Reaction:
        """No book of the subscription is usable now; snapshots of those not awaited already are requested."""
        why = f"message {gap.got} came instead of {gap.expected}"
        return Broken(BOOKS, why), self._request_snapshots(self.asked - self.books.usable)

    def _request_snapshots(self, tickers: Iterable[Ticker]) -> tuple[Command, ...]:
        fresh = set(tickers) - self.awaited
        self.awaited |= fresh
        return () if self.sid is None else update_books(self.sid, "get_snapshot", fresh)

    def _await(self, among: Iterable[Ticker]) -> None:
        tickers = set(among)
        for ticker in tickers:
            self._changed[ticker] = (BookChanged(ticker), ())
        self.proof.begin(tickers - self.asked)
        self.asked |= tickers
        self.awaited |= tickers

    def _forget(self, gone: set[Ticker]) -> None:
        self.proof.forget(gone)
        for ticker in gone:
            self._spoils.pop(ticker, None)
            self._given_up.discard(ticker)
            self._unasked.pop(ticker, None)
            self._not_shown.discard(ticker)
            self.books.drop(ticker)
            self._changed.pop(ticker, None)
        self.asked -= gone
        self.awaited -= gone
        self._empty -= gone
