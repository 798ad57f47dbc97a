"""The settlement-average model, against its closed form, a simulation and the laws it must obey."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from recio.messages.markets import StrikeType
from recio.rules.market.settlement import places_of
from recio.rules.pricing.probability import by_strike_type, half_unit, thresholds
from recio.rules.pricing.settlement_average import forecast
from tests.builders import NORMAL, minute

SIGMA = 0.00007
probabilities = st.floats(50_000, 120_000)


def mean_above(
    threshold: float, price: float, volatility: float, seconds: float, made: Sequence[float]
) -> float:
    return forecast(minute(price, seconds, made), volatility, seconds, NORMAL).above(threshold)


def yes_probability(
    strike_type: StrikeType,
    floor: Decimal | None,
    cap: Decimal | None,
    price: float,
    volatility: float,
    seconds: float,
    made: Sequence[float],
) -> float | None:
    seen = forecast(minute(price, seconds, made), volatility, seconds, NORMAL)
    return by_strike_type(strike_type, floor, cap, seen.above)


@pytest.mark.parametrize(
    ("seconds", "ratio"), [(3600, 0.995), (900, 0.978), (300, 0.932), (120, 0.819), (60, 0.585)]
)
def test_the_average_moves_less_than_the_last_price(seconds: int, ratio: float):
    variance = minute(84_000, seconds).to_come
    assert math.sqrt(variance / seconds) == pytest.approx(ratio, abs=0.001)


def test_with_ten_prints_to_come_little_can_change():
    assert math.sqrt(minute(84_000, 10, [84_000.0] * 50).to_come / 10) == pytest.approx(0.103, abs=0.001)


def test_the_model_agrees_with_a_simulated_walk():
    dice = random.Random(7)
    price, threshold, seconds, walks = 84_000.0, 84_040.0, 180, 6_000
    above = 0
    for _ in range(walks):
        at, total = price, 0.0
        for second in range(1, seconds + 1):
            at *= 1 + dice.gauss(0, SIGMA)
            if second > seconds - 60:
                total += at
        above += total / 60 >= threshold
    expected = mean_above(threshold, price, SIGMA, seconds, [])
    assert above / walks == pytest.approx(expected, abs=4 * math.sqrt(0.25 / walks))


def test_when_all_prints_are_made_the_outcome_is_certain():
    assert mean_above(84_000, 90_000, SIGMA, 0, [83_999.0] * 60) == 0.0
    assert mean_above(84_000, 10_000, SIGMA, 0, [84_000.0] * 60) == 1.0


@given(probabilities, st.floats(1, 500), st.floats(1, 3600))
def test_symmetric_about_the_price(price: float, distance: float, seconds: float):
    up = mean_above(price + distance, price, SIGMA, seconds, [])
    down = mean_above(price - distance, price, SIGMA, seconds, [])
    assert up + down == pytest.approx(1.0, abs=1e-9)


@given(probabilities, st.floats(0, 500), st.floats(0.01, 500), st.floats(1, 3600))
def test_a_higher_strike_is_never_likelier(price: float, distance: float, further: float, seconds: float):
    near = mean_above(price + distance, price, SIGMA, seconds, [])
    assert mean_above(price + distance + further, price, SIGMA, seconds, []) <= near


@given(probabilities, st.floats(1, 500), st.floats(1, 1800), st.floats(1, 1800))
def test_more_time_never_makes_the_losing_side_less_likely(
    price: float, distance: float, seconds: float, more: float
):
    assume(seconds >= 60)
    now = mean_above(price + distance, price, SIGMA, seconds, [])
    assert mean_above(price + distance, price, SIGMA, seconds + more, []) >= now - 1e-12


@pytest.mark.parametrize("strike_type", list(StrikeType))
def test_without_its_strike_a_market_has_no_probability(strike_type: StrikeType):
    assert yes_probability(strike_type, None, None, 84_000, SIGMA, 300, []) is None


def test_less_is_the_other_side_of_greater_or_equal():
    strike = Decimal("84010.00")
    above = yes_probability(StrikeType.GREATER_OR_EQUAL, strike, None, 84_000, SIGMA, 300, [])
    below = yes_probability(StrikeType.LESS, None, strike, 84_000, SIGMA, 300, [])
    assert above is not None
    assert below == pytest.approx(1 - above)


def test_a_range_is_what_lies_between_its_ends():
    between = yes_probability(
        StrikeType.BETWEEN, Decimal("84000"), Decimal("84099.99"), 84_050, SIGMA, 300, []
    )
    assert between is not None
    assert 0.2 < between < 0.6


def test_a_price_that_cannot_be_is_refused():
    with pytest.raises(ValueError, match="positive"):
        mean_above(84_000, 0, SIGMA, 300, [])


@pytest.mark.parametrize(
    ("strike", "half"),
    [("83955.99", 0.005), ("84000", 0.005), ("73.7499", 0.00005), ("1.36", 0.00005), ("0.0699999", 5e-8)],
)
def test_the_rounding_that_counts_is_that_of_the_coin(strike: str, half: float):
    assert half_unit(places_of(Decimal(strike))) == pytest.approx(half)


def test_a_threshold_does_not_hang_on_who_was_asked_about_before():
    """1.35 and 1.35000 are one number, and their averages are rounded to places of their own."""
    finer = thresholds(StrikeType.GREATER_OR_EQUAL, Decimal("1.35000"), None)
    coarser = thresholds(StrikeType.GREATER_OR_EQUAL, Decimal("1.35"), None)
    assert finer == (pytest.approx(1.35 - 0.000005, abs=1e-12), None)
    assert coarser == (pytest.approx(1.35 - 0.00005, abs=1e-12), None)


def test_a_cheap_coin_at_its_strike_is_even_money_and_not_a_certainty():
    strike = Decimal("0.0699999")
    probability = yes_probability(StrikeType.GREATER, strike, None, 0.07, 0.0002, 600, [])
    assert probability is not None
    assert 0.45 < probability < 0.55
