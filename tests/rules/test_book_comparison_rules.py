"""A side that is read in the other outcome's prices shows against the REST book, and a market that moves does not."""

from __future__ import annotations

import random

import pytest

from recio.rules.market.book_comparison import Likeness, likeness
from recio.units import Price, Quantity, complement

Levels = dict[Price, Quantity]


def levels(*cents: int, size: int = 1_000) -> Levels:
    return {Price(cent * 100): Quantity(size) for cent in cents}


def turned(side: Levels) -> Levels:
    return {complement(price): quantity for price, quantity in side.items()}


DEEP = levels(*range(1, 49))
ACROSS = levels(*range(1, 61))
"""Of one size each, and beyond the middle: many levels stand where turned ones would."""


@pytest.mark.parametrize("rest", [DEEP, ACROSS, levels(30), levels(99, size=2_548_800), levels(1, 2, 97)])
def test_a_turned_side_is_noticed_and_the_same_side_agrees(rest: Levels):
    assert likeness(turned(rest), rest) is Likeness.MIRRORED
    assert likeness(rest, rest) is Likeness.AGREES
    assert likeness({}, {}) is Likeness.NOTHING


def test_a_side_that_is_its_own_mirror_is_read_the_same_either_way():
    symmetric = levels(40, 50, 60)
    assert likeness(turned(symmetric), symmetric) is Likeness.AGREES


@pytest.mark.parametrize(
    ("ours", "rest"),
    [(DEEP, {}), ({}, DEEP), (levels(10, 11, 12), levels(12, 13, 14)), (levels(10), levels(11))],
)
def test_what_moved_too_far_is_neither(ours: Levels, rest: Levels):
    assert likeness(ours, rest) is Likeness.DIFFERS


def test_moves_between_the_two_looks_neither_hide_a_turned_side_nor_make_one():
    rng = random.Random(20261129)
    for _ in range(500):
        cents = rng.sample(range(1, 60), rng.randint(4, 40))
        rest = {Price(cent * 100): Quantity(rng.choice((100, 500, rng.randint(1, 9_999)))) for cent in cents}
        ours = dict(rest)
        for price in rng.sample(sorted(ours), len(ours) // 4):
            change = rng.choice((0, 100, 7))
            ours[price] = Quantity(ours[price] + change)
            if not change:
                del ours[price]
        assert likeness(ours, rest) is Likeness.AGREES
        if turned(rest) != rest:
            assert likeness(turned(ours), rest) is not Likeness.AGREES


def test_half_of_the_levels_is_enough_to_agree_and_one_less_is_not():
    assert likeness(levels(10, 11, 12, 13), levels(10, 11, 22, 23)) is Likeness.AGREES
    assert likeness(levels(10, 11, 12, 13), levels(10, 21, 22, 23)) is Likeness.DIFFERS
