"""Rebuilds the books of a recording and counts everything about them that is not as it should be.

A gap or an impossible level is counted and leaves its book unusable until the next snapshot; nothing
here repairs a book.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from recio.kalshi.frame_kinds import TickerSeen
from recio.kalshi.frames import Acknowledged, Frame, Passed, Subscribed, VenueError
from recio.replay.findings import GapFound, IntegrityFigures
from recio.replay.session_files import NS_PER_MS, utc
from recio.replay.ticker_check import TopCheck
from recio.rules.market.order_book import (
    Applied,
    BookDeltaSeen,
    BookOutcome,
    BookSnapshotSeen,
    ImpossibleLevel,
    NotListening,
    OrderBook,
    SequencedBooks,
    SequenceGap,
    is_impossible,
)
from recio.units import ONE_DOLLAR, Ticker, complement

BOOK_CHANNEL = "orderbook_delta"


@dataclass(slots=True)
class BookRoom:
    """The books as the socket told them, and the tally of what was wrong with that."""

    books: SequencedBooks = field(default_factory=SequencedBooks)
    checks: dict[Ticker, TopCheck] = field(default_factory=dict[Ticker, TopCheck])
    book_sids: set[int] = field(default_factory=set[int])
    crossed: set[Ticker] = field(default_factory=set[Ticker])
    gaps: list[GapFound] = field(default_factory=list[GapFound])
    losses: int = 0
    """How often books became unusable."""
    messages: int = 0
    book_snapshots: int = 0
    deltas: int = 0
    deltas_without_book: int = 0
    subscriptions: int = 0
    negative_levels: int = 0
    impossible_prices: int = 0
    crossed_instants: int = 0
    ticker_unchecked: int = 0

    def usable(self, ticker: Ticker) -> OrderBook | None:
        return self.books.books[ticker] if ticker in self.books.usable else None

    def take(self, frame: Frame, now_ns: int) -> None:
        """Apply one frame, whatever it is."""
        self.messages += 1
        match frame:
            case BookDeltaSeen():
                self.deltas += 1
                outcome = self.books.delta(frame)
                self._judge(outcome, frame.ticker, now_ns, frame.at_ms)
            case TickerSeen():
                self._compare(frame)
            case BookSnapshotSeen():
                self._snapshot(frame, now_ns)
            case Subscribed(channel=channel, sid=sid):
                self._subscribed(channel, sid)
            case Acknowledged(sid=sid, seq=seq) | Passed(sid=sid, seq=seq) | VenueError(sid=sid, seq=seq):
                if sid is not None and sid in self.book_sids and seq is not None:
                    self._gap(self.books.count(sid, seq), None, now_ns)
            case _:
                pass

    def _snapshot(self, seen: BookSnapshotSeen, now_ns: int) -> None:
        self.book_snapshots += 1
        self.book_sids.add(seen.sid)
        outcome = self.books.snapshot(seen)
        self._judge(outcome, seen.ticker, now_ns, None)
        if isinstance(outcome, SequenceGap):
            self._check_of(seen.ticker).book_lost()
            if seen.ticker in self.books.usable:
                self._changed(seen.ticker, now_ns, None)
            else:
                # Two faults in one message: the books tell of the gap, and both count.
                bad = next(each for each in (*seen.yes, *seen.no) if is_impossible(*each))
                self._judge(ImpossibleLevel(seen.ticker, *bad), seen.ticker, now_ns, None)

    def _judge(self, outcome: BookOutcome, ticker: Ticker, now_ns: int, at_ms: int | None) -> None:
        match outcome:
            case Applied():
                self._changed(ticker, now_ns, at_ms)
            case NotListening():
                self.deltas_without_book += 1
            case SequenceGap():
                self._gap(outcome, ticker, now_ns)
            case ImpossibleLevel(price=price):
                if 0 < price < ONE_DOLLAR:
                    self.negative_levels += 1
                else:
                    self.impossible_prices += 1
                self._lost()

    def _gap(self, gap: SequenceGap | None, ticker: Ticker | None, now_ns: int) -> None:
        if gap is None:
            return
        at = utc(now_ns)
        self.gaps.append(GapFound(ticker=ticker, sid=gap.sid, expected=gap.expected, got=gap.got, at=at))
        self._lost()

    def _subscribed(self, channel: str, sid: int) -> None:
        if channel == BOOK_CHANNEL:
            self.subscriptions += 1
            self.book_sids.add(sid)
            self.books.restart(sid)
            self._lost()

    def _changed(self, ticker: Ticker, now_ns: int, at_ms: int | None) -> None:
        book = self.books.books[ticker]
        yes, no = book.yes.best, book.no.best
        if yes is not None and no is not None and yes + no >= ONE_DOLLAR:
            if ticker not in self.crossed:
                self.crossed.add(ticker)
                self.crossed_instants += 1
        elif self.crossed:
            self.crossed.discard(ticker)
        check, top = self._check_of(ticker), (yes, None if no is None else complement(no))
        if at_ms is None:
            check.undated_book_is(top, now_ns // NS_PER_MS)
        else:
            check.book_is(top, at_ms)

    def _check_of(self, ticker: Ticker) -> TopCheck:
        check = self.checks.get(ticker)
        if check is None:
            check = self.checks[ticker] = TopCheck()
        return check

    def _lost(self) -> None:
        """Forget the tops of every book that is no longer usable."""
        self.losses += 1
        for ticker, check in self.checks.items():
            if ticker not in self.books.usable:
                check.book_lost()
                self.crossed.discard(ticker)

    def _compare(self, seen: TickerSeen) -> None:
        if seen.ticker in self.books.usable:
            self.checks[seen.ticker].ticker_says(seen)
        else:
            self.ticker_unchecked += 1

    def figures(self) -> IntegrityFigures:
        """The tally once the recording has ended."""
        for check in self.checks.values():
            check.recording_ended()
        agreements = sum(check.agreements for check in self.checks.values())
        disagreements = sum(check.disagreements for check in self.checks.values())
        return IntegrityFigures(
            messages=self.messages,
            book_snapshots=self.book_snapshots,
            deltas=self.deltas,
            deltas_without_book=self.deltas_without_book,
            resubscriptions=max(0, self.subscriptions - 1),
            negative_levels=self.negative_levels,
            impossible_prices=self.impossible_prices,
            crossed_instants=self.crossed_instants,
            ticker_checks=agreements + disagreements,
            ticker_agreements=agreements,
            ticker_unchecked=self.ticker_unchecked + sum(each.unchecked for each in self.checks.values()),
            gaps=tuple(self.gaps),
        )
