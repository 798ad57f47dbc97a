"""The types of single settings: bounds, and dollars and contracts as exact integers; a float never becomes money.

recio.toml says dollars and contracts; the attribute of the same name is at once the integer unit of `recio/units.py`, and a
dump turns it back into the exact Decimal. So a section is built from dollars, and `model_copy(update=...)`, which
checks nothing, takes units.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer

from recio.units import (
    ONE_CONTRACT,
    Money,
    Price,
    Quantity,
    UnitError,
    money,
    money_decimal,
    notional,
    price,
    price_decimal,
    quantity,
    quantity_decimal,
)

Seconds = Annotated[float, Field(gt=0, le=86_400)]
Probability = Annotated[float, Field(ge=0, le=1)]
Port = Annotated[int, Field(ge=0, le=65_535)]
Count = Annotated[int, Field(ge=0, le=1_000_000)]


def number(value: Any) -> Decimal:
    """The number as it is written in the file. Raises ValueError for anything else, a quoted number included."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise ValueError("must be a number, without quotes")
    exact = value if isinstance(value, Decimal) else Decimal(str(value))
    if not exact.is_finite():
        raise ValueError("must be a finite number")
    return exact


def between(least: str, most: str = "") -> BeforeValidator:
    """Bounds in what the file says, dollars or contracts; no upper one where `most` is empty."""

    def bounded(value: Any) -> Decimal:
        given = number(value)
        if given < Decimal(least):
            raise ValueError(f"must be at least {least}")
        if most and given > Decimal(most):
            raise ValueError(f"must be at most {most}")
        return given

    return BeforeValidator(bounded)


def _written_in(unit: Callable[[str], int]) -> BeforeValidator:
    """Into the integer of a unit, which has to hold it exactly."""

    def exact(value: Any) -> int:
        try:
            return unit(f"{number(value):f}")
        except UnitError as error:
            raise ValueError(str(error)) from error

    return BeforeValidator(exact)


def _per_contract(text: str) -> Money:
    """'0.0200' dollars a contract; as fine as a price and no finer."""
    return notional(price(text), ONE_CONTRACT)


DOLLARS = between("0", "10000000")

PriceSetting = Annotated[Price, _written_in(price), PlainSerializer(price_decimal), DOLLARS]
"""Dollars per contract as a price, at most four decimals."""
EdgeSetting = Annotated[Money, _written_in(_per_contract), PlainSerializer(money_decimal), DOLLARS]
"""Dollars per contract as money, to compare with what one contract gains; at most four decimals."""
MoneySetting = Annotated[Money, _written_in(money), PlainSerializer(money_decimal), DOLLARS]
"""Dollars, at most six decimals."""
QuantitySetting = Annotated[Quantity, _written_in(quantity), PlainSerializer(quantity_decimal)]
"""Contracts, at most two decimals; each use says its own bounds."""
