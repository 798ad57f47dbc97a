"""When an order counts as not found, and where the venue's positions differ from ours; it mends nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from datetime import datetime, timedelta

from recio.messages.account import PositionDifference
from recio.messages.orders import TradeView
from recio.units import Money, Quantity, Side, Ticker, money_decimal

READS_THAT_PROVE = 2
SLACK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Absence:
    """How often in a row an unknown order was missing from a complete read that must have shown it."""

    reads: int = 0
    last_as_of: datetime | None = None

    def after(self, *, found: bool, as_of: datetime, sent_by: datetime) -> Absence:
        """`as_of` is the venue's own data time of the read, `sent_by` the last moment it can have arrived."""
        if found:
            return Absence()
        if as_of <= sent_by or (self.last_as_of is not None and as_of <= self.last_as_of):
            return self
        return Absence(self.reads + 1, as_of)

    @property
    def proven(self) -> bool:
        return self.reads >= READS_THAT_PROVE


CASH_COMPARISONS = 4
"""Equal comparisons in a row, with nothing in motion, after which the venue's lag explains no difference of cash."""


@dataclass(frozen=True, slots=True)
class CashMismatch:
    """Cash at the venue that no fill and no settlement explains, and how often in a row it was the same."""

    amount: Money = Money(0)  # noqa: RUF009 - an immutable integer
    comparisons: int = 0

    def after(self, unexplained: Money, *, quiet: bool) -> CashMismatch:
        """`quiet`: no order is without its end, and no trade waits for its settlement."""
        if not quiet:
            return CashMismatch()
        if unexplained == self.amount:
            return CashMismatch(unexplained, self.comparisons + 1)
        return CashMismatch(unexplained, 1)

    @property
    def is_steady(self) -> bool:
        return self.comparisons >= CASH_COMPARISONS


def cash_cause(amount: Money) -> str:
    """The cause of the halt; whoever clears it accepts this amount."""
    return f"cash at the venue differs by {money_decimal(amount):+f} dollars from the ledger: no fill or settlement explains it"


def absence_margin(request_timeout_seconds: float, speed: float, deadline_seconds: float = 0.0) -> timedelta:
    """Market time after an order's row was written beyond which its request cannot arrive any more.

    The request is given up after its time-out in host seconds; market time may run faster. It may have waited for its
    deadline, in market seconds, before it left.
    """
    return timedelta(seconds=(request_timeout_seconds + SLACK_SECONDS) * speed + deadline_seconds)


def signed_holdings(trades: Iterable[TradeView], now: datetime) -> Mapping[Ticker, Quantity]:
    """What our live trades hold in markets that have not closed: + YES, - NO."""
    held: dict[Ticker, Quantity] = {}
    for trade in trades:
        if trade.closes_at > now:
            sign = 1 if trade.side is Side.YES else -1
            held[trade.ticker] = Quantity(held.get(trade.ticker, 0) + sign * trade.held)
    return held


def compare(
    venue: Mapping[Ticker, Quantity], trades: Iterable[TradeView], unsettled: Set[Ticker], now: datetime
) -> tuple[PositionDifference, ...]:
    """Where positions disagree, apart from markets with an order in motion and markets past their close."""
    trades = tuple(trades)
    ours = signed_holdings(trades, now)
    closed = {trade.ticker for trade in trades if trade.closes_at <= now}
    return tuple(
        PositionDifference(
            ticker=ticker, venue=venue.get(ticker, Quantity(0)), ours=ours.get(ticker, Quantity(0))
        )
        for ticker in sorted(venue.keys() | ours.keys())
        if ticker not in unsettled and ticker not in closed and venue.get(ticker, 0) != ours.get(ticker, 0)
    )
