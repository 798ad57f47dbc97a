"""A pause for momentum begins at the trigger, outlasts any fall that is short, and ends only after a whole calm stretch."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recio.messages.prices import PriceView
from recio.rules.decision.momentum_pause import NO_PAUSES, PauseMemory, Pauses, paused, remembered
from recio.rules.price.momentum import MINUTES_REMEMBERED, Peak, with_peak
from recio.settings.trading import EntrySection
from tests.builders import price

TRIGGER, RESUME, CALM = 36.0, 30.0, 3
SETTINGS = EntrySection(spike_trigger_bp=TRIGGER, spike_resume_bp=RESUME, spike_calm_minutes=CALM)
HEIGHTS = st.lists(st.floats(0, 60), min_size=1, max_size=60)


def pause(*heights: float, now: int | None = None) -> PauseMemory | None:
    """The pause after these minutes, all of them over."""
    return paused(tuple(enumerate(heights)), len(heights) if now is None else now, SETTINGS)


def ran(peaks: tuple[Peak, ...]) -> dict[str, PriceView]:
    return {"BTC": replace(price(), momentum_peaks=peaks)}


def has_run(heights: list[float], *, first: int = 100) -> Pauses:
    """What is remembered after minutes that were looked at one by one, with an hour of peaks told each time."""
    kept, known = (), NO_PAUSES
    for minute, height in enumerate(heights, first):
        kept = with_peak(kept, minute, height)
        known = remembered(ran(kept), minute + 1, SETTINGS, known)
    return known


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
    assert paused(seen, 6, SETTINGS) == PauseMemory(minute=5, peak=40.0, calm=2)


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
    """A restart that remembers the peaks is paused exactly if the run before it was."""
    kept: tuple[Peak, ...] = ()
    for minute, height in enumerate(heights):
        kept = with_peak(kept, minute, height / 2)
        kept = with_peak(kept, minute, -height)
    assert paused(kept, len(heights), SETTINGS) == pause(*heights)
    assert all(later == earlier + 1 for (earlier, _), (later, _) in pairwise(kept))
    assert cut < MINUTES_REMEMBERED


def test_peaks_are_forgotten_after_an_hour():
    kept: tuple[Peak, ...] = ()
    for minute in range(200):
        kept = with_peak(kept, minute, 1.0)
    assert len(kept) == MINUTES_REMEMBERED + 1
    assert kept[-1][0] == 199


def test_a_pause_lasts_until_it_was_calm_however_long_ago_it_began():
    known = has_run([40.0] + [31.0] * 300)
    assert known["BTC"] == PauseMemory(minute=400, peak=40.0, calm=0)
    calm = tuple((minute, 1.0) for minute in range(400, 404))
    assert remembered(ran(calm), 404, SETTINGS, known) == NO_PAUSES


def test_a_pause_goes_on_after_a_time_in_which_nobody_looked():
    known = has_run([40.0, 1.0, 1.0])
    assert known["BTC"].calm == 2
    hours_later = ((5_000, 1.0), (5_001, 1.0))
    assert paused(hours_later, 5_001, SETTINGS, known["BTC"]) is not None
    assert remembered(ran(hours_later), 5_002, SETTINGS, known)["BTC"].calm == 2
    assert remembered({}, 5_002, SETTINGS, known) is known


def test_the_minute_that_still_runs_is_not_remembered_and_yet_pauses():
    running = ((100, 1.0), (101, 50.0))
    assert remembered(ran(running), 101, SETTINGS, NO_PAUSES) == NO_PAUSES
    assert paused(running, 101, SETTINGS) == PauseMemory(minute=101, peak=50.0, calm=0)


@given(HEIGHTS, st.integers(1, 59))
def test_a_restart_that_reads_what_was_kept_is_paused_exactly_as_the_life_before_it(
    heights: list[float], cut: int
):
    before, after = heights[:cut], heights[cut:]
    known, kept = has_run(before), ()
    for minute, height in enumerate(after, 100 + len(before)):
        kept = with_peak(kept, minute, height)
        known = remembered(ran(kept), minute + 1, SETTINGS, known)
    assert known == has_run(heights)
