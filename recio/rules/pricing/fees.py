"""What the venue charges for a fill, to the micro-dollar, and never less than that."""

from __future__ import annotations

from decimal import Decimal

from recio.units import ONE_DOLLAR, Money, Price, Quantity

TAKER_RATE = Decimal("0.07")
GRAIN = 100
"""Balances move in whole $0.0001: a fee can never be rounded finer than that."""


def taker_fee(price: Price, quantity: Quantity, multiplier: Decimal) -> Money:
    """Upper bound of the taker fee of one fill: model fee rounded up to $0.0001.

    The venue may rebate part of the rounding over several fills of one order, so the real fee is
    never higher than this for one fill. `price` may be either side's: the fee is symmetric.
    """
    rate = TAKER_RATE * multiplier
    exact = rate * quantity * price * (ONE_DOLLAR - price) / ONE_DOLLAR
    whole = int(exact)
    micros = whole if whole == exact else whole + 1
    return Money(-(-micros // GRAIN) * GRAIN)


def max_fee(lowest: Price, highest: Price, quantity: Quantity, multiplier: Decimal) -> Money:
    """The most that a fill anywhere between two prices can cost: fees peak at one half."""
    half = Price(ONE_DOLLAR // 2)
    worst = Price(min(max(half, lowest), highest))
    return taker_fee(worst, quantity, multiplier)
