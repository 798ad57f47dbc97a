"""Reads: whole or not at all, strict in every needed field, and each failure of its own kind."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from aiohttp import web

from recio.errors import BadConfig, Transient
from recio.kalshi import account, markets
from recio.kalshi.rest import VenueRefused
from recio.units import Side
from tests.kalshi.local_venue import Handler, answers, local_venue

NOW = datetime(2026, 11, 23, 12, 5, tzinfo=UTC)
MARKET = {
    "ticker": "KXBTC15M-26NOV230715-15",
    "event_ticker": "KXBTC15M-26NOV230715",
    "open_time": "2026-11-23T12:00:00Z",
    "close_time": "2026-11-23T12:15:00Z",
    "status": "active",
    "strike_type": "greater_or_equal",
    "floor_strike": 83990.12,
    "price_ranges": [{"start": "0.0000", "end": "1.0000", "step": "0.0100"}],
    "rules_primary": "If the simple average",
    "result": "",
    "expiration_value": "",
    "exchange_index": 2,
    "a_field_of_next_year": [1],
}


def pages(*bodies: object) -> Handler:
    """Serve the bodies one after another by their cursor."""

    async def serve(request: web.Request) -> web.StreamResponse:
        index = int(request.query.get("cursor", "0") or 0)
        body = bodies[index]
        return body if isinstance(body, web.StreamResponse) else web.json_response(body)

    return serve


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


async def test_a_field_out_of_its_unit_is_named_and_never_rounded():
    broken = fills(0, "")
    broken["fills"][0]["count_fp"] = "1.505"  # type: ignore[index]
    async with local_venue(pages(broken)) as venue:
        with pytest.raises(Transient, match=r"count_fp.*1\.505"):
            await account.fills(venue.rest(), None)


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


async def test_strikes_are_read_exactly_and_unknown_fields_pass():
    async with local_venue(pages({"markets": [MARKET], "cursor": ""})) as venue:
        listed = await markets.event_markets(venue.rest(), "KXBTC15M", NOW, fee_multiplier=Decimal(1))
    assert listed.markets[0].floor_strike == Decimal("83990.12")
    assert listed.refused == ()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("status", "paused_by_aliens"),
        ("strike_type", "custom"),
        ("close_time", "soon"),
        ("price_ranges", [{"start": "0", "end": "1", "step": "0"}]),
        ("price_ranges", None),
    ],
)
async def test_a_market_that_is_not_understood_is_left_out_and_named(field: str, value: object):
    strange = {**MARKET, "ticker": "KXBTC15M-STRANGE", field: value}
    async with local_venue(pages({"markets": [MARKET, strange], "cursor": ""})) as venue:
        listed = await markets.event_markets(venue.rest(), "KXBTC15M", NOW, fee_multiplier=Decimal(1))
    assert {market.ticker for market in listed.markets} == {MARKET["ticker"]}
    assert {ticker for ticker, _ in listed.refused} == {"KXBTC15M-STRANGE"}


async def test_only_the_next_two_events_by_the_venues_own_times():
    later = [
        {**MARKET, "ticker": f"E{n}-1", "event_ticker": f"E{n}", "close_time": f"2026-11-23T1{n}:30:00Z"}
        for n in (1, 3, 4)
    ]
    async with local_venue(pages({"markets": [*later, MARKET], "cursor": ""})) as venue:
        listed = await markets.event_markets(venue.rest(), "KXBTC15M", NOW, fee_multiplier=Decimal(1))
    assert {market.event_ticker for market in listed.markets} == {"KXBTC15M-26NOV230715", "E3"}


async def test_the_crypto_shard_speaks_for_itself():
    body = {
        "exchange_active": True,
        "trading_active": True,
        "exchange_index_statuses": [{"exchange_index": 2, "exchange_active": True, "trading_active": False}],
    }
    async with local_venue(pages(body)) as venue:
        assert await markets.trading_active(venue.rest(), 2) is False
        assert await markets.trading_active(venue.rest(), None) is True


async def test_an_unknown_kind_of_fee_means_no_trade():
    body = {"series": {"ticker": "K", "fee_type": "flat", "fee_multiplier": 1}}
    async with local_venue(pages(body)) as venue:
        with pytest.raises(Transient, match="flat"):
            await markets.series_fee_multiplier(venue.rest(), "K")


async def test_a_settled_market_tells_its_result():
    body = {"market": {**MARKET, "status": "finalized", "result": "no", "expiration_value": "83950.62"}}
    async with local_venue(pages(body)) as venue:
        found = await markets.read_result(venue.rest(), MARKET["ticker"])  # type: ignore[arg-type]
    assert (found.result, found.settlement_value_text) == (Side.NO, "83950.62")


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (429, '{"error":"too many requests"}', Transient),
        (500, "oops", Transient),
        (200, "<html>", Transient),
        (401, '{"error":{"code":"header_timestamp_expired","message":"x"}}', Transient),
        (401, '{"error":{"code":"authentication_error","message":"x","details":"NOT_FOUND"}}', BadConfig),
        (404, '{"error":{"code":"not_found","message":"not found"}}', VenueRefused),
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
