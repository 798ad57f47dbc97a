"""How far live and paper parted on a day, and whether that is more than chance over the last weeks; it compares no orders itself.

Both have the same markets and the same luck, so what is left is what fills, prices and fees make; where they held unlike amounts,
luck comes in by the difference alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from recio.report.intervals import FEWEST_CLOSES, Interval, Mean
from recio.units import Money, Quantity

SPAN = timedelta(days=28)
"""Days that a span looks back over, its own included."""
CONFIDENCE = 1 - 0.05 / SPAN.days
"""It is asked every night: over a span in which nothing is wrong it says so in one case of twenty at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParityDay:
    """A strategy's trades of one day of UTC beside paper's of the same instants. Differences are live less paper."""

    day: date
    strategy: str
    trades: int
    orders: int
    unrecorded: int
    """Orders of which no book was recorded when they arrived."""
    decisions: int
    """That were found in the recording and made again."""
    decided_otherwise: int
    """Of these: they come out otherwise, which no chance explains."""
    live_contracts: Quantity
    """That entries got, of orders that could be compared."""
    paper_contracts: Quantity
    price_difference: Money
    """What live paid more, or was paid less, for what both got: above 0 paper flatters."""
    fee_difference: Money
    """What live paid more for what both got."""
    compared: int
    """Trades whose profit is known of both."""
    live_pnl: Money
    """Of the compared ones, after fees."""
    paper_pnl: Money
    closes: int
    """Of the compared ones."""
    squares: int
    """Sum over closes of the squared difference, in micro-dollars squared."""
    luck: int
    """Variance by what only one of both held, in micro-dollars squared."""

    @property
    def difference(self) -> Money:
        return Money(self.live_pnl - self.paper_pnl)


@dataclass(frozen=True, slots=True, kw_only=True)
class ParitySpan:
    """Live less paper over the last weeks."""

    days: int
    closes: int
    difference: Money
    """The sum."""
    interval: Interval | None
    """Of the sum, in dollars; None for too few closes."""

    @property
    def parted(self) -> bool:
        """Beyond chance, whoever is ahead: a paper that is too harsh is as wrong as one that flatters."""
        return self.interval is not None and self.interval.excludes_zero


def over_span(days: Sequence[ParityDay]) -> ParitySpan:
    """Of all these days of one strategy together."""
    closes, total = sum(each.closes for each in days), Money(sum(each.difference for each in days))
    return ParitySpan(
        days=len(days),
        closes=closes,
        difference=total,
        interval=_interval(days, closes, total) if closes >= FEWEST_CLOSES else None,
    )


def _interval(days: Sequence[ParityDay], closes: int, total: Money) -> Interval:
    mean = total / closes
    spread = sum(each.squares for each in days) - closes * mean**2
    observed = math.sqrt(max(0.0, spread) * closes / (closes - 1))
    luck = math.sqrt(sum(each.luck for each in days))
    return Mean(total / 1e6, max(observed, luck) / 1e6, closes - 1).interval(CONFIDENCE)
