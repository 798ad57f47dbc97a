"""Whether the venue trades and when it pauses, by its own words for our own shard."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from recio.clock import Clock
from recio.errors import Transient
from recio.kalshi.exchange_status import Pause, next_pause, read_pauses, read_state
from recio.kalshi.rest import KalshiRest
from recio.messages.markets import VenuePhase
from recio.rules.decision.exit import PAUSED
from tests.kalshi.local_venue import SIGNER, answers, by_path, local_venue, plenty

DAY = [{"open_time": "00:00", "close_time": "00:00"}]
THURSDAY = [{"open_time": "00:00", "close_time": "03:00"}, {"open_time": "05:00", "close_time": "00:00"}]
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
WEEK: dict[str, Any] = {
    **dict.fromkeys(DAYS, DAY),
    "thursday": THURSDAY,
    "start_time": "2024-12-01T00:00:00Z",
    "end_time": "2200-12-01T00:00:00Z",
}


async def phase(exchange_index: int | None, body: dict[str, Any], status: int = 200) -> VenuePhase:
    async with local_venue(answers(status, json.dumps(body))) as venue:
        return (await read_state(venue.rest(), exchange_index, ())).phase


def shard(number: int, exchange: bool, trading: bool) -> dict[str, Any]:
    return {"exchange_index": number, "exchange_active": exchange, "trading_active": trading}


ON = {"exchange_active": True, "trading_active": True}


@pytest.mark.parametrize(
    ("exchange", "trading", "expected"),
    [
        (True, True, VenuePhase.TRADING),
        (True, False, VenuePhase.TRADING_PAUSED),
        (False, False, VenuePhase.EXCHANGE_PAUSED),
        (False, True, VenuePhase.EXCHANGE_PAUSED),
    ],
)
async def test_the_crypto_shard_speaks_for_itself(exchange: bool, trading: bool, expected: VenuePhase):
    shards = [shard(0, True, True), shard(2, exchange, trading)]
    assert await phase(2, {**ON, "exchange_index_statuses": shards}) is expected
    other = {**ON, "exchange_active": False, "exchange_index_statuses": [shard(2, True, True)]}
    assert await phase(2, other) is VenuePhase.TRADING


async def test_a_shard_that_is_not_listed_among_others_is_unknown():
    assert await phase(2, {**ON, "exchange_index_statuses": [shard(0, True, True)]}) is VenuePhase.UNKNOWN


@pytest.mark.parametrize("exchange_index", [None, 0, 2])
@pytest.mark.parametrize("shards", [{}, {"exchange_index_statuses": None}, {"exchange_index_statuses": []}])
@pytest.mark.parametrize(
    "paused",
    [
        {"trading_active": False},
        {"exchange_active": False},
        {"exchange_active": False, "trading_active": False},
    ],
)
async def test_where_no_shard_is_listed_the_top_holds_up_entries_and_exits_of_its_own_shard_alone(
    exchange_index: int | None, shards: dict[str, Any], paused: dict[str, Any]
):
    """A pause that is unknown stops entries, and every stop is still tried."""
    assert await phase(exchange_index, {**ON, **shards}) is VenuePhase.TRADING
    found = await phase(exchange_index, {**ON, **paused, **shards})
    assert (found in PAUSED) is (exchange_index == 0)
    assert found is not VenuePhase.TRADING


async def test_what_is_written_of_other_shards_hides_nothing_of_ours():
    others = [
        {"exchange_index": "two"},
        7,
        None,
        {"exchange_index": True},
        {"exchange_index": 9},
        shard(0, True, True),
    ]
    listed = {"exchange_index_statuses": [*others, shard(2, True, False)]}
    assert await phase(2, {**ON, **listed}) is VenuePhase.TRADING_PAUSED
    assert await phase(1, {**ON, **listed}) is VenuePhase.UNKNOWN


@pytest.mark.parametrize("status", [500, 503, 504])
async def test_a_paused_exchange_may_say_so_with_a_servers_fault(status: int):
    ours = {"exchange_index_statuses": [shard(2, True, False)]}
    assert await phase(2, {**ON, **ours}, status) is VenuePhase.TRADING_PAUSED
    assert await phase(2, {**ON, "trading_active": False}, status) is VenuePhase.UNKNOWN
    async with local_venue(answers(status, "<html>")) as venue:
        with pytest.raises(Transient):
            await read_state(venue.rest(), 2, ())


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"exchange_active": None}, "exchange_active"),
        ({"trading_active": "yes"}, "trading_active"),
        ({"exchange_index_statuses": [{"exchange_index": 2}]}, "exchange_active"),
        ({"exchange_estimated_resume_time": "2026-11-23T12:00:00"}, "exchange_estimated_resume_time"),
    ],
)
async def test_a_status_that_is_not_understood_is_named(changes: dict[str, Any], named: str):
    with pytest.raises(Transient, match=named):
        await phase(2, {**ON, **changes})


async def test_the_venues_own_estimate_of_its_return_is_told():
    body = {**ON, "trading_active": False, "exchange_estimated_resume_time": "2026-11-26T05:00:00-05:00"}
    async with local_venue(by_path(status=body)) as venue:
        state = await read_state(venue.rest(), 2, ())
    assert state.resumes_at == datetime(2026, 11, 26, 10, 0, tzinfo=UTC)


async def pauses(at: datetime, *weeks: dict[str, Any], windows: list[Any] | None = None) -> tuple[Pause, ...]:
    body = {"schedule": {"standard_hours": list(weeks), "maintenance_windows": windows or []}}
    async with local_venue(by_path(schedule=body)) as venue:
        clock = Clock(speed=1e-9, host_origin=datetime.now(UTC).timestamp(), venue_origin=at.timestamp())
        rest = KalshiRest(
            session=venue.session,
            base_url=venue.base_url + "/trade-api/v2",
            signer=SIGNER,
            clock=clock,
            timeout_seconds=5,
            limits=plenty(),
        )
        return await read_pauses(rest)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "begin"),
    [
        # 2026-11-26 is a Thursday in winter: 03:00 in New York is 08:00 UTC.
        (utc(2026, 11, 23, 12), utc(2026, 11, 26, 8)),
        (utc(2026, 11, 26, 9, 59), utc(2026, 11, 26, 8)),
        (utc(2026, 11, 26, 10, 0), utc(2026, 12, 3, 8)),
        # In summer it is 07:00 UTC, and the clocks change on Sunday 2026-11-01.
        (utc(2026, 10, 27, 12), utc(2026, 10, 29, 7)),
        (utc(2026, 10, 30, 12), utc(2026, 11, 5, 8)),
    ],
)
async def test_the_weekly_pause_is_thursday_from_three_to_five_in_new_york(now: datetime, begin: datetime):
    assert next_pause(await pauses(now, WEEK), now) == (begin, begin + timedelta(hours=2))


async def test_announced_maintenance_counts_and_what_touches_is_one_pause():
    now = utc(2026, 11, 23, 12)
    windows = [
        {"start_datetime": "2026-11-26T10:00:00Z", "end_datetime": "2026-11-26T11:30:00Z"},
        {"start_datetime": "2026-11-24T01:00:00-05:00", "end_datetime": "2026-11-24T02:00:00-05:00"},
    ]
    found = await pauses(now, WEEK, windows=windows)
    assert next_pause(found, now) == (utc(2026, 11, 24, 6), utc(2026, 11, 24, 7))
    assert next_pause(found, utc(2026, 11, 24, 7)) == (utc(2026, 11, 26, 8), utc(2026, 11, 26, 11, 30))


async def test_maintenance_without_a_zone_is_in_new_york():
    windows = [{"start_datetime": "2026-11-24T01:00:00", "end_datetime": "2026-11-24T02:00:00"}]
    assert await pauses(utc(2026, 11, 23, 12), windows=windows) == (
        (utc(2026, 11, 24, 6), utc(2026, 11, 24, 7)),
    )


async def test_a_pause_over_midnight_is_one_and_is_seen_from_within():
    week = WEEK | {
        "thursday": [{"open_time": "00:00", "close_time": "23:00"}],
        "friday": [{"open_time": "01:00", "close_time": "00:00"}],
    }
    now = utc(2026, 11, 27, 5, 30)  # half past midnight on Friday in New York
    assert next_pause(await pauses(now, week), now) == (utc(2026, 11, 27, 4), utc(2026, 11, 27, 6))


async def test_a_day_without_hours_is_closed():
    now = utc(2026, 11, 27, 12)
    week = WEEK | {"saturday": []}
    assert next_pause(await pauses(now, week), now) == (utc(2026, 11, 28, 5), utc(2026, 11, 29, 5))


async def test_a_week_that_does_not_hold_yet_says_nothing():
    later = WEEK | {"start_time": "2027-01-01T00:00:00Z"}
    assert await pauses(utc(2026, 11, 23, 12), later) == ()


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"thursday": [{"open_time": "3 am", "close_time": "05:00"}]}, "open_time"),
        ({"thursday": [{"open_time": "25:00", "close_time": "00:00"}]}, "25:00"),
        ({"thursday": [{"open_time": "05:00", "close_time": "03:00"}]}, "open_time"),
        ({"thursday": None}, "thursday"),
        ({"start_time": "2024-12-01"}, "start_time"),
    ],
)
async def test_a_schedule_that_is_not_understood_is_named(changes: dict[str, Any], named: str):
    with pytest.raises(Transient, match=named):
        await pauses(utc(2026, 11, 23, 12), WEEK | changes)


async def test_a_schedule_that_lacks_a_day_is_refused():
    with pytest.raises(Transient, match="sunday"):
        await pauses(utc(2026, 11, 23, 12), {day: hours for day, hours in WEEK.items() if day != "sunday"})
