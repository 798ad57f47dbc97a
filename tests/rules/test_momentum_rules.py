"""Momentum: the six weighted moves to the hundredth, unknown while one of the short ones is."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recio.rules.price.momentum import (
    LONGEST_MINUTES,
    WEIGHTS,
    Peak,
    of_levels,
    of_minutes,
    score,
    with_peak,
)
from recio.rules.price.volatility import PriceMemory

PRICES = st.lists(st.floats(50_000, 100_000), min_size=31, max_size=31)


def test_the_weights_are_those_of_the_tables_and_sum_to_one():
    assert dict(WEIGHTS) == {1: 0.30, 2: 0.25, 3: 0.20, 4: 0.15, 15: 0.05, 30: 0.05}
    assert sum(weight for _, weight in WEIGHTS) == pytest.approx(1.0)


def test_each_horizon_counts_with_its_weight():
    for minutes, weight in WEIGHTS:
        closes = [100.0] * 31
        closes[30 - minutes] = 100.0 / 1.01
        moved = of_minutes(closes, 30)
        assert moved is not None
        assert moved.whole
        assert moved.bp == pytest.approx(100 * weight, abs=1e-9)


def test_a_price_that_stood_still_has_none_and_one_that_rose_evenly_has_its_sum():
    still, rising = of_minutes([100.0] * 31, 30), of_minutes([100.0 + n for n in range(31)], 30)
    assert still is not None
    assert rising is not None
    assert still.bp == 0.0
    assert rising.bp == pytest.approx(sum(w * (130 / (130 - n) - 1) for n, w in WEIGHTS) * 10_000)


@pytest.mark.parametrize(
    ("minutes_known", "known", "whole"),
    [(3, False, False), (4, True, False), (15, True, False), (30, True, True)],
)
def test_it_is_unknown_until_the_four_short_moves_are_and_whole_with_all_six(
    minutes_known: int, known: bool, whole: bool
):
    moved = score(101.0, lambda minutes: 100.0 if minutes <= minutes_known else None)
    assert (moved is not None) is known
    assert moved is None or (moved.whole, moved.bp) == (whole, pytest.approx(100.0))


def test_a_missing_minute_is_not_filled():
    closes = [100.0] * 31
    closes[28] = 0.0
    assert of_minutes(closes, 30) is None


@given(PRICES, st.floats(1.0001, 1.1))
def test_a_higher_newest_price_is_more_momentum(closes: list[float], factor: float):
    before, after = of_minutes(closes, 30), of_minutes([*closes[:30], closes[30] * factor], 30)
    assert before is not None
    assert after is not None
    assert after.bp > before.bp


@given(PRICES, st.floats(0.001, 1000))
def test_the_unit_of_the_price_does_not_matter(closes: list[float], factor: float):
    one, other = of_minutes(closes, 30), of_minutes([price * factor for price in closes], 30)
    assert one is not None
    assert other is not None
    assert other.bp == pytest.approx(one.bp, abs=1e-6)


def test_remembered_seconds_reach_as_far_back_as_the_longest_move():
    memory = PriceMemory()
    for second in range(60 * LONGEST_MINUTES + 2):
        memory.remember(second, Decimal(100 if second < 60 else 101))
    moved = memory.momentum()
    assert moved is not None
    assert moved.whole
    assert moved.bp == pytest.approx(0.05 * 100)
    newest = memory.seconds[-1][0]
    short = {second: memory.levels[second] for second in range(newest - 999, newest + 1)}
    assert of_levels(short, newest) != moved


def test_the_peak_of_a_minute_is_its_highest_figure_whatever_comes_after_it():
    peaks: tuple[Peak, ...] = ()
    for minute, momentum in ((7, 12.0), (7, -41.0), (7, 30.0), (7, 3.0), (8, 5.0), (8, -4.0)):
        peaks = with_peak(peaks, minute, momentum)
    assert peaks == ((7, 41.0), (8, 5.0))
