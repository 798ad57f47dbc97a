"""Reads: whole or not at all, strict in every needed field, and each failure of its own kind."""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import structlog
from aiohttp import web
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from recio.errors import BadConfig, Transient
from recio.kalshi import account, fees, markets
from recio.kalshi.responses import VenueRefused
from recio.kalshi.rest import KalshiRest
from recio.kalshi.settlements import read_settlements
from recio.messages.account import VenueOrderStatus
from recio.units import Ticker
from tests.conftest import unused_port
from tests.kalshi.local_venue import SIGNER, answers, by_path, local_venue, not_there, pages

NOW = datetime.now(UTC) - timedelta(hours=1)
"""Young enough that the live lists surely reach back to it."""


def fills(number: int, cursor: str) -> dict[str, object]:
    return {
        "fills": [
            {
                "trade_id": f"t{number}",
                "order_id": "o",
                "ticker": "K",
                "book_side": "ask",
                "yes_price_dollars": "0.5200",
                "count_fp": "1.50",
                "fee_cost": "0.017500",
                "is_taker": True,
                "created_time": f"2026-11-23T12:00:0{9 - number}Z",
            }
        ],
        "cursor": cursor,
    }


async def test_every_page_is_read_and_the_oldest_fill_comes_first():
    async with local_venue(pages(fills(0, "1"), fills(1, "2"), fills(2, ""))) as venue:
        found = await account.fills(venue.rest(), NOW)
        assert [fill.fill_id for fill in found] == ["t2", "t1", "t0"]
        assert (found[0].price, found[0].quantity, found[0].fee) == (5200, 150, 17_500)
        assert f"min_ts={int(NOW.timestamp())}" in venue.requests[0][1]


async def test_a_page_that_fails_fails_the_whole_read():
    async with local_venue(pages(fills(0, "1"), web.Response(status=503))) as venue:
        with pytest.raises(Transient, match="503"):
            await account.fills(venue.rest(), None)


async def test_a_cursor_that_repeats_is_noticed():
    async with local_venue(pages(fills(0, "1"), fills(1, "1"))) as venue:
        with pytest.raises(Transient, match="repeats"):
            await account.fills(venue.rest(), None)


@pytest.mark.parametrize(
    ("field", "written"),
    [("count_fp", "1.505"), ("count_fp", "100000000000.00"), ("fee_cost", "999999999999999999.000000")],
)
async def test_a_row_with_a_field_out_of_its_unit_is_set_aside_with_its_market_and_never_rounded(
    field: str, written: str
):
    broken = fills(0, "")
    broken["fills"][0][field] = written  # type: ignore[index]
    async with local_venue(pages(broken)) as venue:
        rest = venue.rest()
        assert len(await account.fills(rest, rest.clock.utc())) == len(broken["fills"]) - 1  # type: ignore[arg-type]
        assert (rest.set_aside.count, rest.set_aside.tickers(account.FILLS)) == (1, {"K"})


@pytest.mark.parametrize(
    ("remaining", "price"), [("-3.00", "0.5000"), ("-3.00", None), ("3.00", "-0.5000"), ("-0.01", "0.0100")]
)
async def test_an_order_at_rest_below_nothing_is_known_and_frees_nothing_of_the_limits(
    remaining: str, price: str | None
):
    row = {
        "order_id": "o",
        "ticker": "K",
        "status": "resting",
        "remaining_count_fp": remaining,
        "book_side": "bid",
        "yes_price_dollars": price,
    }
    async with local_venue(pages({"orders": [row], "cursor": ""})) as venue:
        (found,) = await account.resting(venue.rest())
    assert (found.resting.ticker, found.worst_cost) == ("K", 0)


async def test_a_position_that_cost_less_than_nothing_counts_with_its_whole_payout():
    row = {"ticker": "K", "position_fp": "-3.00", "market_exposure_dollars": "-1.500000"}
    async with local_venue(pages({"market_positions": [row], "cursor": ""})) as venue:
        assert (await account.positions(venue.rest())).costs == {"K": 3_000_000}


async def test_a_shard_whose_balance_cannot_be_read_costs_only_those_who_ask_for_it():
    body = {
        "balance_dollars": "98.0186",
        "balance_breakdown": [
            {"exchange_index": 3, "balance": None},
            {"exchange_index": 2, "balance": "8.0186"},
        ],
    }
    async with local_venue(pages(body, body)) as venue:
        rest = venue.rest()
        assert await account.balance(rest, 2) == 8_018_600
        with pytest.raises(Transient, match="shard 3"):
            await account.balance(rest, 3)


async def test_balance_is_that_of_the_shard():
    body = {
        "balance": 9801,
        "balance_dollars": "98.0186",
        "balance_breakdown": [
            {"exchange_index": 0, "balance": "90.0000"},
            {"exchange_index": 2, "balance": "8.0186"},
        ],
    }
    async with local_venue(pages(body)) as venue:
        assert await account.balance(venue.rest(), 2) == 8_018_600
        assert await account.balance(venue.rest(), 3) == 0
        assert await account.balance(venue.rest(), None) == 98_018_600


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (429, '{"error":"too many requests"}', Transient),
        (500, "oops", Transient),
        (200, "<html>", Transient),
        (401, '{"error":{"code":"header_timestamp_expired","message":"x"}}', Transient),
        (401, '{"error":{"code":"authentication_error","message":"x","details":"NOT_FOUND"}}', BadConfig),
        (401, "", BadConfig),
        (404, '{"error":{"code":"not_found","message":"not found"}}', VenueRefused),
        (403, '{"msg":"no"}', VenueRefused),
        (403, "<html>request blocked</html>", Transient),
        (404, "404 page not found", Transient),
        (408, '{"error":{"code":"timeout"}}', Transient),
        (302, "", Transient),
        (200, '{"error":{"code":"x"}}', Transient),
        (200, '{"as_of_time":"2026-11-23T12:00:00"}', Transient),
        (200, "[" * 50_000, Transient),
    ],
)
async def test_each_failure_of_a_read_is_of_its_own_kind(status: int, body: str, kind: type[Exception]):
    async with local_venue(answers(status, body)) as venue:
        with pytest.raises(kind):
            await account.as_of(venue.rest())


async def test_a_refused_key_is_explained_without_its_signature():
    body = json.dumps({"error": {"code": "authentication_error", "details": "INCORRECT_API_KEY_SIGNATURE"}})
    async with local_venue(answers(401, body)) as venue:
        with pytest.raises(BadConfig, match=r"key-1.*INCORRECT_API_KEY_SIGNATURE"):
            await account.as_of(venue.rest())


async def test_a_venue_that_is_away_is_transient():
    async with local_venue(answers(200, "{}")) as venue:
        rest = replace(venue.rest(), base_url=f"http://127.0.0.1:{unused_port()}/trade-api/v2")
        with pytest.raises(Transient, match="user_data_timestamp"):
            await account.as_of(rest)


async def test_a_read_is_signed_over_its_path_without_the_query_unless_there_is_no_key():
    seen: list[dict[str, str]] = []

    async def listen(request: web.Request) -> web.StreamResponse:
        seen.append(dict(request.headers))
        return web.json_response({})

    async with local_venue(listen) as venue:
        await venue.rest().get("/exchange/status", {"limit": "1"})
        await replace(venue.rest(), signer=None).get("/exchange/status")
    signed, unsigned = seen
    text = f"{signed['KALSHI-ACCESS-TIMESTAMP']}GET/trade-api/v2/exchange/status".encode()
    key = SIGNER.key
    assert isinstance(key, rsa.RSAPrivateKey)
    key.public_key().verify(
        base64.b64decode(signed["KALSHI-ACCESS-SIGNATURE"]),
        text,
        padding.PSS(padding.MGF1(hashes.SHA256()), 32),
        hashes.SHA256(),
    )
    assert not any(name.upper().startswith("KALSHI") for name in unsigned)


async def test_a_cursor_comes_back_as_it_was_given():
    opaque = "Cg0I+/a b=&%2B"
    asked: list[str] = []

    async def serve(request: web.Request) -> web.StreamResponse:
        asked.append(request.query.get("cursor", ""))
        return web.json_response({"market_positions": [], "cursor": "" if asked[-1] else opaque})

    async with local_venue(serve) as venue:
        await account.positions(venue.rest())
    assert asked == ["", opaque]


@pytest.mark.parametrize("last", [{}, {"cursor": None}, {"cursor": ""}])
@pytest.mark.parametrize(
    ("rows", "read"),
    [
        ("market_positions", account.positions),
        ("fills", lambda rest: account.fills(rest, NOW)),
        ("orders", lambda rest: account.orders(rest, ticker=None, since=NOW)),
        ("orders", account.resting),
        ("settlements", lambda rest: read_settlements(rest, None)),
        ("event_fee_changes", lambda rest: rest.pages("/x", fees._EventChanges, {})),
        ("events", lambda rest: rest.pages("/x", fees._Events, {})),
        ("markets", lambda rest: rest.pages("/x", markets._MarketPage, {})),
    ],
)
async def test_the_last_page_of_a_list_has_an_empty_cursor_or_null_or_none(
    rows: str, read: Callable[[KalshiRest], Awaitable[object]], last: dict[str, object]
):
    async with local_venue(pages({rows: [], **last})) as venue:
        await read(venue.rest())
        assert len(venue.requests) == 1


async def test_only_markets_that_hold_something_are_positions():
    def held(ticker: str, quantity: str) -> dict[str, str]:
        return {"ticker": ticker, "position_fp": quantity}

    bodies = [
        {"market_positions": [held("A", "3.00"), held("B", "0.00")], "cursor": "1"},
        {"market_positions": [held("C", "-1.25")], "cursor": ""},
    ]
    async with local_venue(pages(*bodies)) as venue:
        assert (await account.positions(venue.rest())).quantities == {"A": 300, "C": -125}


async def test_a_settlement_that_is_neither_yes_nor_no_is_reported_and_left_out():
    def settled(ticker: str, result: str) -> dict[str, object]:
        return {
            "ticker": ticker,
            "market_result": result,
            "revenue": 100,
            "settled_time": "2026-11-23T07:15:08-05:00",
        }

    body = {"settlements": [settled("A", "yes"), settled("B", "scalar")], "cursor": ""}
    async with local_venue(by_path(settlements=body, other=not_there)) as venue:
        with structlog.testing.capture_logs() as logged:
            found = await read_settlements(venue.rest(), NOW)
    assert [(each.ticker, each.settled_at) for each in found] == [
        ("A", datetime(2026, 11, 23, 12, 15, 8, tzinfo=UTC))
    ]
    assert [(line["log_level"], line["ticker"]) for line in logged] == [("warning", "B")]


async def test_what_is_private_is_never_taken_from_a_cache():
    """An order that is missing in a list of before it was sent would count as absent by a time stamp of now."""

    async def kept(_request: web.Request) -> web.StreamResponse:
        body = {
            "orders": [],
            "fills": [],
            "market_positions": [],
            "settlements": [],
            "balance_dollars": "1.0000",
        }
        return web.json_response(body, headers={"Age": "9"})

    async with local_venue(kept) as venue:
        rest = venue.rest()
        for read in (
            account.orders(rest, ticker=None, since=NOW),
            account.fills(rest, NOW),
            account.positions(rest),
            read_settlements(rest, NOW),
            account.resting(rest),
            account.balances(rest),
        ):
            with pytest.raises(Transient, match="kept it for 9 s"):
                await read


async def test_orders_are_filtered_by_ticker_and_time_and_may_lack_an_id_of_ours():
    order = {
        "order_id": "o",
        "client_order_id": None,
        "ticker": "K",
        "status": "canceled",
        "fill_count_fp": "0.25",
        "remaining_count_fp": "0.00",
    }
    async with local_venue(pages({"orders": [order], "cursor": ""})) as venue:
        (found,) = await account.orders(venue.rest(), ticker=Ticker("K"), since=NOW)
        asked = venue.requests[0][1]
    assert (found.client_order_id, found.filled, found.status) == (None, 25, VenueOrderStatus.CANCELED)
    assert "ticker=K" in asked
    assert f"min_ts={int(NOW.timestamp())}" in asked
