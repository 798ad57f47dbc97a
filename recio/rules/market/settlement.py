"""How a threshold contract settles: the mean of sixty index prints, rounded to the coin's own places, against its strike."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal

from recio.messages.markets import StrikeType
from recio.units import Side

PRINTS = 60
USUAL_PLACES = 2
FINEST_PLACES = ((1_000, 2), (1, 4), (Decimal("0.001"), 7), (-math.inf, 9))
"""(from, places): how fine the strikes of a coin of that price are written."""


def places_of(*strikes: Decimal | None) -> int:
    """The places that the average is rounded to before it is compared, read off the strikes.

    Cheap coins are settled at more places than dear ones, and their strikes are written with them (1.3599, 0.0699999,
    0.000013499);
    zeros at their end may have got lost, so the size of the strike counts too.
    """
    return max((_places(strike) for strike in strikes if strike is not None), default=USUAL_PLACES)


def _places(strike: Decimal) -> int:
    exponent = strike.as_tuple().exponent
    written = -exponent if isinstance(exponent, int) else 0
    return max(written, next(places for least, places in FINEST_PLACES if strike >= least))


def settlement_value(prints: Sequence[Decimal], places: int = USUAL_PLACES) -> Decimal:
    """The simple average, rounded half up to so many places. Raises ValueError on an empty sequence."""
    if not prints:
        raise ValueError("a settlement value needs at least one print")
    return (sum(prints, Decimal(0)) / len(prints)).quantize(Decimal((0, (1,), -places)), ROUND_HALF_UP)


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


def forming(values: Mapping[int, Decimal], closes_at: int) -> Iterator[tuple[int, Decimal, int]]:
    """(second, mean so far, of how many values) of each second of the closing minute that has one; all are Unix seconds."""
    total = Decimal(0)
    seconds = sorted(each for each in values if closes_at - PRINTS <= each < closes_at)
    for number, second in enumerate(seconds, 1):
        total += values[second]
        yield second, total / number, number
