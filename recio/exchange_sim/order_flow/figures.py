"""Figures measured from recorded 15-minute markets that the simulated traders follow; numbers only, no state."""

from __future__ import annotations

from bisect import bisect
from itertools import accumulate
from math import exp, log
from random import Random

MAKERS = 8
TAKERS = 600

MISPRICING_SD = 0.0275
"""Standard deviation, in probability, of the makers' error when the outcome is even."""
MISPRICING_HALF_LIFE_SECONDS = 75.0

TAKER_ORDERS_PER_SECOND = 3.0

NEAR_DEVIATIONS = 2.4
"""Strikes within so many standard deviations of the expected settlement value have two sides."""
LADDER_ERROR_SD = 0.07
"""The makers' error about a ladder, in standard deviations of the settlement value."""
LADDER_ACTIONS_PER_SECOND = 60.0
"""Of all near strikes together."""
LADDER_LOOKS_PER_STEP = 3
"""So many near strikes are compared with the index every 50 ms, one after another."""
LADDER_PATIENCE = 0.8
"""By how much of a step of the price the fair value must have left the middle of a strike's quotes before makers move them."""
LADDER_TAKERS_PER_SECOND = 1.5
LADDER_BUILD_LEVELS = 12
FAR_CONTRACTS = (10_000, 60_000)
"""Size of the lone offer of a strike far from the index."""

ACTIONS_PER_CHANGE = 0.72
"""One action changes more than one level on the average."""
MOVE_SHARE = 0.5
"""How many of the makers' orders go from one level to another at one moment, as an amended order does."""
THROUGH = ((0.15, 0), (0.65, 100), (0.90, 300), (1.0, 1_000))
"""How far beyond the best price takers go: shares, cumulated, and $0.0001."""
PATIENCE = 0.45
"""By how much of a step of the price the fair value must have passed a quote before makers move it."""
REACTION = 0.4
"""How likely makers whose quote was passed notice it within one look at the index, of which there are twenty a second."""
PACE_SD = 0.65
PACE_HALF_LIFE_SECONDS = 2.5
"""How unevenly actions come: the logarithm of their rate wanders."""
SOON_SHARE = 0.6
SOON_PART = 0.35
"""So many actions come in answer to another: after so small a part of the mean gap."""
URGENT_GAP_MS = 5.0
"""Between the withdrawals and new quotes of makers whose price has moved."""

FIRST_SIZE_DRAWS = 3
"""The first to quote at a new price quotes the least of so many sizes."""

WIDE_SECONDS = 120.0
"""So long before the close makers keep further apart."""

_ACTIVITY = ((30.0, 12.0), (60.0, 29.0), (120.0, 50.0), (300.0, 77.0), (600.0, 84.0), (1e9, 98.0))
"""(up to so many seconds before the close, makers' actions per second)."""

_DISTANCE_WEIGHTS = (
    (0.33, 0.17, 0.11, 0.08, 0.06, 0.045, 0.04, 0.02, 0.015, 0.011)
    + (0.007,) * 5
    + (0.003,) * 10
    + (0.0015,) * 30
)
"""How often makers act so many cents behind the best price."""
_TOTAL_WEIGHT = sum(_DISTANCE_WEIGHTS)
DISTANCE_CUMULATIVE = [weight / _TOTAL_WEIGHT for weight in accumulate(_DISTANCE_WEIGHTS)][:-1]

ASK_OR_BID_GAP = 20
"""Spacing of makers' levels near 0 and 1, where prices go by tenths of a cent."""

_SIZE_POINTS = (
    (0.0, 1.0),
    (0.05, 2.0),
    (0.10, 3.0),
    (0.25, 18.0),
    (0.50, 75.0),
    (0.75, 400.0),
    (0.90, 1000.0),
    (0.95, 1500.0),
    (0.99, 6249.0),
    (1.0, 7000.0),
)
_TRADE_POINTS = (
    (0.0, 0.5),
    (0.05, 1.0),
    (0.10, 1.0),
    (0.25, 3.0),
    (0.50, 14.0),
    (0.75, 75.0),
    (0.90, 280.0),
    (0.95, 600.0),
    (0.99, 1800.0),
    (1.0, 5000.0),
)
_FRACTIONAL_SHARE = 0.125
_POOL = 2048

_DEPTH_BY_CENT = (1_050.0, 980.0, 940.0, 650.0, 440.0, 360.0, 380.0, 310.0, 340.0, 560.0)
"""Mean contracts on a level so many cents behind the best, in the middle of the price range."""
_DEEP_LEVEL = 1_100.0
_FINE_LEVEL = 320.0


def actions_per_second(seconds_left: float) -> float:
    return next(rate for limit, rate in _ACTIVITY if seconds_left <= limit)


def half_spread(quote: float, seconds_left: float = 1e9) -> float:
    """Half the distance between the makers' bid and ask before it is put on the grid, in $0.0001."""
    edge = min(quote, 10_000 - quote)
    if edge > 1_000:
        return 36.0 if seconds_left < WIDE_SECONDS else 7.0
    return 18.0 if edge > 300 else 9.0


def ladder_half_spread(quote: float) -> float:
    """The same for the strikes of a ladder, whose books are wider: 2 to 3 cents where the outcome is open."""
    return 88.0 if min(quote, 10_000 - quote) > 1_000 else half_spread(quote)


def target_depth(price: int, distance: int) -> float:
    """Quantity (0.01 contract) that a level tends towards."""
    if not 1_000 <= price <= 9_000:
        return 100 * _FINE_LEVEL
    cents = distance // 100
    return 100 * (_DEPTH_BY_CENT[cents] if cents < len(_DEPTH_BY_CENT) else _DEEP_LEVEL)


def build_depth(random: Random, price: int, distance: int) -> int:
    """First quantity of a level when a window opens; 0 for the levels that stay empty."""
    fine = not 1_000 <= price <= 9_000
    if random.random() > (0.6 if fine else 0.9):
        return 0
    mean = target_depth(price, distance)
    return max(100, int(mean * random.expovariate(1.0)) // 100 * 100)


def order_sizes(random: Random) -> list[int]:
    """A pool of makers' sizes with the measured quantiles, an eighth of them fractional."""
    return [_quantity(random, _SIZE_POINTS) for _ in range(_POOL)]


def trade_sizes(random: Random) -> list[int]:
    """A pool of takers' sizes."""
    return [_quantity(random, _TRADE_POINTS) for _ in range(_POOL)]


def _quantity(random: Random, points: tuple[tuple[float, float], ...]) -> int:
    drawn = random.random()
    place = min(max(bisect([share for share, _ in points], drawn), 1), len(points) - 1)
    (low_share, low), (high_share, high) = points[place - 1], points[place]
    part = (drawn - low_share) / (high_share - low_share)
    contracts = exp(log(low) + part * (log(high) - log(low)))
    if random.random() < _FRACTIONAL_SHARE:
        return max(1, int(contracts * 100))
    return max(1, round(contracts)) * 100
