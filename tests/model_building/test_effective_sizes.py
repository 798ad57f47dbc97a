"""What a counted share is worth: bounds of dependent samples hold the truth as often as they say, few or many, rare or common."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from functools import cache

import pytest

from recio.model.build import build
from recio.model.effective_size import Blocks, of_weights
from recio.rules.pricing.empirical import TableReading, counted_bounds
from tests.model_building.test_building_tables import candles, walk

DRAWS = 200
SLACK = 3
"""Standard errors of the simulation."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Blocks whose minutes happen together: in each the share is another, around the same odds."""

    blocks: int
    minutes: int
    odds: float
    """Logarithm of what is usual."""
    apart: float
    """Standard deviation of that from block to block."""

    def share_of_block(self, dice: random.Random) -> float:
        return 1 / (1 + math.exp(-self.odds - dice.gauss(0, self.apart)))


@cache
def truth(sample: Sample) -> float:
    dice = random.Random("truth")
    return math.fsum(sample.share_of_block(dice) for _ in range(20_000)) / 20_000


def drawn(sample: Sample, seed: int) -> TableReading:
    dice, found, weights = random.Random(seed), Blocks(1), list[float]()
    for block in range(sample.blocks):
        weight, share = float(1 + 4 * (block > sample.blocks // 2)), sample.share_of_block(dice)
        hits = sum(dice.random() < share for _ in range(sample.minutes))
        found.add(weight * sample.minutes, [weight * hits])
        weights += [weight] * sample.minutes
    return TableReading(
        probability=found.hits[0] / found.weight, worth=found.worth(of_weights(weights)), clamped=()
    )


SAMPLES = [
    Sample(blocks, minutes, odds, apart)
    for blocks, minutes in ((5, 20), (8, 20), (12, 20), (40, 6), (120, 4))
    for odds in (-4.5, -2.0, 0.0, 4.5)
    for apart in (0.0, 1.0)
]


@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_bounds_of_dependent_samples_hold_the_truth_as_often_as_they_say(sample: Sample):
    found = [drawn(sample, seed) for seed in range(DRAWS)]
    for reach, stated in ((1.0, 0.683), (1.96, 0.95)):
        bounds = [counted_bounds(each, reach) for each in found]
        held = sum(low <= truth(sample) <= high for low, high in bounds)
        assert held / DRAWS >= stated - SLACK * math.sqrt(stated * (1 - stated) / DRAWS)


def test_weights_that_differ_are_worth_less_than_their_number():
    assert of_weights([1.0] * 100) == pytest.approx(100)
    assert of_weights([5.0, 4.0, 3.0, 2.0, 1.0] * 20) == pytest.approx(100 * 225 / 275)
    assert of_weights([]) == 0


def test_blocks_that_are_alike_are_worth_what_their_weights_allow_and_those_that_go_together_as_many_as_they_are():
    alike, together = Blocks(1), Blocks(1)
    for block in range(200):
        alike.add(100, [50])
        together.add(100, [100 * (block % 2)])
    assert alike.worth(20_000) == 20_000
    assert together.worth(20_000) == pytest.approx(197)


def test_few_blocks_are_worth_as_many_draws_as_they_are():
    found = Blocks(1)
    for _ in range(5):
        found.add(100, [10])
    assert found.worth(500) == pytest.approx(5)


def test_minutes_of_wild_and_calm_days_are_worth_fewer_draws_than_as_many_of_days_alike():
    alike, wild = list[float](), list[float]()
    for day in range(14):
        alike += walk(1_440, seed=day, sigma=0.0006)
        wild += walk(1_440, seed=day, sigma=0.0003 if day % 2 else 0.0009)
    of_alike, of_wild = (
        build(candles(each), "BTC", block_minutes=1_440).table.buckets[0].worth for each in (alike, wild)
    )
    assert of_wild[0] < of_alike[0] / 2
    assert of_alike[59] < of_alike[0]
