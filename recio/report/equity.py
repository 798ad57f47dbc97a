"""The running net of trades over time and how far it lies below its highest point; it keeps a bounded number of points and loses no drawdown."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from recio.units import Money

MOST = 400
"""Points at most; beyond that every two become one."""


@dataclass(frozen=True, slots=True)
class EquityPoint:
    at: datetime
    """The end of the last trade of this point."""
    net: Money
    """After it, since the first trade."""
    drawdown: Money
    """The deepest below the highest point before it, within the trades of this point; 0 where there was none."""


@dataclass(slots=True)
class Equity:
    """Grown by one trade at a time, in the order in which they ended."""

    points: list[EquityPoint] = field(default_factory=list[EquityPoint])
    undated: int = 0
    """Trades of old data that do not say when they ended: in no point."""
    _net: int = 0
    _highest: int = 0
    _each: int = 1
    """Trades of one point."""
    _in_last: int = 0

    def add(self, at: datetime | None, net: Money) -> None:
        if at is None:
            self.undated += 1
            return
        self._net += net
        self._highest = max(self._highest, self._net)
        point = EquityPoint(at, Money(self._net), Money(self._highest - self._net))
        if self.points and self._in_last < self._each:
            self.points[-1] = _joined(self.points[-1], point)
            self._in_last += 1
            return
        if len(self.points) == MOST:
            self.points = [
                _joined(one, two) for one, two in zip(self.points[::2], self.points[1::2], strict=True)
            ]
            self._each *= 2
        self.points.append(point)
        self._in_last = 1


def _joined(one: EquityPoint, two: EquityPoint) -> EquityPoint:
    return EquityPoint(two.at, two.net, max(one.drawdown, two.drawdown))
