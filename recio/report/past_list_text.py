"""One cell of a list of the past as JSON and CSV have it: exact, and the same for every reader; it knows no list."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from recio.report.past_lists import Of
from recio.times import time_text
from recio.units import money_of, money_text, price_of, price_text, quantity_of, quantity_text


def cell(of: Of, value: object) -> str | int | None:
    """Decimal strings, times of UTC, whole numbers; None where it is not known, or not yet."""
    if value is None:
        return None
    if isinstance(value, datetime):
        return time_text(value)
    if isinstance(value, Decimal):
        return _figure(of, value)
    if of is Of.COUNT and isinstance(value, int):
        return value
    return str(value)


def _figure(of: Of, value: Decimal) -> str:
    match of:
        case Of.DOLLARS:
            return money_text(money_of(value))
        case Of.PRICE:
            return price_text(price_of(value))
        case Of.CONTRACTS:
            return quantity_text(quantity_of(value))
        case _:
            return f"{value:f}"
