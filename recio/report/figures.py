"""What a group of trades came to: counts, money, drawdown, and the mean of a trade with its interval; sums are exact.

The interval is of means of whole closes: trades that one close decided share their luck, and ten of them know no more than one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction

from recio.report.past_trades import PastTrade
from recio.units import Money

FEWEST_CLOSES = 10
"""Of fewer closes no interval is given: it would look surer than it is."""
GROWING_CLOSES = 512
"""Trades of one close end within hours of each other: it has not this many after it before its last one comes."""
NORMAL_975 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Interval:
    """95 %, in dollars a trade."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one trade that is over came to."""

    close: str
    gross: int
    net: int


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
        """Of the mean, by the spread of whole closes around it; None for too few closes."""
        if self.closes < FEWEST_CLOSES:
            return None
        mean = Fraction(self.net, self.trades)
        nets, mixed, counts = self._squares
        spread = nets - 2 * mean * mixed + mean**2 * counts
        error = math.sqrt(spread * self.closes / (self.closes - 1)) / self.trades
        reach = student_975(self.closes - 1) * error
        return Interval((float(mean) - reach) / 1e6, (float(mean) + reach) / 1e6)


def outcome_of(trade: PastTrade) -> Outcome | None:
    """None where old data cannot say."""
    gross, net = trade.gross, trade.net
    return None if gross is None or net is None else Outcome(trade.close(), gross, net)


def student_975(freedom: int) -> float:
    """What 97.5 % of Student's t stay below, to three decimals from nine degrees of freedom on (Cornish-Fisher)."""
    z = NORMAL_975
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / freedom + second / freedom**2 + third / freedom**3
