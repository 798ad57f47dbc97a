"""Trading fees of a series with their rounding accumulator; integers only, no state of its own."""

from __future__ import annotations

from dataclasses import dataclass

from recio.exchange_sim.engine.units import ONE_DOLLAR

ALIGNMENT = 100
"""A direct member's money is kept on multiples of $0.0001: this many units of $0.000001."""
CENT_ALIGNMENT = 10_000
"""Everybody else's is kept on cents."""
WHOLE = 1_000_000
"""A multiplier of 1."""
_TAKER_RATE = 700
_MAKER_RATES = {"quadratic_with_maker_fees": 175, "quadratic_with_combo_maker_fees": 350}
"""0.07, 0.0175 and 0.035 in units of 0.0001. Makers of any other type pay nothing."""
_SCALE = 10**14


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeTerms:
    """What a market charges. The multiplier is an integer of 0.000001."""

    fee_type: str = "quadratic"
    multiplier: int = WHOLE


QUADRATIC = FeeTerms()


@dataclass(frozen=True, slots=True, kw_only=True)
class FillFee:
    """What one fill costs and what is left in its order's rounding accumulator."""

    cost: int
    accumulator: int


def model_fee(price: int, quantity: int, terms: FeeTerms = QUADRATIC, *, taker: bool = True) -> int:
    """Rate x multiplier x contracts x P x (1 - P), rounded up to $0.000001."""
    rate = _TAKER_RATE if taker else _MAKER_RATES.get(terms.fee_type, 0)
    scaled = rate * terms.multiplier * quantity * price * (ONE_DOLLAR - price)
    return -(-scaled // _SCALE)


def fill_fee(*, revenue: int, trade_fee: int, accumulator: int, alignment: int = ALIGNMENT) -> FillFee:
    """The net fee of a fill whose signed cash is `revenue`: aligned down, the remainders rebated when whole."""
    after = revenue - trade_fee
    rounding = after % alignment
    gathered = accumulator + rounding
    gross = trade_fee + rounding
    rebate = min(gathered, gross) // alignment * alignment
    return FillFee(cost=gross - rebate, accumulator=gathered - rebate)
