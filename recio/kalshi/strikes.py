"""Reads a market's strike as the venue writes it, plain or nested in a custom strike; it never takes one from a ticker or a text.

A kind of strike that is not read here leaves its market without one, with the reason: it is listed and never traded.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import msgspec

from recio import units
from recio.kalshi.responses import NOT_DECODABLE
from recio.messages.markets import FROM_ABOVE, FROM_BELOW, StrikeType
from recio.units import PLAIN_DECIMAL

LARGEST_STRIKE = 10**12
CUSTOM = "custom"
KINDS = {kind.value: kind for kind in StrikeType}
NONE = msgspec.Raw(b"null")


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """The strike of one market; of an unset kind while the venue has not set it, or where it is not read."""

    kind: StrikeType = StrikeType.UNSET
    floor: Decimal | None = None
    cap: Decimal | None = None
    why_unread: str = ""
    """Why it was not read; empty where it was, and where it is not set yet."""


class _Nested(msgspec.Struct):
    """What stands in `custom_strike` of a ladder whose strikes have more decimals than the venue's own fields carry."""

    strike_type: str
    floor_strike: str = ""
    cap_strike: str = ""


_nested = msgspec.json.Decoder(_Nested)


def read_strike(kind: str | None, floor: Decimal | None, cap: Decimal | None, custom: msgspec.Raw) -> Strike:
    """The strike of a body that has these fields; `custom` is its custom strike as JSON. Raises UnitError naming the field."""
    if kind == CUSTOM:
        return _custom(custom)
    known = KINDS.get(kind or "")
    if known is None:
        return Strike(why_unread=f"strike_type {(kind or '')[:40]!r} is not read")
    return Strike(kind=known, floor=strike_level(floor, "floor_strike"), cap=strike_level(cap, "cap_strike"))


def strike_level(value: Decimal | None, field: str) -> Decimal | None:
    """Raises UnitError naming the field."""
    if value is not None and not (value.is_finite() and abs(value) < LARGEST_STRIKE):
        raise units.UnitError(f"{field} {str(value)[:40]} is not a strike")
    return value


def _custom(raw: msgspec.Raw) -> Strike:
    """Source: DOGE and SHIB ladders of May to September 2026; other custom strikes are names and no numbers.

    The reasons name no number, so that a whole ladder has one and the same.
    """
    try:
        said = _nested.decode(raw)
        floor, cap = _level(said.floor_strike, "floor_strike"), _level(said.cap_strike, "cap_strike")
    except (*NOT_DECODABLE, units.UnitError):
        return Strike(why_unread="custom_strike is not read: it is no kind with its levels")
    if said.strike_type == StrikeType.BETWEEN and (floor is None) is not (cap is None):
        return _open_range(floor, cap)
    kind = KINDS.get(said.strike_type, StrikeType.UNSET)
    if kind is StrikeType.UNSET:
        return Strike(why_unread=f"custom_strike is not read: its kind is {said.strike_type[:40]!r}")
    if (kind in FROM_ABOVE and floor is None) or (kind in FROM_BELOW and cap is None):
        return Strike(why_unread=f"custom_strike is not read: {kind} lacks a level")
    return Strike(kind=kind, floor=floor, cap=cap)


def _open_range(floor: Decimal | None, cap: Decimal | None) -> Strike:
    """A range that is open on one side is a threshold, and its level is the first or last of the range: the contract's text
    names the level beyond, one last place further. The text is held against what is made of it here, as any is."""
    if floor is not None:
        return Strike(kind=StrikeType.GREATER, floor=floor - _last_place(floor))
    return Strike(kind=StrikeType.LESS, cap=None if cap is None else cap + _last_place(cap))


def _last_place(level: Decimal) -> Decimal:
    """One unit of the last decimal that is written, zeros included."""
    decimals = f"{level:f}".partition(".")[2]
    return Decimal(1).scaleb(-len(decimals))


def _level(text: str, field: str) -> Decimal | None:
    """A level as text, all its decimals kept; empty where there is none."""
    if not text:
        return None
    if PLAIN_DECIMAL.fullmatch(text) is None:
        raise units.UnitError(f"{field} {text[:40]} is not a strike")
    return strike_level(Decimal(text), field)
