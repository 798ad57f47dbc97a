"""The public REST endpoints over a real socket: status, schedule, series, events, markets, candles and history."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from recio.exchange_sim.market.series import Timetable

MIXED: dict[str, Any] = {
    "series": ("KXBTC15M", "KXBTCD", "KXBTC", "KXETHD"),
    "timetable": Timetable(ladder_strikes=12),
    "quiet_traders": True,
}
FAST: dict[str, Any] = {
    "series": "KXBTC15M,KXBTCD",
    "speed": 60.0,
    "window_seconds": 60,
    "timetable": Timetable(ladder_seconds=120, ladder_strikes=6, settlement_factor=0.05),
}


async def until(client: Any, path: str, holds: Callable[[Any], bool], **query: str) -> Any:
    """Ask until the answer is as wanted."""
    async with asyncio.timeout(30):
        while not holds(body := await client.get(path, **query)):
            pass
    return body


def minutes(client: Any, *, ahead: int = 0) -> dict[str, str]:
    """The query for the minutes of the last two hours."""
    now = client.venue_ms() // 1000
    return {"start_ts": str(now - 7_200), "end_ts": str(now + ahead), "period_interval": "1"}


async def whole_tape(client: Any, ticker: str) -> list[Any]:
    page = await client.get("/markets/trades", limit="1000", ticker=ticker)
    trades = page["trades"]
    while page["cursor"]:
        page = await client.get("/markets/trades", limit="1000", ticker=ticker, cursor=page["cursor"])
        trades += page["trades"]
    return trades


async def refused(client: Any, path: str, **query: str) -> str:
    status, body = await client.request("GET", path, **query)
    assert status == 400, body
    assert set(body) == {"msg"}
    return body["msg"]


async def test_everything_public_is_open_without_a_key(start_exchange) -> None:
    client = await start_exchange(**MIXED)
    markets = (await client.get("/markets", series_ticker="KXBTCD"))["markets"]
    ticker, event = markets[0]["ticker"], markets[0]["event_ticker"]
    span = "start_ts=0&end_ts=60&period_interval=60"
    for path in (
        "/exchange/status",
        "/exchange/schedule",
        "/exchange/user_data_timestamp",
        "/series",
        "/series/KXBTCD",
        "/series/fee_changes",
        "/events",
        "/events/fee_changes",
        f"/events/{event}",
        f"/events/{event}/metadata",
        "/markets",
        f"/markets/{ticker}",
        f"/markets/{ticker}/orderbook",
        f"/markets/orderbooks?tickers={ticker}",
        "/markets/trades",
        f"/series/KXBTCD/markets/{ticker}/candlesticks?{span}",
        f"/series/KXBTCD/events/{event}/candlesticks?{span}",
        f"/markets/candlesticks?market_tickers={ticker}&{span}",
        "/historical/cutoff",
        "/historical/markets",
        "/historical/trades",
    ):
        status, text = await client.plain("GET", f"/trade-api/v2{path}")
        assert status == 200, (path, text)
    assert (await client.plain("GET", "/trade-api/v2/historical/fills"))[0] in (401, 404)
    assert (await client.plain("GET", "/trade-api/v2/portfolio/balance"))[0] == 401


async def test_the_status_says_which_pause_it_is_and_for_how_long(start_exchange) -> None:
    client = await start_exchange(quiet_traders=True)
    running = await client.get("/exchange/status")
    shards = running["exchange_index_statuses"]
    assert [one["exchange_index"] for one in shards] == [0, 1, 2, 3]
    assert all(one["exchange_active"] and one["trading_active"] for one in [running, *shards])
    assert running["exchange_estimated_resume_time"] is None
    await client.plain("POST", "/admin/faults", {"kind": "trading_pause", "seconds": 60})
    paused = await client.get("/exchange/status")
    crypto = paused["exchange_index_statuses"][2]
    assert (crypto["exchange_active"], crypto["trading_active"]) == (True, False)
    assert paused["exchange_estimated_resume_time"] > "2026"
    await client.plain("POST", "/admin/faults", {"kind": "exchange_pause", "seconds": 60})
    stopped = await client.get("/exchange/status")
    assert not any(one["exchange_active"] or one["trading_active"] for one in [stopped, crypto | stopped])


async def test_the_schedule_has_the_weekly_pause_only_where_it_is_held(start_exchange) -> None:
    always = {"open_time": "00:00", "close_time": "00:00"}
    for weekly in (False, True):
        client = await start_exchange(quiet_traders=True, timetable=Timetable(weekly_pause=weekly))
        (week,) = (await client.get("/exchange/schedule"))["schedule"]["standard_hours"]
        assert week["monday"] == week["sunday"] == [always]
        pause = [
            {"open_time": "00:00", "close_time": "03:00"},
            {"open_time": "05:00", "close_time": "00:00"},
        ]
        assert week["thursday"] == (pause if weekly else [always])


async def test_series_are_listed_by_tag_and_shown_with_their_fees(start_exchange) -> None:
    client = await start_exchange(**MIXED)
    listed = (await client.get("/series", category="Crypto"))["series"]
    assert [one["ticker"] for one in listed] == ["KXBTC15M", "KXBTCD", "KXBTC", "KXETHD"]
    assert [one["frequency"] for one in listed] == ["fifteen_min", "hourly", "hourly", "hourly"]
    eth = (await client.get("/series", tags="ETH,DOGE"))["series"]
    assert [one["ticker"] for one in eth] == ["KXETHD"]
    assert (await client.get("/series", category="Sports"))["series"] == []
    one = (await client.get("/series/KXBTCD", include_volume="true"))["series"]
    assert (one["fee_type"], one["fee_multiplier"], one["exchange_index"]) == ("quadratic", 1, 2)
    assert one["volume_fp"] == "0.00"
    assert (await client.request("GET", "/series/KXNONE"))[0] == 404


async def test_events_hold_their_markets_and_are_found_by_state_series_and_time(start_exchange) -> None:
    client = await start_exchange(**MIXED)
    events = (await client.get("/events"))["events"]
    assert len({one["event_ticker"] for one in events}) == len(events) == 9 + 2 + 2 + 2
    ladder = (await client.get("/events", series_ticker="KXBTCD", status="open", with_nested_markets="true"))[
        "events"
    ]
    (one,) = ladder
    assert (one["collateral_return_type"], one["mutually_exclusive"]) == ("DIRECNET", False)
    assert len(one["markets"]) == 12
    (ranges,) = (await client.get("/events", series_ticker="KXBTC", status="open"))["events"]
    assert (ranges["collateral_return_type"], ranges["mutually_exclusive"]) == ("MECNET", True)
    assert "markets" not in ranges
    single = await client.get(f"/events/{one['event_ticker']}", with_nested_markets="true")
    assert single["event"]["markets"] == single["markets"]
    waiting = (await client.get("/events", series_ticker="KXBTCD", status="unopened"))["events"]
    assert waiting[0]["strike_date"] > one["strike_date"]
    late = str(int(client.venue_ms() / 1000) + 10**6)
    assert (await client.get("/events", min_close_ts=late))["events"] == []
    assert (await client.get("/events", with_milestones="true"))["milestones"] == []
    assert "'lte' tag" in await refused(client, "/events", limit="201")
    assert "'oneof' tag" in await refused(client, "/events", status="gone")
    assert (await client.request("GET", "/events/KXNONE-1"))[0] == 404


async def test_pages_of_events_and_markets_cover_everything_once(start_exchange) -> None:
    client = await start_exchange(**MIXED)
    for path, name, key in (("/events", "events", "event_ticker"), ("/markets", "markets", "ticker")):
        whole = [one[key] for one in (await client.get(path, limit="200"))[name]]
        assert len(set(whole)) == len(whole)
        seen: list[str] = []
        cursor = ""
        while True:
            page = await client.get(path, limit="7", cursor=cursor)
            seen += [one[key] for one in page[name]]
            cursor = page["cursor"]
            if not cursor:
                break
        assert seen == whole


async def test_markets_of_a_ladder_carry_their_strikes_exactly(start_exchange) -> None:
    client = await start_exchange(**MIXED)
    _, text = await client.plain("GET", "/trade-api/v2/markets?series_ticker=KXBTC&status=open")
    markets = json.loads(text, parse_float=str, parse_int=str)["markets"]
    by_kind: dict[str, list[Any]] = {}
    for one in markets:
        by_kind.setdefault(one["strike_type"], []).append(one)
    assert {kind: len(found) for kind, found in by_kind.items()} == {"less": 1, "between": 10, "greater": 1}
    (less,), (greater,) = by_kind["less"], by_kind["greater"]
    assert "floor_strike" not in less
    assert less["ticker"].endswith(f"-T{less['cap_strike']}")
    assert "cap_strike" not in greater
    assert greater["ticker"].endswith(f"-T{greater['floor_strike']}")
    for one in by_kind["between"]:
        assert one["ticker"].endswith(f"-B{int(one['floor_strike']) + 50}")
        assert one["cap_strike"] == f"{int(one['floor_strike']) + 99}.99"
        assert (one["price_level_structure"], one["settlement_timer_seconds"]) == ("linear_cent", "60")
        assert one["price_ranges"] == [{"start": "0.0000", "end": "1.0000", "step": "0.0100"}]
        assert "custom_strike" not in one


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({"limit": "1001"}, "'Limit' failed on the 'lte' tag"),
        ({"status": "sleeping"}, "'Status' failed on the 'oneof' tag"),
        ({"mve_filter": "maybe"}, "'MveFilter' failed on the 'oneof' tag"),
        ({"min_close_ts": "1", "status": "open"}, "'Status' failed"),
        ({"max_settled_ts": "1", "status": "closed"}, "'Status' failed"),
        ({"min_created_ts": "1", "status": "settled"}, "'Status' failed"),
        ({"min_updated_ts": "1"}, "'MveFilter' failed"),
        ({"min_updated_ts": "1", "mve_filter": "exclude", "status": "open"}, "'Status' failed"),
        ({"min_created_ts": "1", "max_close_ts": "9"}, "'CloseTs' failed"),
        ({"min_close_ts": "1", "min_settled_ts": "1"}, "'SettledTs' failed"),
        ({"min_updated_ts": "1", "mve_filter": "exclude", "min_created_ts": "1"}, "'UpdatedTs' failed"),
        ({"min_close_ts": "soon"}, "failed on the 'number' tag"),
    ],
)
async def test_market_filters_that_do_not_go_together_are_refused_bare(
    start_exchange, query: dict[str, str], says: str
) -> None:
    client = await start_exchange(**MIXED)
    said = await refused(client, "/markets", **query)
    assert said.startswith("Parameter validation failed for GetMarkets: Key: 'GetMarketsParams.")
    assert says in said


async def test_market_filters_that_go_together_find_what_they_say(start_exchange) -> None:
    client = await start_exchange(**MIXED)
    now = int(client.venue_ms() / 1000)
    soon = (await client.get("/markets", min_close_ts=str(now), max_close_ts=str(now + 900)))["markets"]
    assert {one["status"] for one in soon} == {"active"}
    series = {"series_ticker": "KXETHD"}
    updated = await client.get("/markets", min_updated_ts="1", mve_filter="exclude", **series)
    assert len(updated["markets"]) == 24
    assert (await client.get("/markets", mve_filter="only"))["markets"] == []
    names = ",".join(one["ticker"] for one in updated["markets"][:3])
    assert len((await client.get("/markets", tickers=names))["markets"]) == 3
    event = updated["markets"][0]["event_ticker"]
    assert len((await client.get("/markets", event_ticker=event))["markets"]) == 12


async def test_books_come_one_by_one_and_together_down_to_a_depth(start_exchange) -> None:
    client = await start_exchange(
        series=("KXBTC15M", "KXBTCD"), timetable=Timetable(ladder_strikes=12), rate_limits=None
    )
    (window,) = (await client.get("/markets", series_ticker="KXBTC15M", status="open"))["markets"]
    ticker = window["ticker"]
    full = await until(
        client, f"/markets/{ticker}/orderbook", lambda body: len(body["orderbook_fp"]["yes_dollars"]) > 5
    )
    prices = [price for price, _ in full["orderbook_fp"]["yes_dollars"]]
    assert prices == sorted(prices)
    cut = (await client.get(f"/markets/{ticker}/orderbook", depth="2"))["orderbook_fp"]
    assert (len(cut["yes_dollars"]), len(cut["no_dollars"])) == (2, 2)
    ladder = [one["ticker"] for one in (await client.get("/markets", series_ticker="KXBTCD"))["markets"]]
    query = "&".join(f"tickers={name}" for name in [ticker, *ladder[:3], "KXNONE"])
    _, text = await client.plain("GET", f"/trade-api/v2/markets/orderbooks?{query}")
    assert [one["ticker"] for one in json.loads(text)["orderbooks"]] == [ticker, *ladder[:3]]
    assert "'lte' tag" in await refused(client, f"/markets/{ticker}/orderbook", depth="101")
    assert "'gte' tag" in await refused(client, f"/markets/{ticker}/orderbook", depth="-1")
    assert "'required' tag" in await refused(client, "/markets/orderbooks")
    assert (await client.request("GET", "/markets/KXNONE/orderbook"))[0] == 404


async def test_trades_come_newest_first_in_pages_without_a_hole(start_exchange) -> None:
    client = await start_exchange(speed=20.0)
    ticker = await client.open_ticker()
    await until(client, "/markets/trades", lambda body: len(body["trades"]) >= 40)
    first = await client.get("/markets/trades", limit="15", ticker=ticker)
    second = await client.get("/markets/trades", limit="15", ticker=ticker, cursor=first["cursor"])
    both = first["trades"] + second["trades"]
    whole = (await client.get("/markets/trades", limit="1000", ticker=ticker))["trades"]
    begin = next(place for place, one in enumerate(whole) if one["trade_id"] == both[0]["trade_id"])
    assert whole[begin : begin + 30] == both
    assert (await client.get("/markets/trades", is_block_trade="true"))["trades"] == []
    assert (await client.get("/markets/trades", max_ts="1"))["trades"] == []


async def test_candles_agree_with_the_tape_minute_by_minute(start_exchange) -> None:
    client = await start_exchange(speed=60.0, window_seconds=300)
    ticker = await client.open_ticker()
    market = await until(client, f"/markets/{ticker}", lambda body: body["market"]["status"] == "finalized")
    trades = await whole_tape(client, ticker)
    span = minutes(client)
    path = f"/series/KXBTC15M/markets/{ticker}/candlesticks"
    candles = (await client.get(path, **span))["candlesticks"]
    ends = [one["end_period_ts"] for one in candles]
    assert ends == list(range(ends[0], ends[0] + 60 * len(ends), 60))
    assert len(ends) == 5
    assert sum(float(one["volume_fp"]) for one in candles) == pytest.approx(
        float(market["market"]["volume_fp"])
    )
    prices = [one["yes_price_dollars"] for one in reversed(trades)]
    traded = [one["price"] for one in candles if one["price"]["open_dollars"] is not None]
    assert (traded[0]["open_dollars"], traded[-1]["close_dollars"]) == (prices[0], prices[-1])
    assert max(one["high_dollars"] for one in traded) == max(prices)
    assert min(one["min_dollars"] for one in traded) == min(prices)
    assert traded[1]["previous_dollars"] == traded[0]["close_dollars"]
    assert all(one["yes_bid"]["low_dollars"] <= one["yes_bid"]["high_dollars"] for one in candles)
    (hour,) = (await client.get(path, **(minutes(client, ahead=7_200) | {"period_interval": "60"})))[
        "candlesticks"
    ]
    assert float(hour["volume_fp"]) == pytest.approx(float(market["market"]["volume_fp"]))
    assert hour["end_period_ts"] % 3_600 == 0
    batch = await client.get("/markets/candlesticks", market_tickers=ticker, **span)
    assert batch["markets"] == [{"market_ticker": ticker, "candlesticks": candles}]
    event = await client.get(
        f"/series/KXBTC15M/events/{market['market']['event_ticker']}/candlesticks",
        **span,
    )
    assert event["market_tickers"] == [ticker]
    assert event["market_candlesticks"] == [candles]


async def test_minutes_without_anything_repeat_the_quotes_and_have_no_price(start_exchange) -> None:
    client = await start_exchange(speed=60.0, window_seconds=600, quiet_traders=True)
    ticker = await client.open_ticker()
    await client.order(ticker, "bid", "0.4000", "3.00")
    path = f"/series/KXBTC15M/markets/{ticker}/candlesticks"
    span = minutes(client, ahead=600)
    body = await until(client, path, lambda body: len(body["candlesticks"]) >= 4, **span)
    quiet = body["candlesticks"][2]
    assert quiet["yes_bid"] == {f"{name}_dollars": "0.4000" for name in ("open", "low", "high", "close")}
    assert quiet["yes_ask"]["close_dollars"] == "1.0000"
    assert set(quiet["price"].values()) == {None}
    assert quiet["volume_fp"] == "0.00"
    start = str(quiet["end_period_ts"] - 30)
    later = await client.get(path, **span | {"start_ts": start, "include_latest_before_start": "true"})
    assert later["candlesticks"][0]["end_period_ts"] == int(start)
    assert later["candlesticks"][0]["yes_bid"] == quiet["yes_bid"]


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({"end_ts": "60", "period_interval": "1"}, "'required'"),
        ({"start_ts": "0", "end_ts": "60", "period_interval": "5"}, "'oneof'"),
        ({"start_ts": "60", "end_ts": "0", "period_interval": "1"}, "'gtefield'"),
    ],
)
async def test_spans_that_make_no_sense_are_refused(start_exchange, query: dict[str, str], says: str) -> None:
    client = await start_exchange(quiet_traders=True)
    ticker = await client.open_ticker()
    assert says in await refused(client, f"/series/KXBTC15M/markets/{ticker}/candlesticks", **query)
    many = query | {"start_ts": "0", "end_ts": "60000000", "period_interval": "1", "market_tickers": ticker}
    assert "'lte'" in await refused(client, "/markets/candlesticks", **many)


async def test_what_settled_long_ago_is_only_in_the_historical_tier(start_exchange) -> None:
    table = Timetable(settlement_factor=0.05, history_seconds=120)
    client = await start_exchange(speed=60.0, window_seconds=60, timetable=table)
    ticker = await client.open_ticker()

    def is_there(body: Any) -> bool:  # a slow machine may find an older one there first
        return any(one["ticker"] == ticker for one in body["markets"])

    past = await until(client, "/historical/markets", is_there)
    found = next(one for one in past["markets"] if one["ticker"] == ticker)
    assert found["status"] == "finalized"
    assert (await client.get(f"/historical/markets/{ticker}"))["market"] == found
    assert (await client.request("GET", f"/markets/{ticker}"))[0] == 404
    assert (await client.request("GET", f"/events/{found['event_ticker']}"))[0] == 404
    live = [one["ticker"] for one in (await client.get("/markets", limit="1000"))["markets"]]
    assert ticker not in live
    assert (await client.request("GET", f"/historical/markets/{live[0]}"))[0] == 404
    cutoff = await client.get("/historical/cutoff")
    assert cutoff["market_settled_ts"] > found["settlement_ts"]
    span = minutes(client)
    (candle,) = (await client.get(f"/historical/markets/{ticker}/candlesticks", **span))["candlesticks"]
    assert set(candle) == {"end_period_ts", "yes_bid", "yes_ask", "price", "volume", "open_interest"}
    assert set(candle["yes_bid"]) == {"open", "low", "high", "close"}
    old = (await client.get("/historical/trades", limit="1000"))["trades"]
    assert old
    assert (
        max(one["created_time"] for one in old)
        < (await client.get("/historical/cutoff"))["trades_created_ts"]
    )
    young = (await client.get("/markets/trades", limit="1000"))["trades"]
    assert not {one["trade_id"] for one in old} & {one["trade_id"] for one in young}


async def test_each_state_is_found_by_its_filter_as_a_ladder_lives(start_exchange) -> None:
    client = await start_exchange(**(FAST | {"speed": 30.0}))
    socket = await client.socket()
    await socket.send_json({"id": 1, "cmd": "subscribe", "params": {"channels": ["market_lifecycle_v2"]}})
    ladder = (await client.get("/markets", series_ticker="KXBTCD", status="open"))["markets"]
    chosen = ladder[0]["ticker"]
    await client.plain("POST", "/admin/faults", {"kind": "deactivate", "ticker": chosen, "seconds": 0.5})
    paused = (await client.get("/markets", status="paused"))["markets"]
    assert [one["ticker"] for one in paused] == [chosen]
    assert paused[0]["status"] == "inactive"
    told: list[str] = []
    async with asyncio.timeout(30):
        while "settled" not in told:
            message = (await socket.receive_json())["msg"]
            if message.get("market_ticker") == chosen:
                told.append(message["event_type"])
    assert told == ["deactivated", "activated", "determined", "settled"]
    settled = (await client.get("/markets", series_ticker="KXBTCD", status="settled"))["markets"]
    found = next(one for one in settled if one["ticker"] == chosen)
    assert found["settlement_value_dollars"] == ("1.0000" if found["result"] == "yes" else "0.0000")
    assert (found["yes_bid_dollars"], found["yes_ask_dollars"]) == ("0.0000", "1.0000")
    assert (found["no_bid_dollars"], found["no_ask_dollars"]) == ("0.0000", "1.0000")


async def test_a_grid_change_is_told_and_shown(start_exchange) -> None:
    client = await start_exchange(quiet_traders=True)
    ticker = await client.open_ticker()
    socket = await client.socket()
    await socket.send_json({"id": 1, "cmd": "subscribe", "params": {"channels": ["market_lifecycle_v2"]}})
    assert (await socket.receive_json())["type"] == "subscribed"
    await client.plain("POST", "/admin/faults", {"kind": "change_grid", "ticker": ticker})
    message = (await asyncio.wait_for(socket.receive_json(), 10))["msg"]
    market = (await client.get(f"/markets/{ticker}"))["market"]
    assert message["event_type"] == "price_level_structure_updated"
    assert message["price_ranges"] == market["price_ranges"]
    assert message["price_level_structure"] == market["price_level_structure"] == "linear_cent"
    assert (await client.order(ticker, "bid", "0.0550", "1.00"))[0] == 400
    status, body = await client.plain("POST", "/admin/faults", {"kind": "change_grid", "ticker": "KXNONE"})
    assert (status, "KXNONE" in body) == (400, True)
