"""Parses prices, counts, index levels and times as the venue writes them, each within its bounds; it never rounds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TypeVar

import msgspec

from recio import units
from recio.units import ONE_DOLLAR, PLAIN_DECIMAL, Price, Quantity

T = TypeVar("T")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def from_unix_ms(ms: int, field: str = "ts_ms") -> datetime:
    """A time in milliseconds since 1970, in UTC. Raises UnitError naming the field."""
    try:
        return EPOCH + timedelta(milliseconds=ms)
    except OverflowError as error:
        raise units.UnitError(f"{field} {str(ms)[:40]} is not a time") from error


def parse_amount(unit: Callable[[str], T], text: str, field: str) -> T:
    """A text as an exact number of its unit. Raises UnitError naming the field."""
    try:
        return unit(text)
    except units.UnitError as error:
        raise units.UnitError(f"{field}: {error}") from error


def trade_price(text: str) -> Price:
    """The YES price of a trade: inside the dollar, its edges excluded. Raises UnitError."""
    price = parse_amount(units.price, text, "yes_price_dollars")
    if not 0 < price < ONE_DOLLAR:
        raise units.UnitError(f"yes_price_dollars {text[:40]} is outside the dollar")
    return price


def contract_count(text: str, field: str, *, least: int = 0) -> Quantity:
    """A number of contracts, in hundredths, of at least `least`. Raises UnitError naming the field."""
    quantity = parse_amount(units.quantity, text, field)
    if quantity < least:
        raise units.UnitError(f"{field} {text[:40]} is not a number of contracts")
    return quantity


def index_level(raw: msgspec.Raw, field: str) -> Decimal:
    """A level of the settlement index exactly as written, be it a text or a number. Raises UnitError."""
    text = bytes(raw).decode()
    text = text[1:-1] if text[:1] == '"' else text
    value = Decimal(text) if PLAIN_DECIMAL.fullmatch(text) else Decimal(0)
    if value <= 0:
        raise units.UnitError(f"{field} {text[:40]} is not an index level")
    return value
