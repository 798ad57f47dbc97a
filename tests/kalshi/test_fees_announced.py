"""Fees: the event's override beats the series, changes count from their time, and an unknown kind is no fee."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from aiohttp import web

from recio.errors import Transient
from recio.kalshi.fees import NO_OVERRIDE, Fee, Override, SeriesFees, read_fees, read_overrides
from recio.kalshi.responses import VenueRefused
from recio.units import EventTicker
from tests.kalshi.local_venue import answers, local_venue

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
EVENT = EventTicker("KXBTCD-26NOV2308")


def fee(multiplier: str, kind: str = "quadratic") -> Fee:
    return Fee(kind=kind, multiplier=Decimal(multiplier))


def override(multiplier: str | None = None, kind: str | None = None) -> Override:
    return Override(kind=kind, multiplier=None if multiplier is None else Decimal(multiplier))


FEES = SeriesFees(
    now=fee("1"),
    changes=((NOW + HOUR, fee("2")), (NOW + 3 * HOUR, fee("0.5"))),
    event_changes={EVENT: ((NOW + 2 * HOUR, override("4")), (NOW + 4 * HOUR, NO_OVERRIDE))},
)


@pytest.mark.parametrize(
    ("hours", "override_now", "expected"),
    [
        (0, NO_OVERRIDE, "1"),
        (0.99, NO_OVERRIDE, "1"),
        (1, NO_OVERRIDE, "2"),
        (1, override("0"), "0"),
        (2, NO_OVERRIDE, "4"),
        (3, override("0"), "4"),
        (4, override("0"), "0.5"),
    ],
)
def test_the_fee_of_an_event_at_a_time(hours: float, override_now: Override, expected: str):
    assert FEES.at(EVENT, override_now, NOW + hours * HOUR).multiplier == Decimal(expected)


def test_an_override_may_change_the_kind_and_leave_the_multiplier():
    found = FEES.at(EVENT, override(kind="flat"), NOW)
    assert (found.kind, found.multiplier) == ("flat", 1)


@pytest.mark.parametrize(("ends", "expected"), [(0.5, "1"), (1, "2"), (1.9, "2"), (2, "4"), (9, "4")])
def test_the_dearest_fee_until_the_close_counts(ends: float, expected: str):
    assert FEES.highest(EVENT, NO_OVERRIDE, NOW, NOW + ends * HOUR).multiplier == Decimal(expected)


@pytest.mark.parametrize(("waived", "expected"), [(1.5, "0"), (1, "0"), (0.5, "2"), (-1, "2")])
def test_a_waiver_that_ends_before_the_close_is_no_gift(waived: float, expected: str):
    found = FEES.highest(EVENT, NO_OVERRIDE, NOW, NOW + HOUR, NOW + waived * HOUR)
    assert found.multiplier == Decimal(expected)


def test_a_kind_that_becomes_unknown_before_the_close_makes_it_unknown_now():
    fees = SeriesFees(now=fee("1"), changes=((NOW + HOUR, fee("1", "flat")),), event_changes={})
    assert "flat" in fees.highest(EVENT, NO_OVERRIDE, NOW, NOW + 2 * HOUR).why_unknown
    assert fees.highest(EVENT, NO_OVERRIDE, NOW, NOW + HOUR / 2).why_unknown == ""


@pytest.mark.parametrize("multiplier", ["-1", "NaN", "Infinity", "1e400", "101"])
def test_a_multiplier_that_cannot_be_makes_the_fee_unknown(multiplier: str):
    assert "fee_multiplier" in fee(multiplier).why_unknown


@pytest.mark.parametrize("kind", ["quadratic", "quadratic_with_maker_fees"])
def test_the_kinds_that_our_formula_bounds_are_known(kind: str):
    assert fee("1", kind).why_unknown == ""


SERIES = {"ticker": "KXBTCD", "fee_type": "quadratic", "fee_multiplier": 0.25}
SERIES_CHANGE = {
    "id": "1",
    "series_ticker": "KXBTCD",
    "fee_type": "flat",
    "fee_multiplier": 3,
    "scheduled_ts": "2026-12-01T00:00:00-05:00",
}
EVENT_CHANGE = {
    "id": "2",
    "event_ticker": EVENT,
    "series_ticker": "KXBTCD",
    "fee_type_override": None,
    "fee_multiplier_override": 0.125,
    "scheduled_ts": "2026-11-24T00:00:00Z",
}


def venue_of(**changes: Any) -> Any:
    bodies = {
        "/trade-api/v2/series/KXBTCD": {"series": SERIES},
        "/trade-api/v2/series/fee_changes": {"series_fee_change_arr": [SERIES_CHANGE]},
        "/trade-api/v2/events/fee_changes": {"event_fee_changes": [EVENT_CHANGE], "cursor": ""},
        "/trade-api/v2/events": {"events": [{"event_ticker": EVENT}], "cursor": ""},
    } | {f"/trade-api/v2{path}": body for path, body in changes.items()}

    async def serve(request: web.Request) -> web.StreamResponse:
        body = bodies[request.path]
        return body if isinstance(body, web.StreamResponse) else web.json_response(body)

    return serve


async def test_what_the_venue_announces_is_read_exactly():
    other = EVENT_CHANGE | {"event_ticker": "KXBTCDX-1"}
    served = venue_of(**{"/events/fee_changes": {"event_fee_changes": [EVENT_CHANGE, other], "cursor": ""}})
    async with local_venue(served) as venue:
        found = await read_fees(venue.rest(), "KXBTCD")
    assert found == SeriesFees(
        now=fee("0.25"),
        changes=((datetime(2026, 12, 1, 5, tzinfo=UTC), fee("3", "flat")),),
        event_changes={EVENT: ((datetime(2026, 11, 24, tzinfo=UTC), override("0.125")),)},
    )


async def test_a_venue_that_announces_nothing_has_only_what_it_charges_now():
    def missing() -> web.Response:
        return web.json_response({"error": {"code": "not_found", "message": "not found"}}, status=404)

    served = venue_of(**{"/events/fee_changes": missing(), "/series/fee_changes": missing()})
    async with local_venue(served) as venue:
        found = await read_fees(venue.rest(), "KXBTCD")
    assert (found.now, found.changes, found.event_changes) == (fee("0.25"), (), {})


async def test_a_series_that_does_not_exist_is_refused():
    async with local_venue(answers(404, json.dumps({"error": {"code": "not_found"}}))) as venue:
        with pytest.raises(VenueRefused):
            await read_fees(venue.rest(), "KXBTCD")


@pytest.mark.parametrize(
    ("path", "body", "named"),
    [
        ("/series/KXBTCD", {"series": {"ticker": "KXBTCD", "fee_type": "quadratic"}}, "fee_multiplier"),
        ("/series/KXBTCD", {"series": SERIES | {"fee_multiplier": None}}, "fee_multiplier"),
        (
            "/series/fee_changes",
            {"series_fee_change_arr": [SERIES_CHANGE | {"scheduled_ts": 1}]},
            "scheduled_ts",
        ),
    ],
)
async def test_an_announcement_that_is_not_understood_is_named(path: str, body: Any, named: str):
    async with local_venue(venue_of(**{path: body})) as venue:
        with pytest.raises(Transient, match=named):
            await read_fees(venue.rest(), "KXBTCD")


STRANGE = [{"event_ticker": EVENT, "fee_multiplier_override": "half"}, {"event_ticker": 7}, None]


async def test_an_events_announced_change_that_is_not_understood_costs_that_event_alone():
    other = EVENT_CHANGE | {"event_ticker": "KXBTCD-26NOV2309"}
    rows = [EVENT_CHANGE, *STRANGE, other, {"event_ticker": "KXNFL-1"}]
    served = venue_of(**{"/events/fee_changes": {"event_fee_changes": rows, "cursor": ""}})
    async with local_venue(served) as venue:
        found = await read_fees(venue.rest(), "KXBTCD")
    assert found.event_changes.keys() == {EVENT, other["event_ticker"]}
    for at in (NOW, NOW + 500 * HOUR):
        assert "not understood" in found.at(EVENT, NO_OVERRIDE, at).why_unknown
    assert found.at(EventTicker(other["event_ticker"]), NO_OVERRIDE, NOW).why_unknown == ""


async def test_an_event_whose_fee_is_not_understood_costs_itself_alone():
    rows = [{"event_ticker": "A"}, *STRANGE]
    async with local_venue(venue_of(**{"/events": {"events": rows, "cursor": ""}})) as venue:
        found = await read_overrides(venue.rest(), "KXBTCD", NOW)
    assert found.keys() == {"A", EVENT}
    assert "fee_multiplier_override" in FEES.at(EVENT, found[EVENT], NOW).why_unknown


async def test_the_overrides_of_all_events_ahead_are_read():
    rows = [
        {"event_ticker": "A"},
        {"event_ticker": "B", "fee_type_override": "flat", "fee_multiplier_override": 0.1},
    ]
    async with local_venue(venue_of(**{"/events": {"events": rows, "cursor": ""}})) as venue:
        found = await read_overrides(venue.rest(), "KXBTCD", NOW)
        assert f"min_close_ts={int(NOW.timestamp())}" in venue.requests[0][1]
    assert found == {"A": NO_OVERRIDE, "B": override("0.1", "flat")}
