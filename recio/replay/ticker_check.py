"""Compares the venue's own top of book with the rebuilt one; a book that cannot be trusted is never compared."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from recio.kalshi.frame_kinds import TickerSeen
from recio.units import Price

TOLERANCE_MS = 150
REMEMBERED_MS = 60_000
"""Exchange milliseconds of past tops kept: tickers have been seen to come 22 s after their deltas."""
MOST_REMEMBERED = 20_000
LATE_MS = 10_000
"""A delta that comes later than this after a ticker is not waited for."""

Top = tuple[Price | None, Price | None]
"""Best bid and best ask in YES terms."""


@dataclass(slots=True)
class TopCheck:
    """The tops of one book with the time from which each held, and the tickers that wait for a match."""

    tops: deque[tuple[int, Top]] = field(
        default_factory=lambda: deque[tuple[int, Top]](maxlen=MOST_REMEMBERED)
    )
    waiting: deque[TickerSeen] = field(default_factory=deque[TickerSeen])
    agreements: int = 0
    disagreements: int = 0
    unchecked: int = 0
    latest_is_estimate: bool = False

    def undated_book_is(self, top: Top, received_ms: int) -> None:
        """Note the top after a message without a time, as a snapshot is: only its receipt is known so far."""
        before = len(self.tops)
        self.book_is(top, received_ms)
        self.latest_is_estimate = len(self.tops) != before

    def book_is(self, top: Top, at_ms: int) -> None:
        """Note the top after a change of the book, and judge the tickers whose time is past."""
        if self.tops:
            self._correct_estimate(at_ms)
            at_ms = max(at_ms, self.tops[-1][0])
        if self.waiting:
            self._judge_before(at_ms - TOLERANCE_MS)
        if self.tops and self.tops[-1][1] == top:
            return
        self.tops.append((at_ms, top))
        # The newest top that is older than the remembered time still held when that time began.
        while len(self.tops) > 1 and self.tops[1][0] < at_ms - REMEMBERED_MS:
            self.tops.popleft()

    def _correct_estimate(self, at_ms: int) -> None:
        """A change made at `at_ms` came after the message without a time: so that was made no later."""
        since, top = self.tops[-1]
        if self.latest_is_estimate and at_ms < since:
            self.tops[-1] = (at_ms if len(self.tops) == 1 else max(at_ms, self.tops[-2][0]), top)
        self.latest_is_estimate = False

    def ticker_says(self, seen: TickerSeen) -> None:
        """Keep a ticker until the book has moved past the time in which it may agree."""
        self._judge_before(seen.at_ms - TOLERANCE_MS - LATE_MS)
        self.waiting.append(seen)

    def _judge_before(self, ms: int) -> None:
        while self.waiting and self.waiting[0].at_ms < ms:
            self._judge(self.waiting.popleft())

    def _judge(self, seen: TickerSeen) -> None:
        if not self.tops or self.tops[0][0] > seen.at_ms + TOLERANCE_MS:
            # It speaks of a time before the book was known.
            self.unchecked += 1
        elif self._agrees(seen):
            self.agreements += 1
        else:
            self.disagreements += 1

    def _agrees(self, seen: TickerSeen) -> bool:
        """Whether the ticker's top held at some instant within the tolerance, both ends included."""
        top = (seen.yes_bid, seen.yes_ask)
        until: int | None = None
        for since, held in reversed(self.tops):
            if until is not None and until < seen.at_ms - TOLERANCE_MS:
                return False
            if held == top and since <= seen.at_ms + TOLERANCE_MS:
                return True
            until = since
        return False

    def book_lost(self) -> None:
        """The book cannot be trusted any more: what a waiting ticker might still have met is not known."""
        for seen in self.waiting:
            if self._agrees(seen):
                self.agreements += 1
            else:
                self.unchecked += 1
        self.waiting.clear()
        self.tops.clear()

    def recording_ended(self) -> None:
        for seen in self.waiting:
            self._judge(seen)
        self.waiting.clear()
