"""What a group of trades came to: counts, money, drawdown, and the mean of a trade with its interval; sums are exact.

The interval is of means of whole closes: trades that one close decided share their luck, and ten of them know no more than one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction

from recio.report.intervals import FEWEST_CLOSES, Interval, Mean
from recio.report.past_trades import PastTrade
from recio.units import ONE_DOLLAR, PAYOUT_PER_UNIT, Money

GROWING_CLOSES = 512
"""Trades of one close end within hours of each other: it has not this many after it before its last one comes."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one trade that is over came to."""

    close: str
    gross: int
    net: int
    variance: float = 0.0
    """Of its result, in micro-dollars squared, if the price that was paid were the true probability."""


@dataclass(slots=True)
class Figures:
    """Grown by one trade at a time, in the order in which they ended."""

    trades: int = 0
    wins: int = 0
    losses: int = 0
    gross: int = 0
    fees: int = 0
    unknown: int = 0
    """Trades that ended and whose result old data cannot say. In no other figure."""
    drawdown: int = 0
    """The deepest fall of the running net below its highest point before."""
    closes: int = 0
    _highest: int = 0
    _variance: float = 0.0
    _recent: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    """Net and count of the closes that may still grow."""
    _squares: tuple[int, int, int] = (0, 0, 0)
    """Over all closes: the sum of net x net, of net x count, and of count x count."""

    @property
    def net(self) -> Money:
        return Money(self.gross - self.fees)

    def add(self, outcome: Outcome | None) -> None:
        """None: nobody knows what the trade came to."""
        if outcome is None:
            self.unknown += 1
            return
        self.trades += 1
        self.wins += outcome.net > 0
        self.losses += outcome.net < 0
        self.gross += outcome.gross
        self.fees += outcome.gross - outcome.net
        self._highest = max(self._highest, self.net)
        self.drawdown = max(self.drawdown, self._highest - self.net)
        self._variance += outcome.variance
        self._add_to_close(outcome)

    def _add_to_close(self, outcome: Outcome) -> None:
        before = self._recent.get(outcome.close)
        if before is None:
            before = (0, 0)
            self.closes += 1
            if len(self._recent) >= GROWING_CLOSES:
                del self._recent[next(iter(self._recent))]
        net, count = before
        self._recent[outcome.close] = (net + outcome.net, count + 1)
        nets, mixed, counts = self._squares
        self._squares = (
            nets + (net + outcome.net) ** 2 - net**2,
            mixed + (net + outcome.net) * (count + 1) - net * count,
            counts + (count + 1) ** 2 - count**2,
        )

    def mean(self) -> float | None:
        """Dollars a trade; None without any."""
        return self.net / self.trades / 1e6 if self.trades else None

    def interval(self) -> Interval | None:
        """95 %, in dollars a trade; None for too few closes.

        By the spread of whole closes around the mean, and no less than chance at the prices paid: what loses rarely may not
        have lost yet.
        """
        if self.closes < FEWEST_CLOSES:
            return None
        mean = Fraction(self.net, self.trades)
        nets, mixed, counts = self._squares
        spread = nets - 2 * mean * mixed + mean**2 * counts
        observed = math.sqrt(spread * self.closes / (self.closes - 1))
        error = max(observed, math.sqrt(self._variance)) / self.trades
        return Mean(float(mean) / 1e6, error / 1e6, self.closes - 1).interval()


def outcome_of(trade: PastTrade) -> Outcome | None:
    """None where old data cannot say."""
    gross, net = trade.gross, trade.net
    return None if gross is None or net is None else Outcome(trade.close(), gross, net, _variance(trade))


def _variance(trade: PastTrade) -> float:
    price = trade.entry_price
    if price is None or not 0 < price < ONE_DOLLAR:
        return 0.0
    share = price / ONE_DOLLAR
    return share * (1 - share) * (trade.quantity * PAYOUT_PER_UNIT) ** 2
