"""What a group of trades came to: counts, money, drawdown, and the mean of a trade with its interval; sums are exact.

The interval is of means of whole closes: trades that one close decided share their luck, and ten of them know no more than one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction

from recio.report.intervals import FEWEST_CLOSES, Interval, Mean
from recio.report.past_trades import PastTrade
from recio.units import ONE_DOLLAR, PAYOUT_PER_UNIT, Money, Side

GROWING_CLOSES = 512
"""Trades of one close end within hours of each other: it has not this many after it before its last one comes."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one trade that is over came to."""

    close: str
    gross: int
    net: int
    side: Side
    deviation: float = 0.0
    """Standard deviation of its result, in micro-dollars, if the price that was paid were the true probability."""


@dataclass(frozen=True, slots=True)
class _GrowingClose:
    """What the trades of one close have come to so far."""

    net: int = 0
    count: int = 0
    yes: float = 0.0
    no: float = 0.0
    """Deviation of all trades on that side: they win and lose at once."""

    @property
    def variance(self) -> float:
        return self.yes**2 + self.no**2

    def having(self, outcome: Outcome) -> _GrowingClose:
        is_yes = outcome.side is Side.YES
        return _GrowingClose(
            net=self.net + outcome.net,
            count=self.count + 1,
            yes=self.yes + (outcome.deviation if is_yes else 0.0),
            no=self.no + (0.0 if is_yes else outcome.deviation),
        )


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
    _recent: dict[str, _GrowingClose] = field(default_factory=dict[str, _GrowingClose])
    """The closes that may still grow."""
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
            before = _GrowingClose()
            self.closes += 1
            if len(self._recent) >= GROWING_CLOSES:
                del self._recent[next(iter(self._recent))]
        after = self._recent[outcome.close] = before.having(outcome)
        nets, mixed, counts = self._squares
        self._squares = (
            nets + after.net**2 - before.net**2,
            mixed + after.net * after.count - before.net * before.count,
            counts + after.count**2 - before.count**2,
        )
        self._variance += after.variance - before.variance

    def mean(self) -> float | None:
        """Dollars a trade; None without any."""
        return self.net / self.trades / 1e6 if self.trades else None

    def interval(self) -> Interval | None:
        """95 %, in dollars a trade; None for too few closes, or for closes so unequal that they weigh as fewer.

        By the spread of whole closes around the mean, and no less than chance at the prices paid: what loses rarely may not
        have lost yet.
        """
        if self.closes < FEWEST_CLOSES:
            return None
        worth = self.trades**2 / self._squares[2]
        if worth < FEWEST_CLOSES:
            return None
        mean = Fraction(self.net, self.trades)
        nets, mixed, counts = self._squares
        spread = nets - 2 * mean * mixed + mean**2 * counts
        observed = math.sqrt(spread * self.closes / (self.closes - 1))
        error = max(observed, math.sqrt(max(0.0, self._variance))) / self.trades
        return Mean(float(mean) / 1e6, error / 1e6, worth - 1).interval()


def outcome_of(trade: PastTrade) -> Outcome | None:
    """None where old data cannot say."""
    gross, net = trade.gross, trade.net
    if gross is None or net is None:
        return None
    return Outcome(trade.close(), gross, net, trade.side, _deviation(trade))


def _deviation(trade: PastTrade) -> float:
    price = trade.entry_price
    if price is None or not 0 < price < ONE_DOLLAR:
        return 0.0
    share = price / ONE_DOLLAR
    return math.sqrt(share * (1 - share)) * trade.quantity * PAYOUT_PER_UNIT
