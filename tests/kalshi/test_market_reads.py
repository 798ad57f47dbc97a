"""What is read of markets: exactly, by the venue's own times, and what is not understood is named."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from aiohttp import web

from recio.errors import Transient
from recio.kalshi import markets
from recio.messages import Market
from recio.units import Side, Ticker
from tests.kalshi.local_venue import answers, local_venue, pages

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
TICKER = Ticker("KXBTC15M-26NOV230715-15")


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


async def test_a_market_that_opens_while_the_list_is_read_is_not_lost():
    """A venue that filters by status would show it neither among the open nor among the unopened."""
    asked: list[str] = []

    async def serve(request: web.Request) -> web.StreamResponse:
        status = "active" if asked else "initialized"
        asked.append(request.path_qs)
        wanted = {"open": "active", "unopened": "initialized"}.get(request.query.get("status", ""), status)
        found = [{**MARKET, "status": status}] if wanted == status else []
        return web.json_response({"markets": found, "cursor": ""})

    async with local_venue(serve) as venue:
        listed = await markets.event_markets(venue.rest(), "KXBTC15M", NOW, fee_multiplier=Decimal(1))
    assert [market.ticker for market in listed.markets] == [TICKER]
    assert f"min_close_ts={int(NOW.timestamp())}" in asked[0]


@pytest.mark.parametrize("garbage", [7, {"ticker": 7}, {"nothing": 1}])
async def test_something_that_is_no_market_at_all_does_not_hide_the_others(garbage: object):
    async with local_venue(pages({"markets": [garbage, MARKET], "cursor": ""})) as venue:
        listed = await markets.event_markets(venue.rest(), "KXBTC15M", NOW, fee_multiplier=Decimal(1))
    assert [market.ticker for market in listed.markets] == [TICKER]
    assert [ticker for ticker, _ in listed.refused] == ["(no ticker)"]


async def read(**changes: object) -> Market:
    async with local_venue(pages({"market": {**MARKET, **changes}})) as venue:
        return await markets.read_market(venue.rest(), TICKER, Decimal(1))


async def test_a_market_read_alone_is_the_same_market():
    market = await read(close_time="2026-11-23T07:15:00-05:00")
    assert (market.series_ticker, market.floor_strike) == ("KXBTC15M", Decimal("83990.12"))
    assert market.close_time == datetime(2026, 11, 23, 12, 15, tzinfo=UTC)
    assert market.close_time.tzinfo is UTC


@pytest.mark.parametrize(
    "changes",
    [
        {"price_ranges": [{"start": "0.0000", "end": "1.0000", "step": "0.00001"}]},
        {"floor_strike": "NaN"},
        {"cap_strike": "Infinity"},
        {"close_time": "2026-11-23T12:15:00"},
        {"status": "of next year"},
    ],
)
async def test_a_market_read_alone_that_is_not_understood_is_transient(changes: dict[str, object]):
    with pytest.raises(Transient):
        await read(**changes)


async def test_a_strike_that_is_not_known_yet_is_none():
    assert (await read(floor_strike=None)).floor_strike is None


@pytest.mark.parametrize(("text", "value"), [("1", Decimal(1)), ("0.5", Decimal("0.5")), ("0", Decimal(0))])
async def test_a_fee_multiplier_is_read_exactly(text: str, value: Decimal):
    body = '{"series":{"ticker":"K","fee_type":"quadratic","fee_multiplier":' + text + "}}"
    async with local_venue(answers(200, body)) as venue:
        assert await markets.series_fee_multiplier(venue.rest(), "K") == value


@pytest.mark.parametrize("text", ["-1", '"NaN"', "null"])
async def test_a_fee_multiplier_that_cannot_be_means_no_trade(text: str):
    body = '{"series":{"ticker":"K","fee_type":"quadratic","fee_multiplier":' + text + "}}"
    async with local_venue(answers(200, body)) as venue:
        with pytest.raises(Transient, match="fee_multiplier"):
            await markets.series_fee_multiplier(venue.rest(), "K")


@pytest.mark.parametrize("status", [500, 503, 504])
async def test_a_paused_exchange_may_say_so_with_a_servers_fault(status: int):
    async with local_venue(answers(status, '{"exchange_active":true,"trading_active":false}')) as venue:
        assert await markets.trading_active(venue.rest(), 2) is False
    async with local_venue(answers(status, "<html>")) as venue:
        with pytest.raises(Transient):
            await markets.trading_active(venue.rest(), 2)
