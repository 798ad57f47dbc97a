"""Which markets of the recorded boards have closed without a word of how they ended; it asks nobody and guesses nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from recio.messages.markets import MarketEnded
from recio.rules.decision.cycles import Cycle, EntryCycle
from recio.units import Ticker

PATIENCE = timedelta(minutes=2)
"""Market time after a close in which the venue's own message usually comes."""
GIVEN_UP = timedelta(days=1)
AT_ONCE = 5
"""Markets asked about in one round: a ladder of two hundred must not take the reads of others."""


@dataclass(slots=True)
class AwaitedEnds:
    closes: dict[Ticker, datetime] = field(default_factory=dict[Ticker, datetime])
    """Of every market that was on a board and whose end is not known."""
    known: dict[Ticker, datetime] = field(default_factory=dict[Ticker, datetime])
    """Markets whose end was told, and when."""
    missing: int = 0
    """Markets whose end nobody told within a day."""

    def note(self, cycles: Iterable[Cycle]) -> None:
        for cycle in cycles:
            if isinstance(cycle, EntryCycle) and cycle.look.board is not None:
                for view in cycle.look.board.views:
                    if view.market.ticker not in self.known:
                        self.closes[view.market.ticker] = view.market.close_time

    def heard(self, ends: Iterable[MarketEnded]) -> None:
        for each in ends:
            self.known[each.ticker] = each.heard_at
            self.closes.pop(each.ticker, None)

    def due(self, now: datetime) -> list[Ticker]:
        """Those to ask about now, the longest closed first."""
        for ticker in [each for each, closed in self.closes.items() if closed + GIVEN_UP < now]:
            del self.closes[ticker]
            self.missing += 1
        self.known = {ticker: at for ticker, at in self.known.items() if at + GIVEN_UP > now}
        closed = sorted((at, ticker) for ticker, at in self.closes.items() if at + PATIENCE < now)
        return [ticker for _, ticker in closed[:AT_ONCE]]
