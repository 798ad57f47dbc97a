"""One trade of the past with its exact figures, whether it was real, on paper, or the old system's; it sums nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from recio.units import Money, Price, Quantity, Side, Ticker


class Kind(StrEnum):
    """Where a trade comes from. Kinds are never summed together."""

    REAL = "real"
    SHADOW = "shadow"
    IMPORTED = "imported"


@dataclass(frozen=True, slots=True, kw_only=True)
class PastTrade:
    kind: Kind
    number: str
    strategy: str
    ticker: Ticker
    side: Side
    quantity: Quantity
    entry_cost: Money | None
    exit_proceeds: Money | None
    payout: Money | None
    fees: Money | None
    opened_at: datetime | None
    closes_at: datetime | None
    """Of its market; None where an old row does not say."""
    closed_at: datetime | None
    """None while it is held, or where an old row does not say."""
    ended_by: str
    """exit or settlement; empty while it is held; unknown where old data does not say that it ended."""
    exit_reason: str
    probability: Decimal | None
    """What the model gave the side that was bought."""
    why: str
    result: Side | None = None
    """How its market ended; None where no settlement of it was listed, as may be of what was sold before the end."""

    @property
    def gross(self) -> Money | None:
        """Without fees. None while it is held, and where old data cannot say."""
        if not self.ended_by or self.entry_cost is None or self.exit_proceeds is None or self.payout is None:
            return None
        return Money(self.exit_proceeds + self.payout - self.entry_cost)

    @property
    def net(self) -> Money | None:
        return None if self.gross is None or self.fees is None else Money(self.gross - self.fees)

    @property
    def entry_price(self) -> Price | None:
        """Per contract, as far as whole units of a price go."""
        return None if self.entry_cost is None else Price(round(Decimal(self.entry_cost) / self.quantity))

    def close(self) -> str:
        """Trades of one close share their luck, whatever their coin. An old row's ticker names it."""
        return str(self.closes_at) if self.closes_at else "-".join(self.ticker.split("-")[1:2]) or self.number


def coin_of(ticker: Ticker, series: Mapping[str, str]) -> str:
    """By the config's series; where it names none, the series itself."""
    first = ticker.split("-", 1)[0]
    return series.get(first, first)
