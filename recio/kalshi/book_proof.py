"""Which books of one subscription have been held against the venue's REST books; one that has not is never called proven.

How the venue writes NO prices is one thing for a whole subscription and each market has a book of its own, so that a book
with an empty NO side counts as read rightly once another's NO side was.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from recio.messages.markets import RestBook
from recio.rules.market.book_comparison import Likeness, likeness
from recio.rules.market.order_book import OrderBook, SequencedBooks
from recio.units import Side, Ticker

NOT_YET = "its book has not been compared with the venue's REST book yet"
NOTHING_YET = "its book has nothing yet that could be compared with the venue's REST book"
DIFFERS = "its book differs from the venue's REST book"
TOLD_AFTER = 5
"""Comparisons in a row that differ before it is told: a busy book moves between two looks."""


@dataclass(slots=True)
class BookProof:
    """The books of one subscription that are not proven, and why."""

    unproven: dict[Ticker, str] = field(default_factory=dict[Ticker, str])
    wrong: set[Ticker] = field(default_factory=set[Ticker])
    """Those that were found to be read wrongly, or that cannot be read: nothing in them can be believed."""
    has_news: bool = False
    """Whether there may be more to compare than when `wanted` was asked last."""
    _is_no_side_read: bool = False
    _differing: Counter[Ticker] = field(default_factory=Counter[Ticker])

    def begin(self, tickers: Iterable[Ticker]) -> None:
        """These are subscribed from now on."""
        begun = dict.fromkeys(tickers, NOT_YET)
        self.wrong -= begun.keys()
        self.unproven |= begun

    def begin_anew(self, tickers: Iterable[Ticker]) -> None:
        """All of them on another subscription than before."""
        self.wrong.clear()
        self._differing.clear()
        self._is_no_side_read, self.unproven = False, dict.fromkeys(tickers, NOT_YET)

    def forget(self, tickers: Iterable[Ticker]) -> None:
        for ticker in tickers:
            self.unproven.pop(ticker, None)
            self.wrong.discard(ticker)
            self._differing.pop(ticker, None)

    def wanted(self, books: SequencedBooks) -> frozenset[Ticker]:
        """Those whose REST book would tell something now."""
        self.has_news = False
        return frozenset(
            ticker
            for ticker, why in self.unproven.items()
            if ticker in books.usable and (why is not NOTHING_YET or _has_levels(books.books[ticker]))
        )

    def set_aside(self, ticker: Ticker, why: str) -> None:
        """It cannot be read on this subscription."""
        self.wrong.add(ticker)
        self.unproven[ticker] = why

    def compare(self, ticker: Ticker, book: OrderBook, rest: RestBook) -> str:
        """Hold a whole book against the REST book of the same moment. Returns what is to be told now; mostly nothing."""
        if ticker not in self.unproven:
            return ""
        found = {
            Side.YES: likeness(book.yes.levels, rest.yes),
            Side.NO: likeness(book.no.levels, rest.no),
        }
        turned = [side for side, how in found.items() if how is Likeness.MIRRORED]
        if turned:
            self.wrong.add(ticker)
            return self._note(ticker, f"its {turned[0].upper()} side is the mirror of the venue's REST book")
        if Likeness.DIFFERS in found.values():
            return self._differs(ticker)
        self._is_no_side_read |= found[Side.NO] is Likeness.AGREES
        self._agrees(ticker)
        return ""

    def _agrees(self, ticker: Ticker) -> None:
        self.forget([ticker])
        if not self._is_no_side_read:
            self.unproven[ticker] = NOTHING_YET
            return
        self.forget([each for each, why in self.unproven.items() if why is NOTHING_YET])

    def _differs(self, ticker: Ticker) -> str:
        self._differing[ticker] += 1
        if ticker in self.wrong:
            return ""
        is_told = self._differing[ticker] == TOLD_AFTER
        self.unproven[ticker] = DIFFERS
        return DIFFERS if is_told else ""

    def _note(self, ticker: Ticker, why: str) -> str:
        before, self.unproven[ticker] = self.unproven[ticker], why
        return "" if before == why else why


def _has_levels(book: OrderBook) -> bool:
    return bool(book.yes.levels or book.no.levels)
