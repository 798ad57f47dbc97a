"""Probability that the mean of the final sixty index prints lies beyond a strike; unknown stays None.

The contract settles on an average, not on the last price: what is known of it is the closing minute's affair
(`recio/rules/pricing/closing_minute.py`), and here are the thresholds that it is compared with.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache

from recio.messages.markets import StrikeType
from recio.rules.market.settlement import places_of


def half_unit(places: int) -> float:
    """Half of the last place that the average is rounded to before it is compared."""
    return 0.5 * 10.0**-places


Span = tuple[float | None, float | None]
"""(from, below): YES is a mean of at least the one and less than the other, as far as there is one."""


def thresholds(
    strike_type: StrikeType, floor_strike: Decimal | None, cap_strike: Decimal | None
) -> Span | None:
    """The thresholds of one market. None when the strike that the type needs is not known yet."""
    return _thresholds(strike_type, floor_strike, cap_strike, places_of(floor_strike, cap_strike))


@lru_cache(maxsize=8_192)
def _thresholds(
    strike_type: StrikeType, floor_strike: Decimal | None, cap_strike: Decimal | None, places: int
) -> Span | None:
    """Kept, because a strike never changes and is asked for each cycle; by its places too, which equal decimals may differ in."""
    half = half_unit(places)
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
