"""What is remembered of the price: no holes, no look-ahead, no invented volatility."""

from __future__ import annotations

import math
import random
from decimal import Decimal
from itertools import pairwise

import pytest

from recio.rules.price.volatility import STILL_RUNS, PriceMemory


def test_volatility_is_unknown_until_enough_seconds_are_known():
    memory = PriceMemory(warmup_seconds=60)
    for second in range(60):
        memory.remember(second, Decimal(84_000 + second % 3))
    assert memory.volatility() is None
    memory.remember(60, Decimal(84_000))
    assert memory.volatility() is not None


def test_volatility_of_a_known_walk_is_found():
    dice, memory, price, sigma = random.Random(3), PriceMemory(), 84_000.0, 0.00007
    for second in range(900):
        price *= math.exp(dice.gauss(0, sigma))
        memory.remember(second, Decimal(f"{price:.2f}"))
    assert memory.volatility() == pytest.approx(sigma, rel=0.25)


def test_volatility_is_unknown_while_the_price_stood_still_most_of_the_time():
    memory = PriceMemory()
    for second in range(200):
        memory.remember(second, Decimal(84_000))
    for second in range(200, 300):
        memory.remember(second, Decimal(84_000 + second))
    assert memory.volatility() is None
    for second in range(300, 420):
        memory.remember(second, Decimal(84_000 + second))
    assert memory.volatility() is not None


def test_bouncing_between_bid_and_ask_is_not_taken_for_movement():
    dice, memory = random.Random(3), PriceMemory()
    for second in range(900):
        memory.remember(second, Decimal(84_000 + dice.randrange(3) * 2))
    one_second_returns = 2 / 84_000
    found = memory.volatility()
    assert found is not None
    assert found < one_second_returns / 2


def test_a_second_without_a_trade_repeats_the_price_before_it_if_the_next_word_comes_soon():
    memory = PriceMemory()
    memory.remember(10, Decimal(1))
    memory.remember(13, Decimal(2))
    memory.remember(14, Decimal(3))
    assert list(memory.seconds) == [(10, Decimal(1)), (11, Decimal(1)), (12, Decimal(1)), (13, Decimal(2))]


def test_seconds_that_nobody_saw_are_not_filled_and_known_as_a_hole():
    memory = PriceMemory()
    for second, price in ((10, 1), (11, 1), (100, 2), (101, 3)):
        memory.remember(second, Decimal(price))
    assert list(memory.seconds) == [(10, Decimal(1)), (11, Decimal(1)), (100, Decimal(2))]
    assert memory.holes == ((0, 10), (12, 100))


def test_a_hole_that_still_runs_is_known_as_one_and_its_price_is_too_old_for_a_move():
    memory = PriceMemory()
    for second in (10, 11):
        memory.remember(second, Decimal(1))
    assert memory.unmeasured(13.9) == memory.holes
    assert memory.unmeasured(15.0) == ((0, 10), (11, STILL_RUNS))
    assert [memory.is_past(now) for now in (40.0, 44.0)] == [False, True]


def test_while_nobody_vouches_for_the_price_no_second_is_complete():
    memory = PriceMemory()
    memory.remember(10, Decimal(1))
    memory.remember(11, Decimal(1))
    memory.interrupt()
    memory.remember(12, Decimal(2))
    memory.remember(13, Decimal(2))
    assert list(memory.seconds) == [(10, Decimal(1)), (12, Decimal(2))]


def walked(memory: PriceMemory, seconds: range, sigma: float, dice: random.Random, at: float) -> float:
    for second in seconds:
        at *= math.exp(dice.gauss(0, sigma))
        memory.remember(second, Decimal(f"{at:.2f}"))
    return at


def test_a_hole_is_not_measured_and_what_was_measured_before_it_counts_on():
    dice, memory = random.Random(3), PriceMemory()
    at = walked(memory, range(900), 0.00007, dice, 84_000.0)
    walked(memory, range(930, 1_000), 0.00007, dice, at * 1.01)
    assert memory.volatility() == pytest.approx(0.00007, rel=0.25)


def test_volatility_does_not_flicker_with_the_phase_of_its_steps():
    dice, memory, found = random.Random(3), PriceMemory(), list[float]()
    at = 84_000.0
    for second in range(2_400):
        at = walked(memory, range(second, second + 1), 0.00007, dice, at)
        if second > 2_300:
            found.append(memory.volatility() or 0.0)
    steps = [abs(later / earlier - 1) for earlier, later in pairwise(found)]
    assert max(steps) < 0.01


def test_a_late_trade_of_an_earlier_second_changes_nothing():
    memory = PriceMemory()
    memory.remember(10, Decimal(1))
    memory.remember(11, Decimal(2))
    assert memory.remember(10, Decimal(9)) is False
    assert list(memory.seconds) == [(10, Decimal(1))]


def test_seconds_completed_since_are_ascending_and_new():
    memory = PriceMemory()
    for second in range(5):
        memory.remember(second, Decimal(second + 1))
    assert memory.completed_since(1) == [(2, Decimal(3)), (3, Decimal(4))]


def test_the_last_five_minutes_carry_a_fifth_and_the_last_half_hour_four_fifths():
    """Calm for long, ten times as wild for the last four minutes."""
    memory, logs, level = PriceMemory(), list[float](), math.log(50_000)
    for second in range(2_400):
        level += 0.00002 if second < 2_160 else 0.0002
        logs.append(level)
        memory.remember(second, Decimal(f"{math.exp(level):.8f}"))
    squares = [(logs[end] - logs[end - 10]) ** 2 for end in range(10, 2_399)]
    five, thirty = squares[-300:], squares[-1_800:]
    variance = 0.2 * sum(five) / len(five) + 0.8 * sum(thirty) / len(thirty)
    assert memory.volatility() == pytest.approx(math.sqrt(variance / 10), rel=1e-4)


@pytest.mark.parametrize(("seconds", "speaks"), [(30, False), (31, True)])
def test_a_horizon_speaks_from_twenty_steps_on(seconds: int, speaks: bool):
    memory = PriceMemory(warmup_seconds=1)
    for second in range(seconds):
        memory.remember(second, Decimal(84_000 + second))
    assert (memory.volatility() is not None) is speaks
