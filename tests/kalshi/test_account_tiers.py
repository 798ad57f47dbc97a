"""The account whole: by shard, and with what has left the venue's live lists, each thing once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from recio.errors import Transient
from recio.kalshi import account, historical
from recio.messages.account import VenueOrderStatus
from recio.units import Ticker
from tests.kalshi.local_venue import answers, local_venue

NOW = datetime.now(UTC)
CUTOFF = {
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


async def test_a_key_locked_to_a_subaccount_is_told_its_shard_by_asking_for_it():
    """Such a key is told the sum over all shards and no breakdown: that sum may be spent on no single one of them."""

    async def serve(request: web.Request) -> web.StreamResponse:
        cash = {"2": "50.0000", "0": "100.0000"}.get(request.query.get("exchange_index", ""), "150.0000")
        assert "subaccount" not in request.query, "the key's own is meant, and naming another is refused"
        return web.json_response({"balance_dollars": cash})

    async with local_venue(serve) as venue:
        rest = venue.rest()
        found = await account.balances(rest, 2)
        assert (found.total, found.by_shard) == (150_000_000, {2: 50_000_000})
        assert account.spendable(found, 2) == 50_000_000
        assert await account.balance(rest, 0) == 100_000_000
        assert (await account.balances(rest)).by_shard == {}
    async with local_venue(tiers(**{"/portfolio/balance": BALANCE})) as venue:
        await account.balances(venue.rest(), 2)
        assert len(venue.requests) == 1, "who is told the shards asks once"


@pytest.mark.parametrize(
    ("path", "body", "named"),
    [
        ("/portfolio/fills", {"fills": [fill("a", 0) | {"book_side": "buy"}]}, "book_side"),
        ("/portfolio/fills", {"fills": [fill("a", 0) | {"fee_cost": "0.0000001"}]}, "fee_cost"),
        ("/portfolio/fills", {"fills": [{"trade_id": "a"}]}, "order_id"),
    ],
)
async def test_a_row_that_is_not_understood_is_set_aside_and_named(path: str, body: Any, named: str):
    async with local_venue(tiers(**{path: body})) as venue:
        rest = venue.rest()
        with capture_logs() as said:
            assert await account.fills(rest, ago(0.1)) == ()
    assert named in said[0]["why"]
    assert rest.set_aside.hides(account.FILLS)


async def test_a_list_that_is_none_stops_the_read_and_is_named():
    async with local_venue(tiers(**{"/portfolio/fills": {}})) as venue:
        with pytest.raises(Transient, match="fills"):
            await account.fills(venue.rest(), ago(0.1))
