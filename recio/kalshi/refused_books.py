"""Which books the venue refused to send, so that one market's refusal is found and costs no other its book; it sends nothing.

A command about many markets is refused as a whole: it is made again in smaller pieces, down to single markets, and a market
that is refused by itself is left alone for a while.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from recio.kalshi.commands import TICKERS_PER_COMMAND, chunks
from recio.units import Ticker

SMALLER_BY = 8
MOST_REFUSALS = 2
"""Refusals, the last of them of nothing but this one market, after which it is left alone."""
LEFT_ALONE = 60
"""Ticks, of about a second, until it is asked for again."""


@dataclass(slots=True)
class RefusedBooks:
    """Of one subscription."""

    counts: Counter[Ticker] = field(default_factory=Counter[Ticker])
    _left_alone: dict[Ticker, int] = field(default_factory=dict[Ticker, int])
    """For how many more ticks."""

    def refused(self, tickers: Iterable[Ticker]) -> Ticker | None:
        """A command about these was refused for good. Returns the one market that is left alone from now on, if there is one."""
        several = tuple(tickers)
        self.counts.update(several)
        if len(several) != 1 or self.counts[several[0]] < MOST_REFUSALS:
            return None
        self._left_alone[several[0]] = LEFT_ALONE
        return several[0]

    def pieces(self, tickers: Iterable[Ticker]) -> Iterator[list[Ticker]]:
        """In commands of what size these are asked for; without those that are left alone."""
        by_count: dict[int, list[Ticker]] = {}
        for ticker in tickers:
            if ticker not in self._left_alone:
                by_count.setdefault(self.counts.get(ticker, 0), []).append(ticker)
        for count, several in sorted(by_count.items()):
            yield from chunks(several, max(1, TICKERS_PER_COMMAND // SMALLER_BY**count))

    def tick(self) -> None:
        self._left_alone = {ticker: left - 1 for ticker, left in self._left_alone.items() if left > 1}

    def forget(self, tickers: Iterable[Ticker]) -> None:
        """They were accepted, or nobody wants them any more."""
        for ticker in tickers:
            self.counts.pop(ticker, None)
            self._left_alone.pop(ticker, None)
