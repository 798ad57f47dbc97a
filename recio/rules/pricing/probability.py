"""Probability that the mean of the final sixty index prints lies beyond a strike; unknown stays None.

The contract settles on an average, not on the last price: what is known of it is the closing minute's affair
(`recio/rules/pricing/closing_minute.py`), and here are the thresholds that it is compared with.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache

from recio.messages.markets import StrikeType

USUAL_PLACES = ((1_000, 2), (1, 4), (Decimal("0.001"), 7), (-math.inf, 9))
"""(from, places): how fine the strikes of a coin of that price are written, where their zeros did not get lost."""


def half_unit(*strikes: Decimal | None) -> float:
    """Half of the last place that the average is rounded to before it is compared, read off the strikes.

    Cheap coins are settled at more places than dear ones, and their strikes are written with them
    (1.3599, 0.0699999, 0.000013499); zeros at their end may have got lost, so the size of the strike counts too.
    """
    places = max((_places(strike) for strike in strikes if strike is not None), default=2)
    return 0.5 * 10.0**-places


def _places(strike: Decimal) -> int:
    exponent = strike.as_tuple().exponent
    written = -exponent if isinstance(exponent, int) else 0
    return max(written, next(places for least, places in USUAL_PLACES if strike >= least))


Span = tuple[float | None, float | None]
"""(from, below): YES is a mean of at least the one and less than the other, as far as there is one."""


@lru_cache(maxsize=8_192)
def thresholds(
    strike_type: StrikeType, floor_strike: Decimal | None, cap_strike: Decimal | None
) -> Span | None:
    """The thresholds of one market.

    None when the strike that the type needs is not known yet. Kept, because a strike never changes and is asked for each cycle.
    """
    half = half_unit(floor_strike, cap_strike)
    floor = None if floor_strike is None else float(floor_strike)
    cap = None if cap_strike is None else float(cap_strike)
    match strike_type:
        case StrikeType.UNSET:
            return None
        case StrikeType.GREATER:
            return None if floor is None else (floor + half, None)
        case StrikeType.GREATER_OR_EQUAL:
            return None if floor is None else (floor - half, None)
        case StrikeType.LESS:
            return None if cap is None else (None, cap - half)
        case StrikeType.LESS_OR_EQUAL:
            return None if cap is None else (None, cap + half)
        case StrikeType.BETWEEN:
            return None if floor is None or cap is None else (floor - half, cap + half)


def by_strike_type(
    strike_type: StrikeType,
    floor_strike: Decimal | None,
    cap_strike: Decimal | None,
    above: Callable[[float], float],
) -> float | None:
    """Probability of YES by any model that knows the probability to settle at or above a threshold.

    None when the strike that the type needs is not known yet.
    """
    span = thresholds(strike_type, floor_strike, cap_strike)
    return None if span is None else within(span, above)


def within(span: Span, above: Callable[[float], float]) -> float:
    """Probability of a mean within some thresholds."""
    least, beyond = span
    if beyond is None:
        return 1.0 if least is None else above(least)
    if least is None:
        return 1.0 - above(beyond)
    return max(0.0, above(least) - above(beyond))
