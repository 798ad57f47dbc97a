"""Figures and counts in words: what a person reads is what is so."""

from __future__ import annotations

from decimal import Decimal

import pytest

from recio.texts import beside, counted


@pytest.mark.parametrize(
    ("limit", "figure", "places", "told"),
    [
        (840, 840.004, 0, "840.004"),
        (840, 839.6, 0, "839.6"),
        (840, 900.2, 0, "900"),
        (75, 74.96, 0, "74.96"),
        (5.0, 5.04, 1, "5.04"),
        (5.0, 7.25, 1, "7.2"),
        (0.35, 0.4, 0, "0.4"),
        (Decimal("50.00"), Decimal("50.0012"), 2, "50.001"),
        (840, 840, 0, "840"),
        (1, 1.0000000001, 0, "1.000000"),
    ],
)
def test_a_figure_beside_its_limit_never_reads_as_the_limit_that_it_broke(
    limit: float | Decimal, figure: float | Decimal, places: int, told: str
):
    assert beside(limit, figure, places) == told


def test_one_of_something_is_told_as_one():
    assert [counted(each, "entry was", "entries were") for each in (0, 1, 2)] == [
        "0 entries were",
        "1 entry was",
        "2 entries were",
    ]
