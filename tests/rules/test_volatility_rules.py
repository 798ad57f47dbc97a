"""What is remembered of the price: no holes, no look-ahead, no invented volatility."""

from __future__ import annotations

import math
import random
from decimal import Decimal

import pytest

from recio.rules.price.volatility import PriceMemory


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


def test_a_second_without_a_trade_repeats_the_price_before_it():
    memory = PriceMemory()
    memory.remember(10, Decimal(1))
    memory.remember(13, Decimal(2))
    memory.remember(14, Decimal(3))
    assert list(memory.seconds) == [(10, Decimal(1)), (11, Decimal(1)), (12, Decimal(1)), (13, Decimal(2))]


def test_a_long_hole_forgets_what_was_before_it():
    memory = PriceMemory(longest_hole=30)
    memory.remember(10, Decimal(1))
    memory.remember(11, Decimal(1))
    memory.remember(100, Decimal(2))
    assert list(memory.seconds) == []


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
