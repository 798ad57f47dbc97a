"""The venue's clock: whole seconds in its answers bound its offset to far less than one."""

from __future__ import annotations

import itertools
import math
import random
import time
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from aiohttp import web

from recio.clock import Clock
from recio.kalshi import account
from recio.kalshi.venue_clock import VenueClock
from recio.rules.health.clock_offset import ClockOffset, ClockReading, estimate, learned
from tests.kalshi.local_venue import local_venue

START = 1_790_000_000.0


def answer(offset: float, at: float, round_trip: float, share: float) -> ClockReading:
    """An answer whose Date was written after `share` of the round trip, by a clock that is `offset` ahead."""
    second = math.floor(at + round_trip * share + offset)
    return ClockReading(sent=at, received=at + round_trip, earliest=second, latest=second + 1)


def after(offsets: list[float], *, every: float, seed: int = 1) -> tuple[ClockOffset, float]:
    rng, known, at = random.Random(seed), ClockOffset(), START
    for offset in offsets:
        at += every * rng.uniform(0.5, 1.5)
        known = learned(known, answer(offset, at, rng.uniform(0.003, 0.08), rng.random()))
    return known, at


@pytest.mark.parametrize("offset", [-37.25, -0.4, 0.0, 0.123, 2.5])
@pytest.mark.parametrize("seed", range(5))
def test_a_hundred_answers_bound_the_offset_to_a_tenth_of_a_second(offset: float, seed: int):
    known, at = after([offset] * 100, every=1.0, seed=seed)
    found = estimate(known, at)
    assert found is not None
    assert abs(found.nearest - offset) <= found.uncertainty + 1e-6
    assert found.uncertainty < 0.1


def test_one_answer_already_bounds_it_to_a_second():
    found = estimate(learned(ClockOffset(), answer(0.7, START, 0.01, 0.5)), START)
    assert found is not None
    assert found.uncertainty <= 0.51
    assert abs(found.nearest - 0.7) <= found.uncertainty


def test_nothing_is_known_before_the_first_answer():
    assert estimate(ClockOffset(), START) is None


def test_knowledge_fades_with_age():
    known, at = after([0.2] * 50, every=1.0)
    fresh, old = estimate(known, at), estimate(known, at + 600)
    assert fresh is not None
    assert old is not None
    assert old.uncertainty == pytest.approx(fresh.uncertainty + 0.3, abs=0.001)


def test_a_clock_that_drifts_is_followed():
    known, at = after([step * 0.0004 for step in range(2_000)], every=1.0)
    found = estimate(known, at)
    assert found is not None
    assert found.nearest == pytest.approx(0.8, abs=0.1)


def test_one_odd_answer_is_not_believed_but_two_that_agree_are():
    known, at = after([0.0] * 50, every=1.0)
    once = learned(known, answer(-30.0, at + 1, 0.01, 0.5))
    trusted, doubted = estimate(known, at), estimate(once, at)
    assert trusted == doubted
    twice = estimate(learned(once, answer(-30.0, at + 2, 0.01, 0.5)), at + 2)
    assert twice is not None
    assert twice.nearest == pytest.approx(-30.0, abs=0.6)


def test_an_odd_answer_followed_by_a_good_one_is_forgotten():
    known, at = after([0.0] * 50, every=1.0)
    known = learned(known, answer(-30.0, at + 1, 0.01, 0.5))
    known = learned(known, answer(0.0, at + 2, 0.01, 0.5))
    assert known.rival is None


def test_an_answer_that_came_before_it_was_asked_for_says_nothing():
    known, at = after([0.0] * 50, every=1.0)
    assert learned(known, ClockReading(sent=at + 1, received=at, earliest=at, latest=at + 1)) == known


def test_a_correction_is_used_only_as_far_as_it_is_certain():
    near, at = after([0.02] * 3, every=1.0)
    far, later = after([5.0] * 60, every=1.0)
    unproven, proven = estimate(near, at), estimate(far, later)
    assert unproven is not None
    assert unproven.proven == 0.0
    assert proven is not None
    assert 4.8 < proven.proven <= 5.0


def test_no_stamp_is_given_twice():
    clock, venue = Clock(), VenueClock()
    stamps = [venue.stamp_ms(clock) for _ in range(500)]
    assert all(one < other for one, other in itertools.pairwise(stamps))
    set_back = Clock(host_origin=0.2)
    assert not set(stamps) & {venue.stamp_ms(set_back) for _ in range(500)}


def test_a_clock_that_was_ahead_is_followed_back_at_once():
    venue, ours, theirs = VenueClock(), Clock(), time.time() - 300
    venue.stamp_ms(ours)
    date = format_datetime(datetime.fromtimestamp(theirs, UTC), usegmt=True)
    venue.heard(ours, date, ours.unix() - 0.01, ours.unix())
    assert venue.stamp_ms(ours) == pytest.approx(theirs * 1000, abs=2_000)


def test_a_simulated_venues_date_is_measured_in_its_own_time():
    """Sixty times as fast as the host, an hour apart, with a Date of the host: the clocks agree."""
    clock = Clock(speed=60.0, host_origin=START, venue_origin=START + 3_600)
    venue = VenueClock()
    market = START + 3_600 + 60 * 100.25
    date = datetime.fromtimestamp(START + 100, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
    venue.heard(clock, date, market, market + 0.6)
    assert venue.offset is not None
    assert abs(venue.offset.nearest) <= venue.offset.uncertainty <= 31
    assert venue.offset.proven == 0.0


@pytest.mark.parametrize(
    "date", ["", "soon", "Mon, 99 Nov 2026 12:00:00 GMT", "Thu, 01 Jan 99999 00:00:00 GMT"]
)
def test_a_date_that_is_none_says_nothing(date: str):
    venue = VenueClock()
    venue.heard(Clock(), date, START, START + 0.1)
    assert venue.offset is None


async def test_every_answer_teaches_the_client_the_venues_clock_and_signatures_go_by_it():
    stamps: list[int] = []

    async def ahead(request: web.Request) -> web.StreamResponse:
        stamps.append(int(request.headers["KALSHI-ACCESS-TIMESTAMP"]))
        date = datetime.fromtimestamp(Clock().unix() + 120, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
        return web.json_response({"as_of_time": "2026-11-23T12:00:00Z"}, headers={"Date": date})

    async with local_venue(ahead) as venue:
        rest = venue.rest()
        assert rest.clock_offset is None
        for _ in range(2):
            await account.as_of(rest)
        assert rest.clock_offset == pytest.approx(120, abs=0.6)
    assert 118_000 < stamps[1] - stamps[0] < 121_500


async def test_an_answer_that_a_cache_had_kept_teaches_nothing_of_the_venues_clock():
    stored = Clock().unix() - 14

    async def kept(_request: web.Request) -> web.StreamResponse:
        date = datetime.fromtimestamp(stored, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
        headers = {"Date": date, "Age": "14"}
        return web.json_response({"as_of_time": "2026-11-23T12:00:00Z"}, headers=headers)

    async with local_venue(kept) as venue:
        rest = venue.rest()
        for _ in range(3):
            await account.as_of(rest)
        assert rest.clock_offset is None
