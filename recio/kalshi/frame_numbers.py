"""Times, prices and counts of frame bodies, each within its bounds or refused; it never rounds and never guesses."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TypeVar

import msgspec

from recio import units
from recio.units import ONE_DOLLAR, PLAIN_DECIMAL, Price, Quantity

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def instant(ms: int, name: str = "ts_ms") -> datetime:
    try:
        return EPOCH + timedelta(milliseconds=ms)
    except OverflowError as error:
        raise units.UnitError(f"{name} {str(ms)[:40]} is not a time") from error


T = TypeVar("T")


def exact(unit: Callable[[str], T], text: str, name: str) -> T:
    """A text in its unit, or refused by the name of its field."""
    try:
        return unit(text)
    except units.UnitError as error:
        raise units.UnitError(f"{name}: {error}") from error


def traded(text: str) -> Price:
    price = exact(units.price, text, "yes_price_dollars")
    if not 0 < price < ONE_DOLLAR:
        raise units.UnitError(f"yes_price_dollars {text[:40]} is outside the dollar")
    return price


def counted(text: str, name: str, *, least: int = 0) -> Quantity:
    quantity = exact(units.quantity, text, name)
    if quantity < least:
        raise units.UnitError(f"{name} {text[:40]} is no number of contracts")
    return quantity


def level(raw: msgspec.Raw, name: str) -> Decimal:
    """An index level exactly as it was written, be it a text or a number."""
    text = bytes(raw).decode()
    text = text[1:-1] if text[:1] == '"' else text
    value = Decimal(text) if PLAIN_DECIMAL.fullmatch(text) else Decimal(0)
    if value <= 0:
        raise units.UnitError(f"{name} {text[:40]} is not an index level")
    return value
