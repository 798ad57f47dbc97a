"""Probability that the mean of the final sixty index prints lies beyond a strike; unknown stays None.

The contract settles on an average, not on the last price: until a minute before the close the
variance of that average is that of a random walk some twenty seconds shorter, and inside the last
minute the prints that are already made no longer move.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from decimal import Decimal

from recio.messages import StrikeType
from recio.rules.settlement import PRINTS


def half_unit(*strikes: Decimal | None) -> float:
    """Half of the last place that the average is rounded to before it is compared, read off the strikes.

    Cheap coins are settled at more places than dear ones, and their strikes are written with them
    (1.3599, 0.0699999); zeros at their end may have got lost, so the size of the strike counts too.
    """
    places = max((_places(strike) for strike in strikes if strike is not None), default=2)
    return 0.5 * 10.0**-places


def _places(strike: Decimal) -> int:
    exponent = strike.as_tuple().exponent
    written = -exponent if isinstance(exponent, int) else 0
    usual = 2 if strike >= 1_000 else 4 if strike >= 1 else 7
    return max(written, usual)


def normal_cdf(z: float) -> float:
    return 0.5 * math.erfc(-z / math.sqrt(2.0))


def mean_variance_seconds(prints_to_come: int, seconds_before_first: float) -> float:
    """Variance of the mean of all sixty prints, in units of (relative variance per second).

    `seconds_before_first` is the time from now to the second before the first print to come.
    """
    m = prints_to_come
    weight = m / PRINTS
    return weight * weight * seconds_before_first + m * (m + 1) * (2 * m + 1) / (6 * PRINTS * PRINTS)


def mean_above(
    threshold: float,
    price: float,
    volatility: float,
    seconds_to_close: float,
    prints_made: Sequence[float],
) -> float:
    """P(mean of the sixty prints >= threshold), for a driftless price.

    `prints_made` are the prices of those of the sixty seconds that have passed, in any order.
    Raises ValueError for a price, volatility or time that cannot be.
    """
    if price <= 0 or volatility <= 0 or seconds_to_close < 0:
        raise ValueError("price and volatility must be positive and the time to close not negative")
    made = min(len(prints_made), PRINTS)
    to_come = PRINTS - made
    expected = (math.fsum(prints_made[:made]) + price * to_come) / PRINTS
    variance = mean_variance_seconds(to_come, max(0.0, seconds_to_close - PRINTS))
    spread = price * volatility * math.sqrt(variance)
    if spread == 0.0:
        return 1.0 if expected >= threshold else 0.0
    return normal_cdf((expected - threshold) / spread)


def prints_made(last_minute: Sequence[tuple[int, Decimal]], closes_at: int, now: float) -> list[float] | None:
    """The prices of the closing minute's seconds that have passed; None if some are missing."""
    first = closes_at - PRINTS
    passed = max(0, min(PRINTS, math.floor(now) - first))
    made = [float(price) for second, price in last_minute if first <= second < first + passed]
    # The second that just ended may not have been completed by a later trade yet.
    return made if passed - len(made) <= 2 else None


def yes_probability(
    strike_type: StrikeType,
    floor_strike: Decimal | None,
    cap_strike: Decimal | None,
    price: float,
    volatility: float,
    seconds_to_close: float,
    prints: Sequence[float],
) -> float | None:
    """Probability of YES, or None when the strike that the type needs is not known yet."""

    def above(threshold: float) -> float:
        return mean_above(threshold, price, volatility, seconds_to_close, prints)

    return by_strike_type(strike_type, floor_strike, cap_strike, above)


def by_strike_type(
    strike_type: StrikeType,
    floor_strike: Decimal | None,
    cap_strike: Decimal | None,
    above: Callable[[float], float],
) -> float | None:
    """Probability of YES by any model that knows the probability to settle at or above a threshold.

    None when the strike that the type needs is not known yet.
    """
    half = half_unit(floor_strike, cap_strike)

    def beyond(strike: Decimal, nudge: float) -> float:
        return above(float(strike) + nudge * half)

    match strike_type:
        case StrikeType.GREATER:
            return None if floor_strike is None else beyond(floor_strike, 1.0)
        case StrikeType.GREATER_OR_EQUAL:
            return None if floor_strike is None else beyond(floor_strike, -1.0)
        case StrikeType.LESS:
            return None if cap_strike is None else 1.0 - beyond(cap_strike, -1.0)
        case StrikeType.LESS_OR_EQUAL:
            return None if cap_strike is None else 1.0 - beyond(cap_strike, 1.0)
        case StrikeType.BETWEEN:
            if floor_strike is None or cap_strike is None:
                return None
            return max(0.0, beyond(floor_strike, -1.0) - beyond(cap_strike, 1.0))
