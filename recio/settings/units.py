"""The types of single settings: bounds, "off", and dollars and contracts as exact integers; a float never becomes money.

recio.toml says dollars and contracts; the attribute of the same name is at once the integer unit of `recio/units.py`, and a
dump turns it back into the exact Decimal. So a section is built from dollars, and `model_copy(update=...)`, which
checks nothing, takes units.

A gate that may be switched off is None while it is, and says "off" in the file and in a dump. Zero never means off.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Annotated, Any, cast

from pydantic import BeforeValidator, Field, PlainSerializer, SerializerFunctionWrapHandler, WrapSerializer
from pydantic_core import PydanticCustomError

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

OFF = "off"
LONGEST_SHOWN = 80
SCHEME = re.compile(r"[A-Za-z0-9+.-]*:?//")
ZERO = "zero"
"""The kind of error that a zero is for which another word is wanted."""

Seconds = Annotated[float, Field(gt=0, le=86_400)]
Port = Annotated[int, Field(ge=1, le=65_535)]
Count = Annotated[int, Field(ge=0, le=1_000_000)]
BasisPoints = Annotated[float, Field(ge=0, le=10_000)]
"""Hundredths of a percent."""


def shown(value: Any) -> str:
    """A value as recio.toml writes it, cut off where it is long, and without what an address says of user and password."""
    text = _shown(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."


def _without_login(text: str) -> str:
    """User and password may have any character, and who mistypes an address may leave out its slashes."""
    login, _, rest = text.rpartition("@")
    scheme = SCHEME.match(login)
    if scheme is None and ":" not in login:
        return text
    return f"{scheme[0] if scheme else ''}(hidden)@{rest}"


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(_without_login(value), ensure_ascii=False)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_shown, cast('Sequence[Any]', value)[:20]))}]"
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, Decimal):
        return f"{value:f}" if value.is_finite() else str(value).lower().replace("infinity", "inf")
    return str(value)


def is_number(value: object) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def number(value: Any) -> Decimal:
    """The number as it is written in the file. Raises ValueError for anything else, a quoted number included."""
    refuse_words(value)
    exact = value if isinstance(value, Decimal) else Decimal(str(value))
    if not exact.is_finite():
        raise ValueError("must be a finite number")
    return exact


def refuse_words(value: object) -> None:
    """Raises ValueError for what is no number; "off" is told that this setting has no such thing."""
    if value == OFF:
        raise ValueError("cannot be switched off: write a number, without quotes")
    if not is_number(value):
        raise ValueError("must be a number, without quotes")


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


def _within_one(value: Any, what: str) -> Decimal:
    """Raises ValueError, with what a number above 1 most likely means where it was written in hundredths."""
    given = number(value)
    if given < 0:
        raise ValueError("must be at least 0")
    if given > 1:
        meant = f": did you mean {_in_hundredths(given)}?" if given <= 100 else ""
        raise ValueError(f"must be at most 1, because {what}{meant}")
    return given


def _in_hundredths(given: Decimal) -> str:
    hundredths = given / 100
    return f"{hundredths:.2f}" if hundredths == round(hundredths, 2) else f"{hundredths.normalize():f}"


def _per_dollar(value: Any) -> Decimal:
    return _within_one(value, "it is in dollars per contract, and a contract is worth one dollar at most")


def _fraction(value: Any) -> float:
    return float(_within_one(value, "it is a fraction, not a percentage"))


Probability = Annotated[float, Field(ge=0, le=1), BeforeValidator(_fraction)]


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

PER_CONTRACT = BeforeValidator(_per_dollar)

PriceSetting = Annotated[Price, _written_in(price), PlainSerializer(price_decimal), PER_CONTRACT]
"""Dollars per contract as a price, at most four decimals."""
EdgeSetting = Annotated[Money, _written_in(_per_contract), PlainSerializer(money_decimal), PER_CONTRACT]
"""Dollars per contract as money, to compare with what one contract gains; at most four decimals."""
MoneySetting = Annotated[Money, _written_in(money), PlainSerializer(money_decimal), DOLLARS]
"""Dollars, at most six decimals."""
QuantitySetting = Annotated[Quantity, _written_in(quantity), PlainSerializer(quantity_decimal)]
"""Contracts, at most two decimals; each use says its own bounds."""


def _number_or_off(value: Any) -> Any:
    if value is None or value == OFF:
        return None
    if not is_number(value):
        raise ValueError('must be a number without quotes, or "off"')
    return value


def _written_back(value: Any, written: SerializerFunctionWrapHandler) -> Any:
    return OFF if value is None else written(value)


SWITCH_OFF = f'write "{OFF}" to switch the gate off'


def zero_would(effect: str, instead: str = SWITCH_OFF) -> BeforeValidator:
    """Zero is refused here, with what it would do and what to write instead: whoever meant "off" must say so."""

    def not_zero(value: Any) -> Any:
        if is_number(value) and value == 0:
            raise PydanticCustomError(
                ZERO, "would {effect}: {instead}", {"effect": effect, "instead": instead}
            )
        return value

    return BeforeValidator(not_zero)


_OFF_AS_NONE, _NONE_AS_OFF = BeforeValidator(_number_or_off), WrapSerializer(_written_back)

PriceOrOff = Annotated[PriceSetting | None, _NONE_AS_OFF, _OFF_AS_NONE]
MoneyOrOff = Annotated[MoneySetting | None, _NONE_AS_OFF, _OFF_AS_NONE]
QuantityOrOff = Annotated[
    Annotated[QuantitySetting, between("0", "1000000")] | None, _NONE_AS_OFF, _OFF_AS_NONE
]
ProbabilityOrOff = Annotated[Probability | None, _NONE_AS_OFF, _OFF_AS_NONE]
BasisPointsOrOff = Annotated[BasisPoints | None, _NONE_AS_OFF, _OFF_AS_NONE]
CountOrOff = Annotated[Count | None, _NONE_AS_OFF, _OFF_AS_NONE]
SecondsOrOff = Annotated[Annotated[float, Field(ge=0)] | None, _NONE_AS_OFF, _OFF_AS_NONE]
"""None where the file says "off"."""
