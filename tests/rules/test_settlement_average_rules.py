"""Fat tails, times of day, bounds and whole ladders of the settlement average: the laws they must obey, and what they were fitted to."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace as replace_minute

from recio.messages.markets import StrikeType
from recio.rules.pricing import market_probability
from recio.rules.pricing.average_fit import ANY_HOUR, FITTED, TIME_OF_DAY, Fit, TimeOfDay
from recio.rules.pricing.model import Model, Reader
from recio.rules.pricing.settlement_average import forecast, tails_at
from recio.rules.pricing.time_of_day import factor, growth, mean_factor
from tests.builders import NORMAL, NOW, market, minute, price

SIGMA = 0.00007
SPOT = 84_000.0
ONE_MINUTE_BEFORE_THE_OPENING = datetime(2026, 11, 24, 14, 29, tzinfo=UTC)
"""A Tuesday in winter, 9:29 in New York."""


def test_far_strikes_are_likelier_with_fat_tails_and_near_ones_surer():
    fat, thin = (
        forecast(minute(SPOT, 600), SIGMA, 600, FITTED),
        forecast(minute(SPOT, 600), SIGMA, 600, NORMAL),
    )
    four_spreads = SPOT + 4 * thin.scale
    half_a_spread = SPOT + 0.5 * thin.scale
    assert fat.above(four_spreads) > 20 * thin.above(four_spreads)
    assert fat.above(half_a_spread) < thin.above(half_a_spread)


@given(st.floats(0.01, 8), st.floats(1, 7_200))
def test_fat_tails_are_symmetric_and_fall_with_distance(spreads: float, seconds: float):
    seen = forecast(minute(SPOT, seconds), SIGMA, seconds, FITTED)
    distance = spreads * seen.scale
    assert seen.above(SPOT + distance) + seen.above(SPOT - distance) == pytest.approx(1.0, abs=1e-12)
    assert seen.above(SPOT + 1.01 * distance) <= seen.above(SPOT + distance)


@given(st.floats(1, 500), st.floats(60, 7_000))
def test_with_more_time_a_far_strike_is_not_less_likely(distance: float, seconds: float):
    sooner = forecast(minute(SPOT, seconds), SIGMA, seconds, FITTED)
    later = forecast(minute(SPOT, 1.02 * seconds), SIGMA, 1.02 * seconds, FITTED)
    if distance > 3 * later.scale:
        return
    assert later.above(SPOT + distance) >= sooner.above(SPOT + distance) - 1e-4


@given(st.floats(0.1, 100_000))
def test_the_shape_lies_between_its_knots_and_stays_at_the_outermost(seconds: float):
    shape = tails_at(FITTED.tails, seconds)
    scales = [knot.scale for knot in FITTED.tails]
    assert min(scales) <= shape.scale <= max(scales)


def test_at_its_knots_the_shape_is_what_was_fitted():
    for knot in FITTED.tails:
        assert tails_at(FITTED.tails, knot.seconds) == knot
    five, fifteen = (knot for knot in FITTED.tails if knot.seconds in (300, 900))
    between = tails_at(FITTED.tails, math.sqrt(300 * 900))
    assert between.scale == pytest.approx((five.scale + fifteen.scale) / 2)


def test_the_mean_is_distributed_as_a_draw_from_a_student_t_with_four_degrees_of_freedom():
    dice, draws = random.Random(5), 40_000
    seen = forecast(minute(SPOT, 900), SIGMA, 900, FITTED)
    drawn = [
        dice.gauss(0, 1) / math.sqrt(sum(dice.gauss(0, 1) ** 2 for _ in range(4)) / 4) for _ in range(draws)
    ]
    for scales in (-2.0, 0.3, 1.5, 4.0):
        over = sum(each >= scales for each in drawn) / draws
        assert over == pytest.approx(seen.above(SPOT + scales * seen.scale), abs=0.01)


def test_the_far_tail_keeps_its_digits():
    """Beyond a thousand scales a Student t with four degrees has 3 / x^4 left."""
    seen = forecast(minute(SPOT, 900), SIGMA, 900, FITTED)
    assert seen.above(SPOT + 1_000 * seen.scale) == pytest.approx(3 / 1_000**4, rel=1e-4)


def test_a_standard_error_of_a_price_is_as_wide_as_it_says():
    """With nothing to come but an error, two thirds lie within one of it."""
    only_error = replace_minute(minute(SPOT, 0, [SPOT] * 60), error=10.0)
    seen = forecast(only_error, SIGMA, 0, FITTED)
    assert seen.above(SPOT - 10) - seen.above(SPOT + 10) == pytest.approx(0.683, abs=0.002)


def test_once_every_print_is_made_no_tail_is_left():
    made = forecast(minute(SPOT, 0, [83_999.0] * 60), SIGMA, 0, FITTED)
    assert (made.above(83_999.0), made.above(83_999.01)) == (1.0, 0.0)


@pytest.mark.parametrize(("price_", "volatility", "seconds"), [(0, SIGMA, 1), (1, 0, 1), (1, SIGMA, -1)])
def test_what_cannot_be_is_refused(price_: float, volatility: float, seconds: float):
    with pytest.raises(ValueError, match="must be positive"):
        forecast(minute(price_, seconds), volatility, seconds, FITTED)


# Times of day.


def test_the_hour_is_new_yorks_in_summer_and_in_winter():
    opening = TIME_OF_DAY.weekday[19]
    assert factor(TIME_OF_DAY, datetime(2026, 11, 24, 14, 30, tzinfo=UTC).timestamp()) == opening
    assert factor(TIME_OF_DAY, datetime(2026, 7, 7, 13, 30, tzinfo=UTC).timestamp()) == opening
    assert (
        factor(TIME_OF_DAY, datetime(2026, 11, 28, 14, 30, tzinfo=UTC).timestamp()) == TIME_OF_DAY.weekend[19]
    )


def test_a_mean_over_several_half_hours_weighs_each_by_its_part():
    since = datetime(2026, 11, 24, 14, 20, tzinfo=UTC).timestamp()
    row = TIME_OF_DAY.weekday
    expected = (600 * row[18] + 1_800 * row[19] + 300 * row[20]) / 2_700
    assert mean_factor(TIME_OF_DAY, since, since + 2_700) == pytest.approx(expected)
    assert mean_factor(TIME_OF_DAY, since, since) == row[18]


def test_before_the_opening_more_is_expected_than_was_measured_and_after_lunch_less():
    before = datetime(2026, 11, 24, 14, 29, tzinfo=UTC).timestamp()
    assert growth(TIME_OF_DAY, before, before + 900) > 1.3
    after = datetime(2026, 11, 24, 21, 0, tzinfo=UTC).timestamp()
    assert growth(TIME_OF_DAY, after, after + 900) < 1.0
    assert growth(None, before, before + 900) == 1.0


def test_where_every_hour_is_the_same_nothing_changes():
    flat = TimeOfDay(weekday=(1.0,) * 48, weekend=(1.0,) * 48)
    assert growth(flat, NOW.timestamp(), NOW.timestamp() + 5_000) == pytest.approx(1.0)


def test_the_time_of_day_reaches_the_probability():
    now = ONE_MINUTE_BEFORE_THE_OPENING
    shown = market(close_time=now + timedelta(minutes=10), floor_strike=Decimal(84_100))
    seen = price()
    seen = replace(seen, tick=replace(seen.tick, at=now))
    wild, plain = (Reader(Model(fit=fit)).probability(shown, seen, now) for fit in (FITTED, ANY_HOUR))
    assert isinstance(wild, float)
    assert isinstance(plain, float)
    assert wild > plain + 0.01


# Bounds.


def bounds(fit: Fit, error: float, strike: str = "84100", **changes: object) -> tuple[float, float]:
    seen = replace(price(), error=error, basis_error=error, **changes)
    found = Reader(Model(fit=fit)).bounds(market(floor_strike=Decimal(strike)), seen, NOW)
    assert isinstance(found, tuple)
    return found


def test_bounds_hold_the_answer_and_are_wider_for_a_price_that_is_not_the_index():
    probability = market_probability.probability(market(floor_strike=Decimal(84_100)), price(), NOW)
    assert isinstance(probability, float)
    exact, off = bounds(FITTED, 0.0), bounds(FITTED, 0.0002)
    assert off[0] < exact[0] < probability < exact[1] < off[1]


def test_bounds_widen_with_the_errors_that_were_fitted():
    small = replace(FITTED, volatility_error=0.01)
    wide, narrow = bounds(FITTED, 0.0001), bounds(small, 0.00001)
    assert wide[1] - wide[0] > 4 * (narrow[1] - narrow[0])


def test_bounds_widen_where_less_of_the_past_was_measured():
    whole = bounds(FITTED, 0.0)
    part = bounds(FITTED, 0.0, unmeasured=((0, int(NOW.timestamp()) - 300),))
    assert part[0] < whole[0]
    assert whole[1] < part[1]


@pytest.mark.parametrize("spot", ["84100", "84050", "84000", "83900"])
def test_bounds_between_two_strikes_are_the_extremes_of_all_that_may_be(spot: str):
    between = market(
        strike_type=StrikeType.BETWEEN, floor_strike=Decimal(83_950), cap_strike=Decimal("84049.99")
    )
    seen = replace(price(spot, age=0), error=0.0001, basis_error=0.0001)
    low, high = Reader(Model()).bounds(between, seen, NOW)
    box = [
        market_probability.probability(between, replace(moved, volatility=SIGMA * ratio), NOW)
        for ratio in (0.92, 0.94, 0.96, 0.98, 1.0, 1.02, 1.04, 1.06, 1.08)
        for moved in (
            replace(
                seen,
                error=0.0,
                basis_error=0.0,
                tick=replace(seen.tick, price=seen.tick.price * (1 + Decimal(tenths) / 100_000)),
            )
            for tenths in range(-10, 11)
        )
    ]
    assert (low, high) == (pytest.approx(min(box), abs=0.001), pytest.approx(max(box), abs=0.001))


# Ladders.


@pytest.mark.parametrize("strike_type", list(StrikeType))
def test_a_reader_gives_each_strike_of_a_ladder_what_it_gives_it_alone(strike_type: StrikeType):
    reader = Reader(Model())
    for step in range(-20, 20):
        floor = Decimal(84_000 + 25 * step)
        each = market(strike_type=strike_type, floor_strike=floor, cap_strike=floor + 50)
        alone = market_probability.probability(each, price(), NOW)
        assert reader.probability(each, price(), NOW) == alone
    assert len(reader.forecasts) == 1
