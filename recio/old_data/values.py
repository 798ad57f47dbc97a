"""One value of an old row as an exact number, price, side, moment or JSON object; it guesses nothing that has two meanings.

The old stores kept money as dollars in REAL, as cents in INTEGER and as text, at times in one column.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from recio.times import NEW_YORK

NOTHING = {"", "none", "null", "nan", "\\n"}
CENT = Decimal("0.01")
PRICE_STEP = Decimal("0.0001")
MONEY_STEP = Decimal("0.000001")
QUANTITY_STEP = Decimal("0.01")
LARGEST = Decimal(10) ** 12
"""What is larger is no sum, count or time of this account."""
SIDES = {"y": "yes", "yes": "yes", "n": "no", "no": "no", "t": "yes", "f": "no"}
EARLIEST = 946_684_800
"""Epoch seconds of the year 2000: a number below it is no moment of this account."""

Row = Mapping[str, Any]
"""One row by the lower-case names of its columns."""


class Moment(NamedTuple):
    at: datetime
    """UTC."""
    doubtful: bool
    """It was New York time without an offset, in the hour that autumn has twice or the one that spring leaves out."""


def number(value: object) -> Decimal | None:
    """A number of any of the old types, '$1,250', '+3' and '7%' among them; None for what is none."""
    if isinstance(value, bool):
        return Decimal(int(value))
    text = (repr(value) if isinstance(value, float) else str(value)).strip()
    if text.lower() in NOTHING:
        return None
    try:
        found = Decimal(text.replace("$", "").replace(",", "").rstrip("%").lstrip("+"))
    except InvalidOperation:
        return None
    return found if found.is_finite() and abs(found) < LARGEST else None


def quantity(value: object) -> Decimal | None:
    """Contracts, not negative: the old ledger signs some positions."""
    found = number(value)
    return None if found is None else abs(found).quantize(QUANTITY_STEP)


def price(value: object) -> Decimal | None:
    """Dollars per contract, above 0 and below 1, from dollars, cents or hundredths of cents: no two of them overlap."""
    found = number(value)
    if found is None or found <= 0 or found >= 10_000:
        return None
    if found >= 100:
        found /= 10_000
    elif found >= 1:
        found /= 100
    return found.quantize(PRICE_STEP)


def dollars(value: object) -> Decimal | None:
    found = number(value)
    return None if found is None else found.quantize(MONEY_STEP)


def cents(value: object) -> Decimal | None:
    found = number(value)
    return None if found is None else (found * CENT).quantize(MONEY_STEP)


def side(value: object) -> str | None:
    return SIDES.get(str(value).strip().lower())


def truth(value: object) -> bool:
    return str(value).strip().lower() in {"1", "1.0", "t", "true", "yes", "y"}


def words(value: object) -> str:
    """A text; empty for nothing."""
    text = "" if value is None else str(value).strip()
    return "" if text.lower() in NOTHING else text


def first(row: Row, *names: str) -> Any:
    """The first of these columns that says something."""
    for name in names:
        value = row.get(name)
        if value is not None and words(value):
            return value
    return None


def json_object(value: object) -> dict[str, Any] | None:
    """A raw record; None for what is none, a damaged one included."""
    if isinstance(value, dict):
        return value  # pyright: ignore[reportUnknownVariableType] - of a JSONB column
    text = words(value)
    if not text:
        return None
    try:
        found = json.loads(text, parse_float=Decimal)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None  # pyright: ignore[reportUnknownVariableType]


def moment(value: object) -> Moment | None:
    """An epoch or ISO time; one without an offset is New York's, as the old system wrote it."""
    if isinstance(value, datetime):
        return _aware(value)
    text = words(value)
    if not text:
        return None
    try:
        return _aware(datetime.fromisoformat(text))
    except ValueError:
        pass
    found = number(text)
    if found is None or found < EARLIEST:
        return None
    while found > 100_000_000_000:
        found /= 1000
    return Moment(
        datetime.fromtimestamp(0, UTC) + timedelta(microseconds=int(found * 1_000_000)), doubtful=False
    )


def _aware(at: datetime) -> Moment:
    if at.tzinfo is not None:
        return Moment(at.astimezone(UTC), doubtful=False)
    there = at.replace(tzinfo=NEW_YORK, fold=0)
    doubtful = there.utcoffset() != there.replace(fold=1).utcoffset()
    return Moment(there.astimezone(UTC), doubtful)


def local_moment(day: object, time: object) -> Moment | None:
    """A date and a time of day in New York."""
    found_day = words(day)[:10]
    try:
        date.fromisoformat(found_day)
    except ValueError:
        return moment(time)
    return moment(f"{found_day}T{words(time) or '00:00:00'}") or moment(f"{found_day}T00:00:00")


def closing_moment(value: object, day: object, entry: Moment | None) -> Moment | None:
    """closed_at, which is a time of day in some rows: then on the day of the entry, or on the next if it is earlier."""
    text = words(value)
    if not text:
        return None
    if "-" in text or ":" not in text:
        return moment(text)
    found = local_moment(day, text)
    if found is not None and entry is not None and found.at < entry.at:
        following = date.fromisoformat(words(day)[:10]) + timedelta(days=1)
        return local_moment(following.isoformat(), text)
    return found
