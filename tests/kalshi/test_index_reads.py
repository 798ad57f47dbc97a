"""The settlement index over REST: exactly as written, all the time where its channel is refused, else only what was missed."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import anyio
import pytest
from aiohttp import web

from recio.clock import Clock
from recio.errors import Transient
from recio.kalshi import index_reads
from recio.kalshi.index_reads import IndexReads, live_prints, past_prints
from recio.messages.markets import Listings, Traded, VenuePhase, VenueState
from recio.messages.prices import IndexHistory
from recio.rules.price.prints_by_index import Prints
from recio.units import EventTicker
from tests.builders import EVENT, NOW, TICKER, market
from tests.kalshi.local_venue import answers, by_path, local_venue
from tests.rules.test_prints_by_index_rules import made

MS = int(NOW.timestamp() * 1000)
POINTS = [
    {"t": MS - 1_000, "v": 84_000.10},
    {"t": MS - 2_000, "v": "83999.123456789"},
    {"t": "soon", "v": 1},
    {"t": MS - 3_000, "v": -1},
    {"t": 10**30, "v": 1},
    None,
    {"t": MS + 60_000, "v": 1},
]
LIVE = {
    "live_data": {
        "type": "crypto",
        "details": {"timeseries": POINTS, "of_next_year": 1},
        "is_historical": False,
    }
}
PAST = {
    "data": {
        "serverTime": "x",
        "payload": [{"time": each["t"], "value": each["v"]} for each in POINTS if each] + [7],
    }
}


async def test_live_data_and_history_are_read_exactly_and_a_strange_print_is_left_out():
    async with local_venue(by_path(**{EVENT: LIVE, "values": PAST})) as venue:
        live = await live_prints(venue.rest(), EVENT, "BRTI", NOW)
        past = await past_prints(venue.rest(), "BRTI", NOW)
        assert venue.requests[0][1].endswith(f"/live_data/events/{EVENT}?range=15min")
        assert "id=BRTI&timespan=HOUR&timestamp=2026-11-23T12:00:00Z" in venue.requests[1][1].replace(
            "%3A", ":"
        )
    assert live == past
    assert [(each.at, each.value) for each in live] == [
        (NOW - timedelta(seconds=2), Decimal("83999.123456789")),
        (NOW - timedelta(seconds=1), Decimal("84000.1")),
    ]


@pytest.mark.parametrize("body", ['{"live_data":{"details":{}}}', "{}", "<html>", '{"live_data":null}'])
async def test_live_data_of_another_shape_is_no_data(body: str):
    async with local_venue(answers(200, body)) as venue:
        with pytest.raises(Transient):
            await live_prints(venue.rest(), EventTicker("K"), "BRTI", NOW)


@pytest.mark.parametrize(
    ("history", "live", "asked"),
    [
        (IndexHistory(prints={}, is_refused=True), True, ["live", "live", "live"]),
        (IndexHistory(prints={}, is_refused=True), False, ["live", "past", "live", "past"]),
        (IndexHistory(prints={"BRTI": (made(0),)}), True, ["live"]),
        (IndexHistory(prints={"BRTI": tuple(made(second) for second in range(-90, 0))}), True, []),
        (None, True, []),
    ],
    ids=["refused", "refused and no live data", "a hole", "nothing missing", "nothing known yet"],
)
async def test_prints_are_read_while_they_are_needed(
    monkeypatch: pytest.MonkeyPatch, history: IndexHistory | None, live: bool, asked: list[str]
):
    """A hole is tried to be filled once in a while, for a print that was never made leaves one for good."""
    monkeypatch.setattr(index_reads, "EVERY", 0.01)
    seen: list[str] = []
    told: list[Prints] = []

    async def serve(request: web.Request) -> web.StreamResponse:
        is_live = "/live_data/" in request.path
        seen.append("live" if is_live else "past")
        if is_live and not live:
            return web.json_response({"error": {"code": "not_found", "message": "n"}}, status=404)
        return web.json_response(LIVE if is_live else PAST)

    listings = Listings(
        markets={TICKER: market()}, settled={}, venue=VenueState(phase=VenuePhase.UNKNOWN), reads=()
    )
    async with local_venue(serve) as venue, anyio.create_task_group() as group:
        reads = IndexReads(
            rest=venue.rest(),
            clock=Clock(speed=1e-9, venue_origin=NOW.timestamp(), host_origin=venue.rest().clock.unix()),
            traded=(Traded(series="KXBTC15M", symbol="BTC", index_id="BRTI"),),
            heard=lambda: history,
            listings=lambda: listings,
            tell=told.append,
        )
        group.start_soon(reads.keep)
        with anyio.move_on_after(20 if len(asked) > 1 else 1):
            while len(seen) < max(len(asked), 2):  # noqa: ASYNC110 - noted by the server's own handler
                await anyio.sleep(0.01)
        group.cancel_scope.cancel()
    assert seen[: max(len(asked), 1)] == asked
    assert len(seen) == len(asked) or len(asked) > 1
    assert bool(told) is bool(asked)
