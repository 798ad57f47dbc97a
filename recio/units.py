"""Price, quantity, money and ids as exact integers; the only place that converts to and from text or Decimal.

A price is an integer of $0.0001, a quantity an integer of 0.01 contract, money an integer of
$0.000001, so price x quantity is money without rounding. Nothing here ever touches a float.
"""

from __future__ import annotations

import re
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import NewType

Price = NewType("Price", int)
"""Integer of $0.0001 per contract, in YES terms unless a name says otherwise."""
Quantity = NewType("Quantity", int)
"""Integer of 0.01 contract."""
Money = NewType("Money", int)
"""Integer of $0.000001."""

Ticker = NewType("Ticker", str)
EventTicker = NewType("EventTicker", str)
ClientOrderId = NewType("ClientOrderId", str)
VenueOrderId = NewType("VenueOrderId", str)
FillId = NewType("FillId", str)
"""The venue's trade id: unique per match and the key of a fill."""
TradeId = NewType("TradeId", int)

ONE_DOLLAR = Price(10_000)
ONE_CONTRACT = Quantity(100)
PAYOUT_PER_UNIT = 10_000
"""Money that one Quantity unit (0.01 contract) of the winning side pays: $0.01."""


class Side(StrEnum):
    """Which outcome a trade is long."""

    YES = "yes"
    NO = "no"

    def other(self) -> Side:
        return Side.NO if self is Side.YES else Side.YES


class BookSide(StrEnum):
    """Which side of the one YES book an order stands on: bid buys YES, ask buys NO."""

    BID = "bid"
    ASK = "ask"


class UnitError(ValueError):
    """A text that is not an exact number of the unit it should be in."""


PLAIN_DECIMAL = re.compile(r"(-?)([0-9]{1,18})(?:\.([0-9]{0,18}))?", re.ASCII)
"""Digits and a point: no exponent, no blanks, nothing that could be rounded or overflow on the way."""
MOST_DIGITS = 11
"""Before the point: every row, and every product with a price, has room for it."""


@lru_cache(maxsize=65_536)
def _scaled(text: str, digits: int, what: str) -> int:
    found = PLAIN_DECIMAL.fullmatch(text)
    if found is None:
        raise UnitError(f"{what} {text[:40]!r} is not a plain decimal number")
    sign, whole, decimals = found[1], found[2], (found[3] or "").rstrip("0")
    if len(whole.lstrip("0")) > MOST_DIGITS:
        raise UnitError(f"{what} {text!r} is more than there can be")
    if len(decimals) > digits:
        raise UnitError(f"{what} {text!r} has more than {digits} decimals")
    return int(f"{sign}{whole}{decimals.ljust(digits, '0')}")


def price(text: str) -> Price:
    """'0.5200' -> 5200. Raises UnitError beyond four decimals."""
    return Price(_scaled(text, 4, "price"))


def quantity(text: str) -> Quantity:
    """'13.00' -> 1300. Signed: a book delta is a quantity too. Raises UnitError beyond two decimals."""
    return Quantity(_scaled(text, 2, "quantity"))


def money(text: str) -> Money:
    """'0.017500' -> 17500. Raises UnitError beyond six decimals."""
    return Money(_scaled(text, 6, "amount"))


def notional(at: Price, of: Quantity) -> Money:
    """Price x quantity, exact."""
    return Money(at * of)


def complement(at: Price) -> Price:
    """The same price seen from the other outcome: $1 minus it."""
    return Price(ONE_DOLLAR - at)


def yes_value(result: Side | None, value: Price | None) -> Price | None:
    """What one contract of YES pays: a dollar or nothing by the result, else the venue's value; None where neither is known."""
    if result is None:
        return value
    return ONE_DOLLAR if result is Side.YES else Price(0)


def payout_of(side: Side, held: Quantity, value: Price) -> Money:
    """What so many contracts of a side pay where one of YES pays `value` and one of NO the rest of the dollar."""
    return Money(held * (value if side is Side.YES else complement(value)))


def price_decimal(value: Price) -> Decimal:
    return Decimal(value).scaleb(-4).quantize(Decimal("0.0001"))


def quantity_decimal(value: Quantity) -> Decimal:
    return Decimal(value).scaleb(-2).quantize(Decimal("0.01"))


def money_decimal(value: Money) -> Decimal:
    return Decimal(value).scaleb(-6).quantize(Decimal("0.000001"))


def price_text(value: Price) -> str:
    """5200 -> '0.5200', as the venue writes it."""
    return str(price_decimal(value))


def quantity_text(value: Quantity) -> str:
    """1300 -> '13.00', as the venue writes it."""
    return str(quantity_decimal(value))


def money_text(value: Money) -> str:
    """17500 -> '0.017500', as the venue writes fees and costs."""
    return str(money_decimal(value))


def price_of(value: Decimal) -> Price:
    """A NUMERIC column's value back into a Price."""
    return Price(_scaled(f"{value:f}", 4, "price"))


def quantity_of(value: Decimal) -> Quantity:
    """A NUMERIC column's value back into a Quantity."""
    return Quantity(_scaled(f"{value:f}", 2, "quantity"))


def money_of(value: Decimal) -> Money:
    """A NUMERIC column's value back into Money."""
    return Money(_scaled(f"{value:f}", 6, "amount"))
