"""What the venue charges for a fill, to the micro-dollar, and never less than that."""

from __future__ import annotations

from decimal import Decimal

from recio.units import ONE_DOLLAR, Money, Price, Quantity

TAKER_RATE = Decimal("0.07")
GRAIN = 100
"""Balances move in whole $0.0001: a fee can never be rounded finer than that."""


def taker_fee(price: Price, quantity: Quantity, multiplier: Decimal) -> Money:
    """Upper bound of the taker fee of one fill: the model fee, and what brings the balance to a whole $0.0001.

    Whole contracts leave it on one but for the fee; parts of one do not, and the rest is taken with the fee, up or down by
    whether the fill buys or sells. The venue may rebate part of the rounding over several fills of one order, so the real fee
    is never higher than this for one fill. `price` may be either side's: the fee is symmetric.
    """
    rate = TAKER_RATE * multiplier
    exact = rate * quantity * price * (ONE_DOLLAR - price) / ONE_DOLLAR
    whole = int(exact)
    micros = whole if whole == exact else whole + 1
    beyond = price * quantity % GRAIN
    if not beyond:
        # Whole contracts, which every strike of every decision asks for.
        return Money(-(-micros // GRAIN) * GRAIN)
    return Money(max(_aligned(beyond + micros) - beyond, _aligned(micros - beyond) + beyond))


def _aligned(micros: int) -> int:
    """The whole grain at or above."""
    return -(-micros // GRAIN) * GRAIN


def max_fee(lowest: Price, highest: Price, quantity: Quantity, multiplier: Decimal) -> Money:
    """The most that an order filled anywhere between two prices can cost: fees peak at one half.

    However many fills it takes, their rounding comes to less than one grain more: whole ones are given back.
    """
    half = Price(ONE_DOLLAR // 2)
    worst = Price(min(max(half, lowest), highest))
    fee = taker_fee(worst, quantity, multiplier)
    return Money(fee + GRAIN) if fee else fee
