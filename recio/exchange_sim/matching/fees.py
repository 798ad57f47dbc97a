"""Trading fees of a `quadratic` series with their rounding accumulator; integers only, no state of its own."""

from __future__ import annotations

from dataclasses import dataclass

from recio.units import ONE_DOLLAR, Money

TAKER_RATE_PERCENT = 7
ALIGNMENT = 100
"""Money is kept on multiples of $0.0001: this many units of $0.000001."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FillFee:
    """What one fill costs and what is left in its order's rounding accumulator."""

    cost: Money
    accumulator: int


def model_fee(price: int, quantity: int) -> int:
    """0.07 x contracts x P x (1 - P), rounded up to $0.000001. Takers pay it, makers pay none."""
    scaled = TAKER_RATE_PERCENT * quantity * price * (ONE_DOLLAR - price)
    return -(-scaled // 1_000_000)


def fill_fee(*, revenue: int, trade_fee: int, accumulator: int) -> FillFee:
    """The net fee of a fill whose signed cash is `revenue`: aligned down, the remainders rebated when whole."""
    after = revenue - trade_fee
    rounding = after % ALIGNMENT
    gathered = accumulator + rounding
    gross = trade_fee + rounding
    rebate = min(gathered, gross) // ALIGNMENT * ALIGNMENT
    return FillFee(cost=Money(gross - rebate), accumulator=gathered - rebate)
