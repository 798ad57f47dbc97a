"""The account whole: by shard, and with what has left the venue's live lists, each thing once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web

from recio.errors import Transient
from recio.kalshi import account, historical
from recio.kalshi.answers import VenueRefused
from recio.messages.account import VenueOrderStatus
from recio.messages.markets import MarketStatus
from recio.units import BookSide, Side, Ticker, VenueOrderId
from tests.kalshi.local_venue import answers, local_venue

NOW = datetime.now(UTC)
CUTOFF = {
    "market_settled_ts": (NOW - timedelta(days=60)).isoformat(),
    "trades_created_ts": (NOW - timedelta(days=60)).isoformat(),
    "orders_updated_ts": (NOW - timedelta(days=14)).isoformat(),
}


def fill(name: str, days_ago: float) -> dict[str, Any]:
    return {
        "trade_id": name,
        "order_id": "o",
        "ticker": "K",
        "book_side": "bid",
        "yes_price_dollars": "0.5200",
        "count_fp": "1.00",
        "fee_cost": "0.017500",
        "is_taker": True,
        "created_time": (NOW - timedelta(days=days_ago)).isoformat(),
    }


def order(name: str, status: str = "executed") -> dict[str, Any]:
    return {
        "order_id": name,
        "client_order_id": f"c-{name}",
        "ticker": "K",
        "status": status,
        "fill_count_fp": "1.00",
        "remaining_count_fp": "0.00",
    }


BODIES: dict[str, Any] = {
    "/historical/cutoff": CUTOFF,
    "/portfolio/fills": {"fills": [fill("new", 1), fill("both", 59.9)], "cursor": ""},
    "/historical/fills": {"fills": [fill("both", 59.9), fill("old", 70), fill("ancient", 100)], "cursor": ""},
    "/portfolio/orders": {"orders": [order("new", "resting"), order("both")], "cursor": ""},
    "/historical/orders": {"orders": [order("both", "canceled"), order("old")], "cursor": ""},
}


def tiers(**changes: Any) -> Any:
    bodies = BODIES | changes

    async def serve(request: web.Request) -> web.StreamResponse:
        body = bodies.get(request.path.removeprefix("/trade-api/v2"))
        return (
            web.Response(status=404, text="404 page not found") if body is None else web.json_response(body)
        )

    return serve


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        (ago(0.5), ["both", "new"]),
        (ago(30), ["both", "new"]),
        (ago(90), ["old", "both", "new"]),
        (None, ["ancient", "old", "both", "new"]),
    ],
)
async def test_fills_older_than_the_cutoff_are_read_from_the_historical_tier_each_once(
    since: datetime | None, expected: list[str]
):
    async with local_venue(tiers()) as venue:
        found = await account.fills(venue.rest(), since)
    assert [each.fill_id for each in found] == expected


async def test_orders_older_than_the_cutoff_too_and_the_live_list_is_believed():
    async with local_venue(tiers()) as venue:
        recent = await account.orders(venue.rest(), ticker=None, since=ago(10))
        old = await account.orders(venue.rest(), ticker=Ticker("K"), since=ago(20))
        assert "ticker=K" in venue.requests[-1][1]
    assert [each.venue_order_id for each in recent] == ["new", "both"]
    assert [each.venue_order_id for each in old] == ["new", "both", "old"]
    assert old[1].status is VenueOrderStatus.EXECUTED


async def test_what_is_young_costs_no_further_read():
    async with local_venue(tiers()) as venue:
        await account.fills(venue.rest(), ago(0.5))
        assert len(venue.requests) == 1


async def test_a_venue_without_a_historical_tier_has_everything_in_its_lists():
    async with local_venue(tiers(**{"/historical/cutoff": None})) as venue:
        assert await historical.cutoff(venue.rest()) is None
        assert len(await account.fills(venue.rest(), None)) == 2


@pytest.mark.parametrize("body", ["<html>", '{"error":{"code":"not_found"}}', ""])
async def test_any_other_404_does_not_hide_what_is_old(body: str):
    async with local_venue(answers(404, body)) as venue:
        with pytest.raises(Transient):
            await historical.cutoff(venue.rest())


async def test_the_tiers_other_lists_are_read():
    positions = {"market_positions": [{"ticker": "K", "position_fp": "-2.50"}], "cursor": ""}
    ended = {
        "ticker": "K",
        "status": "finalized",
        "result": "no",
        "expiration_value": "83950.62",
        "settlement_ts": "2026-01-01T00:00:00Z",
    }
    bodies = {
        "/historical/positions": positions,
        "/historical/markets": {"markets": [ended], "cursor": ""},
    }
    async with local_venue(tiers(**bodies)) as venue:
        assert await historical.positions(venue.rest()) == {"K": -250}
        (found,) = await historical.results(venue.rest(), [Ticker("K")])
    assert (found.result, found.status, found.settlement_value_text) == (
        Side.NO,
        MarketStatus.FINALIZED,
        "83950.62",
    )


BALANCE = {
    "balance": 15000,
    "balance_dollars": "150.0000",
    "balance_breakdown": [
        {"exchange_index": 0, "balance": "100.0000"},
        {"exchange_index": 2, "balance": "50.0000"},
    ],
}


async def test_money_is_told_by_shard():
    async with local_venue(tiers(**{"/portfolio/balance": BALANCE})) as venue:
        rest = venue.rest()
        assert (await account.balances(rest)).by_shard == {0: 100_000_000, 2: 50_000_000}
        assert await account.balance(rest, 2) == 50_000_000
        assert await account.balance(rest, 3) == 0
        assert await account.balance(rest, None) == 150_000_000


async def test_what_rests_holds_money_back():
    body = {
        "total_resting_order_value": 1234,
        "resting_order_value_breakdown": [{"exchange_index": 2, "balance": "12.3400"}],
    }
    async with local_venue(tiers(**{"/portfolio/summary/total_resting_order_value": body})) as venue:
        found = await account.resting_value(venue.rest())
    assert (found.total, found.by_shard) == (12_340_000, {2: 12_340_000})


DETAIL: dict[str, Any] = {
    **order("v-1", "resting"),
    "book_side": "ask",
    "yes_price_dollars": "0.5250",
    "initial_count_fp": "3.00",
    "remaining_count_fp": "2.00",
    "taker_fill_cost_dollars": "0.520000",
    "maker_fill_cost_dollars": "0.100000",
    "taker_fees_dollars": "0.017500",
    "maker_fees_dollars": "0.000100",
    "created_time": "2026-06-11T06:29:20.866753Z",
    "expiration_time": None,
    "order_group_id": "",
    "exchange_index": 2,
}


async def test_one_order_is_told_whole():
    async with local_venue(tiers(**{"/portfolio/orders/v-1": {"order": DETAIL}})) as venue:
        found = await account.order(venue.rest(), VenueOrderId("v-1"))
    assert (found.seen.client_order_id, found.seen.remaining, found.initial) == ("c-v-1", 200, 300)
    assert (found.book_side, found.price, found.exchange_index) == (BookSide.ASK, 5250, 2)
    assert (found.fill_cost, found.fees, found.order_group_id) == (620_000, 17_600, None)


async def test_an_order_that_was_not_asked_for_is_not_believed():
    async with local_venue(tiers(**{"/portfolio/orders/v-2": {"order": DETAIL}})) as venue:
        with pytest.raises(Transient, match="v-1"):
            await account.order(venue.rest(), VenueOrderId("v-2"))


async def test_an_order_that_is_unknown_is_refused():
    async with local_venue(answers(404, '{"error":{"code":"not_found"}}')) as venue:
        with pytest.raises(VenueRefused):
            await account.order(venue.rest(), VenueOrderId("v-1"))


async def test_queues_are_read_exactly():
    rows = {"queue_positions": [{"order_id": "v-1", "market_ticker": "K", "queue_position_fp": "10.50"}]}
    bodies = {
        "/portfolio/orders/v-1/queue_position": {"queue_position_fp": "0.00"},
        "/portfolio/orders/queue_positions": rows,
    }
    async with local_venue(tiers(**bodies)) as venue:
        assert await account.queue_position(venue.rest(), VenueOrderId("v-1")) == 0
        assert await account.queue_positions(venue.rest(), Ticker("K"), Ticker("L")) == {"v-1": 1050}
        assert "market_tickers=K,L" in venue.requests[-1][1]


@pytest.mark.parametrize(
    ("path", "body", "named"),
    [
        ("/portfolio/fills", {"fills": [fill("a", 0) | {"book_side": "buy"}]}, "book_side"),
        ("/portfolio/fills", {"fills": [fill("a", 0) | {"fee_cost": "0.0000001"}]}, "fee_cost"),
        ("/portfolio/fills", {"fills": [{"trade_id": "a"}]}, "order_id"),
        ("/portfolio/fills", {}, "fills"),
    ],
)
async def test_a_row_that_is_not_understood_stops_the_read_and_is_named(path: str, body: Any, named: str):
    async with local_venue(tiers(**{path: body})) as venue:
        with pytest.raises(Transient, match=named):
            await account.fills(venue.rest(), ago(0.1))
