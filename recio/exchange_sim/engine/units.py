"""Prices, quantities and money of the simulator as exact integers, read from texts and written as texts; never a float.

A price is an integer of $0.0001, a quantity an integer of 0.01 contract, money an integer of $0.000001, so that price
x quantity is money without rounding. The daemon has units of its own that were written apart from these: a mistake in
one of the two shows as a difference between them instead of being made on both sides of the wire.
"""

from __future__ import annotations

from functools import lru_cache

PRICE_DECIMALS = 4
QUANTITY_DECIMALS = 2
MONEY_DECIMALS = 6
ONE_DOLLAR = 10**PRICE_DECIMALS
PAYOUT_PER_UNIT = 10 ** (MONEY_DECIMALS - QUANTITY_DECIMALS)
"""Money that 0.01 contract of the winning side pays: $0.01."""
_MOST_DIGITS = 18
"""Before the point and behind it."""
_MOST_WHOLE_DIGITS = 11
"""That are no leading zeros; more is no amount that anybody trades."""


class UnitError(ValueError):
    """A text that is no exact number of the unit it should be in."""


def read_price(text: str) -> int:
    """'0.5200' -> 5200. Raises UnitError."""
    return _read(text, PRICE_DECIMALS)


def read_quantity(text: str) -> int:
    """'13.00' -> 1300, '-1' -> -100: the change of a level has a sign. Raises UnitError."""
    return _read(text, QUANTITY_DECIMALS)


def read_money(text: str) -> int:
    """'0.017500' -> 17500. Raises UnitError."""
    return _read(text, MONEY_DECIMALS)


def price_text(price: int) -> str:
    """5200 -> '0.5200'."""
    return fixed_text(price, PRICE_DECIMALS)


def quantity_text(quantity: int) -> str:
    """1300 -> '13.00'."""
    return fixed_text(quantity, QUANTITY_DECIMALS)


def money_text(money: int) -> str:
    """17500 -> '0.017500'."""
    return fixed_text(money, MONEY_DECIMALS)


def fixed_text(value: int, decimals: int) -> str:
    """A scaled integer with all its decimals: (8395590, 2) -> '83955.90'."""
    whole, part = divmod(abs(value), 10**decimals)
    return f"{'-' if value < 0 else ''}{whole}.{part:0{decimals}d}"


@lru_cache(maxsize=65_536)
def _read(text: str, decimals: int) -> int:
    """Digit by digit: a minus or nothing, digits, and perhaps a point with digits behind it."""
    unsigned = text[1:] if text[:1] == "-" else text
    whole, _, part = unsigned.partition(".")
    if not whole or not _are_digits(whole) or not _are_digits(part):
        raise UnitError(f"{text[:40]!r} is not a plain decimal number")
    if len(whole.lstrip("0")) > _MOST_WHOLE_DIGITS:
        raise UnitError(f"{text!r} is more than there can be")
    value = 0
    for digit in whole + part[:decimals].ljust(decimals, "0"):
        value = 10 * value + ord(digit) - ord("0")
    if part[decimals:].strip("0"):
        raise UnitError(f"{text!r} has more than {decimals} decimals")
    return value if unsigned is text else -value


def _are_digits(text: str) -> bool:
    return len(text) <= _MOST_DIGITS and all("0" <= sign <= "9" for sign in text)
