"""How a threshold contract settles: the mean of sixty index prints, rounded, against its strike."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal

from recio.messages.markets import StrikeType
from recio.units import Side

PRINTS = 60
CENT = Decimal("0.01")


def settlement_value(prints: Sequence[Decimal]) -> Decimal:
    """The simple average, rounded half up to cents. Raises ValueError on an empty sequence."""
    if not prints:
        raise ValueError("a settlement value needs at least one print")
    return (sum(prints, Decimal(0)) / len(prints)).quantize(CENT, ROUND_HALF_UP)


def outcome(
    value: Decimal, strike_type: StrikeType, floor_strike: Decimal | None, cap_strike: Decimal | None
) -> Side | None:
    """YES or NO for a settlement value; None when the market lacks the strike its type needs."""
    match strike_type:
        case StrikeType.UNSET:
            yes = None
        case StrikeType.GREATER:
            yes = None if floor_strike is None else value > floor_strike
        case StrikeType.GREATER_OR_EQUAL:
            yes = None if floor_strike is None else value >= floor_strike
        case StrikeType.LESS:
            yes = None if cap_strike is None else value < cap_strike
        case StrikeType.LESS_OR_EQUAL:
            yes = None if cap_strike is None else value <= cap_strike
        case StrikeType.BETWEEN:
            yes = None if floor_strike is None or cap_strike is None else floor_strike <= value <= cap_strike
    if yes is None:
        return None
    return Side.YES if yes else Side.NO
