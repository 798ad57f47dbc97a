"""The settlement average's numbers come out of candles as they went into them."""

from __future__ import annotations

import math
import random
from pathlib import Path

import pytest

from recio.commands import model
from recio.model.candles import Candles
from recio.model.fit import fit, in_use, judge

MONDAY = 1_704_085_200 // 60
"""2024-01-01 00:00 in New York, as a Unix minute."""
WEEKS = 4


def walk(spread: float, *, opening: float = 1.0, jump: float = 1.0, share: float = 0.0) -> Candles:
    """Weeks of a random walk: `opening` times as wild from 9:30 to 10:00, and a `share` of minutes `jump` times as wild."""
    dice, price, closes = random.Random(3), 80_000.0, list[float]()
    for minute in range(WEEKS * 7 * 24 * 60):
        wild = opening if 570 <= minute % 1440 < 600 else 1.0
        wild *= jump if dice.random() < share else 1.0
        price *= math.exp(dice.gauss(0, spread * wild))
        closes.append(price)
    return Candles(first_minute=MONDAY, closes=closes, known=len(closes), digest="d")


def test_a_walk_with_thin_tails_and_no_wild_hour_is_found_to_have_neither():
    found = fit(walk(0.0004))
    assert all(
        0.7 < each < 1.4 for row in (found.time_of_day.weekday, found.time_of_day.weekend) for each in row
    )
    for each in found.tails:  # the likeliest t of normal moves is a little narrower than they are
        assert each.scale == pytest.approx(0.86, abs=0.06)
    assert found.volatility_error < 0.1


def test_a_wild_half_hour_is_found_where_it_lies_and_no_other_with_it():
    found = fit(walk(0.0004, opening=3.0))
    usual = found.time_of_day.weekday
    assert usual.index(max(usual)) == 19
    assert usual[19] / usual[18] == pytest.approx(9, rel=0.2)
    assert usual[20] / usual[18] == pytest.approx(1, rel=0.2)


def test_rare_wild_minutes_make_fat_tails_in_a_minute_and_thinner_ones_in_an_hour():
    found = fit(walk(0.0004, jump=6.0, share=0.02))
    minute, hour = found.tails[0], found.tails[-1]
    assert minute.scale < 0.8 < hour.scale


def test_a_fit_is_likelier_than_the_plain_volatility_on_candles_that_it_was_not_made_of():
    made = fit(walk(0.0004, opening=3.0, jump=6.0, share=0.02))
    other = walk(0.0007, opening=3.0, jump=6.0, share=0.02)
    for each in judge(other, made):
        assert each.windows > 500
        assert each.fitted > each.plain


def test_no_window_that_steps_over_a_missing_minute_counts():
    whole = walk(0.0004)
    holed = Candles(
        first_minute=MONDAY,
        closes=[0.0 if index % 1440 == 700 else close for index, close in enumerate(whole.closes)],
        known=whole.known - WEEKS * 7,
        digest="d",
    )
    (_, _, before, _), (_, _, after, _) = judge(whole, in_use()), judge(holed, in_use())
    # Each hole lies in the half hour before three windows of a quarter of an hour, or in one itself.
    assert before.windows - after.windows in (WEEKS * 7 * 3, WEEKS * 7 * 4)


def test_the_command_prints_numbers_in_the_form_in_which_they_are_kept(tmp_path: Path):
    path = tmp_path / "candles.csv"
    lines = [f"{60 * (MONDAY + at)},{close:.2f}" for at, close in enumerate(walk(0.0004).closes)]
    path.write_text("t_unix,close\n" + "\n".join(lines) + "\n", encoding="utf-8")
    told = model.fitted([path], path)
    assert "HORIZONS = ((300, " in told
    assert told.count("Tails(seconds=") == 4
    assert told.count("fit in use") == 4
