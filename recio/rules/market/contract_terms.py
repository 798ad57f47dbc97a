"""Whether a market's rules text says what we price: the mean of sixty prints of one index against its strike.

Wording that is not known whole is not understood, and what is not understood is never traded.
"""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal

from recio.messages.markets import StrikeType
from recio.times import NEW_YORK

SEPTEMBER = 9
"""The one month that is also shortened to four letters."""
QUOTED = 120
"""Characters of an unknown text that its refusal shows."""

_TIME = r"(\d{1,2}(?::\d{2}){0,2} ?(?:[AP]M)? E[DS]?T)"
_DATE = r"(?: on ([A-Z][a-z]+ \d{1,2}, \d{4}))?"
_NAME = r"[A-Z][\w-]*(?: [A-Z][\w-]*)* (?:Real[- ]Time Index|Spot Rate)"
_INDEX = rf"CF Benchmarks' (?:{_NAME} \((\w+)\)|(\w+))"
_AVERAGE = r"(?:the simple average of the (?:sixty|60) seconds|there is a 60 second average) of"
_MEAN = rf"{_AVERAGE} {_INDEX} before {_TIME}{_DATE}"
_NUMBER = r"\$?((?:\d{1,3}(?:,\d{3})+|\d{1,15})(?:\.\d{1,15})?)"
_END = r",? then the market resolves to Yes\.?"
_THRESHOLD = re.compile(
    rf"If {_MEAN} is (above|below|at least|at or above|at most|at or below) {_NUMBER}(?: at {_TIME}{_DATE})?{_END}",
    re.ASCII,
)
_RANGE = re.compile(
    rf"If {_MEAN} is between {_NUMBER} ?(?:-|and) ?{_NUMBER}(?: at {_TIME}{_DATE})?{_END}", re.ASCII
)
_WINDOW = re.compile(rf"If {_MEAN} is at least {_MEAN}{_END}", re.ASCII)

_WORDS = {
    "above": StrikeType.GREATER,
    "at least": StrikeType.GREATER_OR_EQUAL,
    "at or above": StrikeType.GREATER_OR_EQUAL,
    "below": StrikeType.LESS,
    "at most": StrikeType.LESS_OR_EQUAL,
    "at or below": StrikeType.LESS_OR_EQUAL,
}
_OTHER_NAMES = {"ETHUSDRTI": "ERTI"}
"""What the venue calls an index in its texts, where that is not the index's own id."""


def why_untradable(
    rules_primary: str,
    *,
    index_id: str,
    strike_type: StrikeType,
    floor: Decimal | None,
    cap: Decimal | None,
    open_time: datetime,
    close_time: datetime,
) -> str:
    """Empty if the text says what we price, otherwise what it does not say. Times are aware UTC.

    Source: texts of KXBTCD, KXBTC, KXBTC15M and their ETH, XRP and HYPE twins, June 2025 to October 2026; of the DOGE
    and SHIB ladders, July to September 2026.
    """
    text = " ".join(rules_primary.split())
    if found := _WINDOW.fullmatch(text):
        return _window(found, index_id, strike_type, open_time, close_time)
    if found := _THRESHOLD.fullmatch(text):
        said = _strike_said(found[5], found[6], strike_type, floor, cap)
        return said or _mean(found, 1, index_id, close_time) or _again(found, 7, close_time)
    if found := _RANGE.fullmatch(text):
        said = _range_said(found[5], found[6], strike_type, floor, cap)
        return said or _mean(found, 1, index_id, close_time) or _again(found, 7, close_time)
    return f"rules text not known: {text[:QUOTED]!r}"


def _window(
    found: re.Match[str], index_id: str, strike_type: StrikeType, open_time: datetime, close_time: datetime
) -> str:
    """Final minute against opening minute; the target is not in the text but in the market's own strike."""
    if strike_type is not StrikeType.GREATER_OR_EQUAL:
        return f"rules text says at least, the market says {strike_type}"
    return _mean(found, 1, index_id, close_time) or _mean(found, 5, index_id, open_time)


def _mean(found: re.Match[str], first: int, index_id: str, at: datetime) -> str:
    """The index, the time and the date of one average, in four groups from `first`."""
    named = found[first] or found[first + 1]
    plain = index_id.replace("_", "")
    if named.replace("_", "") not in (plain, _OTHER_NAMES.get(plain, plain)):
        return f"rules text is about the index {named[:40]}, not {index_id}"
    return _again(found, first + 2, at)


def _again(found: re.Match[str], first: int, at: datetime) -> str:
    """A time and perhaps a date of the text against the venue's own time."""
    if found[first] is None:
        return ""
    local = at.astimezone(NEW_YORK)
    if _clock(found[first]) != (local.hour, local.minute, local.second):
        return f"rules text speaks of {found[first]}, the market of {local:%H:%M:%S %Z}"
    if found[first].split()[-1] not in ("ET", local.tzname()):
        return f"rules text speaks of {found[first]}, the market of {local:%H:%M:%S %Z}"
    if found[first + 1] is not None and not _is_date(found[first + 1], local):
        return f"rules text speaks of {found[first + 1]}, the market of {local:%b %d, %Y}"
    return ""


def _clock(text: str) -> tuple[int, int, int]:
    digits = [int(part) for part in re.findall(r"\d+", text)]
    hour, minute, second = (*digits, 0, 0)[:3]
    if "AM" in text or "PM" in text:
        hour = hour % 12 + (12 if "PM" in text else 0)
    return hour, minute, second


def _is_date(text: str, local: datetime) -> bool:
    month, day, year = text.replace(",", "").split()
    known = (f"{local:%b}", f"{local:%B}", f"{local:%B}"[:4] if local.month == SEPTEMBER else "")
    return month in known and (int(day), int(year)) == (local.day, local.year)


def _strike_said(
    word: str, number: str, strike_type: StrikeType, floor: Decimal | None, cap: Decimal | None
) -> str:
    if _WORDS[word] is not strike_type:
        return f"rules text says {word}, the market says {strike_type}"
    strike = cap if strike_type in (StrikeType.LESS, StrikeType.LESS_OR_EQUAL) else floor
    return _same(number, strike)


def _range_said(
    low: str, high: str, strike_type: StrikeType, floor: Decimal | None, cap: Decimal | None
) -> str:
    if strike_type is not StrikeType.BETWEEN:
        return f"rules text says between, the market says {strike_type}"
    return _same(low, floor) or _same(high, cap)


def _same(number: str, strike: Decimal | None) -> str:
    said = Decimal(number.replace(",", ""))
    return "" if said == strike else f"rules text says {number}, the market's strike is {strike}"
