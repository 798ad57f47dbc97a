"""A pause for momentum begins at the trigger, outlasts any fall that is short, and ends only after a whole calm stretch."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recio.rules.decision.momentum_pause import Paused, paused
from recio.rules.price.momentum import MINUTES_REMEMBERED, Peak, with_peak

TRIGGER, RESUME, CALM = 36.0, 30.0, 3
HEIGHTS = st.lists(st.floats(0, 60), min_size=1, max_size=60)


def pause(*heights: float, now: int | None = None) -> Paused | None:
    """The pause after these minutes, all of them over."""
    return paused(tuple(enumerate(heights)), len(heights) if now is None else now, TRIGGER, RESUME, CALM)


@pytest.mark.parametrize(
    ("heights", "is_paused"),
    [
        ((35.9, 35.9), False),
        ((36.0,), True),
        ((36.0, 35.0, 31.0, 30.0, 30.0), True),
        ((36.0, 29.9, 29.9), True),
        ((36.0, 29.9, 29.9, 29.9), False),
        ((36.0, 29.9, 29.9, 30.0, 29.9, 29.9), True),
        ((36.0, 29.9, 29.9, 30.0, 29.9, 29.9, 29.9), False),
        ((36.0, 1.0, 1.0, 1.0, 35.0), False),
        ((36.0, 1.0, 1.0, 1.0, 36.0), True),
    ],
)
def test_a_pause_begins_at_the_trigger_and_ends_after_the_calm_stretch(
    heights: tuple[float, ...], is_paused: bool
):
    assert (pause(*heights) is not None) is is_paused


def test_the_minute_that_still_runs_does_not_count_as_calm():
    assert pause(36.0, 1.0, 1.0, 1.0, now=3) is not None
    assert pause(36.0, 1.0, 1.0, 1.0, now=4) is None


def test_a_minute_nobody_saw_is_no_calm_one():
    seen: tuple[Peak, ...] = ((0, 40.0), (1, 1.0), (2, 1.0), (4, 1.0), (5, 1.0))
    assert paused(seen, 6, TRIGGER, RESUME, CALM) == Paused(peak=40.0, calm=2)


@given(HEIGHTS)
def test_whoever_is_not_paused_saw_no_trigger_since_the_last_calm_stretch(heights: list[float]):
    last = max((index for index, each in enumerate(heights) if each >= TRIGGER), default=None)
    found = pause(*heights)
    if last is None:
        assert found is None
        return
    after = heights[last + 1 :]
    stretches = [
        all(each < RESUME for each in after[start : start + CALM]) for start in range(len(after) - CALM + 1)
    ]
    assert (found is None) is any(stretches)


@given(HEIGHTS, st.integers(0, 59))
def test_looking_at_every_minute_or_only_once_comes_to_the_same(heights: list[float], cut: int):
    """A restart that remembers the peaks is paused exactly if the life before it was."""
    kept: tuple[Peak, ...] = ()
    for minute, height in enumerate(heights):
        kept = with_peak(kept, minute, height / 2)
        kept = with_peak(kept, minute, -height)
    assert paused(kept, len(heights), TRIGGER, RESUME, CALM) == pause(*heights)
    assert all(later == earlier + 1 for (earlier, _), (later, _) in pairwise(kept))
    assert cut < MINUTES_REMEMBERED


def test_peaks_are_forgotten_after_an_hour():
    kept: tuple[Peak, ...] = ()
    for minute in range(200):
        kept = with_peak(kept, minute, 1.0)
    assert len(kept) == MINUTES_REMEMBERED + 1
    assert kept[-1][0] == 199
