"""One value of an old row as an exact number, price, side, moment or JSON object; it guesses nothing that has two meanings.

The old stores kept money as dollars in REAL, as cents in INTEGER and as text, at times in one column.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from recio.times import NEW_YORK

NOTHING = {"", "none", "null", "nan", "\\n"}
LONGEST_NOTHING = max(map(len, NOTHING))
HASHABLE = (str, int, float)
CENT = Decimal("0.01")
PRICE_STEP = Decimal("0.0001")
MONEY_STEP = Decimal("0.000001")
QUANTITY_STEP = Decimal("0.01")
LARGEST = Decimal(10) ** 12
"""What is larger is no sum, count or time of this account."""
MOST = Decimal(10) ** 9
"""Contracts or dollars of one row: a thousand of them can be summed, and a column of the database holds the sum."""
DUST = Decimal("0.00000001")
"""What floats leave behind a sum is smaller than this, and no money of this account is."""
SIDES = {"y": "yes", "yes": "yes", "n": "no", "no": "no", "t": "yes", "f": "no"}
EARLIEST, LATEST = 946_684_800, 4_102_444_800
"""Epoch seconds of the years 2000 and 2100: what is not between them is no moment of this account."""
HOUR = timedelta(hours=1)
EPOCH = datetime.fromtimestamp(0, UTC)
_DIGITS = re.compile(r"\d{9,19}(?:\.\d*)?")
"""Seconds, or thousandths, millionths, billionths of one. Read as a date without dashes some of them are in the year 1751."""
_OF_UTC = re.compile(r"\s*(?:UTC|GMT)$", re.IGNORECASE)
_THOUSANDS = re.compile(r"[1-9]\d{0,2}(?:,\d{3})+(?:\.\d*)?")
_DECIMAL_COMMA = re.compile(r"(?:\d+|\d{1,3}(?:\.\d{3})+),\d+")

_decode = msgspec.json.Decoder(float_hook=Decimal).decode

Row = Mapping[str, Any]
"""One row by the lower-case names of its columns."""


class Moment(NamedTuple):
    at: datetime
    """UTC."""
    doubtful: bool
    """It was New York time without an offset, in the hour that autumn has twice or the one that spring leaves out."""


def number(value: object) -> Decimal | None:
    """A number of any of the old types, '$1,250', '12,50', '+3' and '7%' among them; None for what is none."""
    if isinstance(value, Decimal):
        return _without_dust(value) if value.is_finite() and abs(value) < LARGEST else None
    # One account has few prices, counts and fees, and says them again and again.
    return _known_number(value) if type(value) in HASHABLE else _number(value)


def _number(value: object) -> Decimal | None:
    if isinstance(value, bool):
        return Decimal(int(value))
    text = repr(value) if isinstance(value, float) else words(value)
    if text.lower() in NOTHING:
        return None
    try:
        found = Decimal(_with_a_point(text.replace("$", "").rstrip("%").lstrip("+")))
    except InvalidOperation:
        return None
    if not found.is_finite() or abs(found) >= LARGEST:
        return None
    return _without_dust(found) if isinstance(value, float) or len(text) > len("0.00000001") else found


_known_number = lru_cache(maxsize=4096, typed=True)(_number)


def _with_a_point(text: str) -> str:
    """A comma that cannot stand between thousands is the decimal point of half the world. One that can stands there."""
    sign, amount = ("-", text[1:]) if text.startswith("-") else ("", text)
    if "," not in amount:
        return text
    if _THOUSANDS.fullmatch(amount):
        return sign + amount.replace(",", "")
    return sign + amount.replace(".", "").replace(",", ".") if _DECIMAL_COMMA.fullmatch(amount) else text


def _without_dust(found: Decimal) -> Decimal:
    """1.0000000000000002 is one, and 0.96499999999999997 is 0.965."""
    near = found.quantize(DUST)
    return near if near != found and abs(near - found) < DUST / 100 else found


def quantity(value: object) -> Decimal | None:
    """Contracts. Fewer than none could be a sale or a fault, so they are nothing that is known."""
    found = position(value)
    return None if found is None or found < 0 else found


def position(value: object) -> Decimal | None:
    """Contracts, signed by their side in some rows."""
    found = _amount(number(value))
    return None if found is None else found.quantize(QUANTITY_STEP)


def price(value: object) -> Decimal | None:
    """Dollars per contract, above 0 and below 1, from dollars, cents or hundredths of cents: no two of them overlap."""
    found = number(value)
    if found is None or found <= 0 or found >= 10_000:
        return None
    if found >= 100:
        found /= 10_000
    elif found >= 1:
        found /= 100
    told = found.quantize(PRICE_STEP)
    return told if 0 < told < 1 else None


def dollars(value: object) -> Decimal | None:
    found = _amount(number(value))
    return None if found is None else found.quantize(MONEY_STEP)


def cents(value: object) -> Decimal | None:
    found = number(value)
    found = _amount(None if found is None else found * CENT)
    return None if found is None else found.quantize(MONEY_STEP)


def _amount(found: Decimal | None) -> Decimal | None:
    return None if found is None or abs(found) > MOST else found


def side(value: object) -> str | None:
    return SIDES.get(str(value).strip().lower())


def truth(value: object) -> bool:
    return str(value).strip().lower() in {"1", "1.0", "t", "true", "yes", "y"}


def words(value: object) -> str:
    """A text; empty for nothing. What no UTF-8 can hold, and the zero byte, become a question mark."""
    if type(value) is str and value.isascii() and "\0" not in value:
        text = value.strip()
        return "" if len(text) <= LONGEST_NOTHING and text.lower() in NOTHING else text
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    text = "" if value is None else str(value).strip()
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode("utf-8")
    if "\0" in text:
        text = text.replace("\0", "?")
    return "" if text.lower() in NOTHING else text


def first(row: Row, *names: str) -> Any:
    """The first of these columns that says something."""
    for name in names:
        value = row.get(name)
        if value is not None and (type(value) is int or words(value)):
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
        found = _decode(text)
    except RecursionError:  # deeper than any record of the venue
        return None
    except msgspec.DecodeError:
        try:  # Python's own reader takes NaN, as Python's own writer writes it
            found = json.loads(text, parse_float=Decimal)
        except (ValueError, RecursionError):
            return None
    return found if isinstance(found, dict) else None  # pyright: ignore[reportUnknownVariableType]


def moment(value: object) -> Moment | None:
    """An epoch or ISO time; one without an offset is New York's, as the old system wrote it."""
    if isinstance(value, datetime):
        return _aware(value)
    text = words(value)
    if not text:
        return None
    if _DIGITS.fullmatch(text):
        return _of_epoch(Decimal(text))
    try:
        return _aware(datetime.fromisoformat(_OF_UTC.sub("Z", text) if text[-1] in "TtCc" else text))
    except ValueError:
        pass
    found = number(text)
    return None if found is None else _of_epoch(found)


def _of_epoch(found: Decimal) -> Moment | None:
    for _ in range(3):
        if found > LATEST:
            found /= 1000
    if not EARLIEST <= found <= LATEST:
        return None
    return Moment(EPOCH + timedelta(microseconds=int(found * 1_000_000)), doubtful=False)


def _aware(at: datetime) -> Moment | None:
    if not 2000 <= at.year < 2100:
        return None
    if at.tzinfo is not None:
        return Moment(at.astimezone(UTC), doubtful=False)
    there = at.replace(tzinfo=NEW_YORK, fold=0)
    doubtful = there.utcoffset() != there.replace(fold=1).utcoffset()
    return Moment(there.astimezone(UTC), doubtful)


def local_moment(day: object, time: object) -> Moment | None:
    """A date and a time of day in New York; of a time that cannot be read, the day's first moment, in doubt."""
    found_day = words(day)[:10]
    try:
        date.fromisoformat(found_day)
    except ValueError:
        return moment(time)
    if told := moment(f"{found_day}T{words(time) or '00:00:00'}"):
        return told
    midnight = moment(f"{found_day}T00:00:00")
    return None if midnight is None else midnight._replace(doubtful=True)


def closing_moment(value: object, day: object, entry: Moment | None) -> Moment | None:
    """closed_at, which is a time of day in some rows: the first after the entry, in autumn's hour the second time round, or on the next day."""
    text = words(value)
    if not text:
        return None
    if "-" in text or ":" not in text:
        return moment(text)
    found = local_moment(day, text)
    if found is None or entry is None or found.at >= _earliest(entry):
        return found
    if _is_twice(found) and found.at + HOUR >= entry.at:
        return Moment(found.at + HOUR, doubtful=True)
    following = date.fromisoformat(words(day)[:10]) + timedelta(days=1)
    return local_moment(following.isoformat(), text)


def _is_twice(found: Moment) -> bool:
    """Whether autumn has its hour twice; spring leaves out the other doubtful one."""
    there = found.at.astimezone(NEW_YORK)
    return found.doubtful and there.utcoffset() != there.replace(fold=1 - there.fold).utcoffset()


def _earliest(entry: Moment) -> datetime:
    """A time that spring leaves out may be of a clock that was not yet set, or already."""
    return entry.at - HOUR if entry.doubtful and not _is_twice(entry) else entry.at
