"""Discovery with pykalshi: the exchange, series, events, markets, books, trades, candles; no order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from day import Step, step, until
from pykalshi.enums import MarketStatus
from pykalshi.exceptions import AuthenticationError, KalshiAPIError, ResourceNotFoundError
from pykalshi_desk import Desk, choose_market, moment, refused

STEPS: list[Step] = []


@step(STEPS, "exchange status")
async def status(desk: Desk) -> None:
    told = await desk.client.exchange.get_status()
    assert told.exchange_active
    assert told.trading_active
    assert await desk.client.exchange.is_trading()


@step(STEPS, "exchange schedule of seven days")
async def schedule(desk: Desk) -> None:
    week = (await desk.client.exchange.get_schedule())["standard_hours"][0]
    for day in ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"):
        assert week[day], day


@step(STEPS, "user data timestamp is the present")
async def user_data_timestamp(desk: Desk) -> None:
    # The client's own helper reads a key that the venue does not send; its plain GET shows the answer.
    told = moment((await desk.client.get("/exchange/user_data_timestamp"))["as_of_time"])
    assert abs(datetime.now(UTC) - told) < timedelta(seconds=10), told


@step(STEPS, "series list and single series")
async def series(desk: Desk) -> None:
    assert desk.series in [one.ticker for one in await desk.client.get_all_series()]
    one = await desk.client.get_series(desk.series)
    assert (one.ticker, one.category) == (desk.series, "Crypto")
    await refused(ResourceNotFoundError, 404, "not_found", desk.client.get_series("KXNOSUCH"))


@step(STEPS, "events in pages")
async def events(desk: Desk) -> None:
    found = await desk.client.get_events(series_ticker=desk.series, limit=2, fetch_all=True)
    tickers = [event.event_ticker for event in found]
    assert len(tickers) == len(set(tickers)) > 2
    assert {event.series_ticker for event in found} == {desk.series}


@step(STEPS, "a market to trade in is found by status and close time")
async def a_market(desk: Desk) -> None:
    await choose_market(desk)
    assert desk.market.status is MarketStatus.ACTIVE
    assert moment(desk.market.open_time) <= datetime.now(UTC) < moment(desk.market.close_time)


@step(STEPS, "single event with its markets")
async def single_event(desk: Desk) -> None:
    event = await desk.client.get_event(desk.market.event_ticker)
    assert event.event_ticker == desk.market.event_ticker
    assert desk.ticker in [market.ticker for market in await event.get_markets()]
    assert (await event.get_series()).ticker == desk.series
    assert await desk.market.resolve_series_ticker() == desk.series


@step(STEPS, "markets in pages")
async def markets_in_pages(desk: Desk) -> None:
    whole = await desk.client.get_markets(series_ticker=desk.series, limit=1000)
    size = max(2, len(whole) // 5)
    found = await desk.client.get_markets(series_ticker=desk.series, limit=size, fetch_all=True)
    tickers = [market.ticker for market in found]
    assert len(tickers) == len(set(tickers)) > size
    assert {market.ticker for market in whole} <= set(tickers)
    first = await desk.client.get_markets(series_ticker=desk.series, limit=size)
    assert len(first) == size


@step(STEPS, "single market by ticker")
async def single_market(desk: Desk) -> None:
    one = await desk.client.get_market(desk.ticker)
    assert (one.ticker, one.status, one.result) == (desk.ticker, MarketStatus.ACTIVE, "")
    assert one.floor_strike is not None
    assert Decimal(one.yes_bid_dollars) + Decimal(one.no_ask_dollars) == 1
    assert Decimal(one.yes_ask_dollars) + Decimal(one.no_bid_dollars) == 1


@step(STEPS, "unknown market is the client's not-found error")
async def unknown_market(desk: Desk) -> None:
    await refused(ResourceNotFoundError, 404, "not_found", desk.client.get_market("KXNOSUCH-26JAN0100-00"))


@step(STEPS, "a limit above the maximum is refused")
async def limit_too_high(desk: Desk) -> None:
    error = await refused(KalshiAPIError, 400, None, desk.client.get_markets(limit=1001))
    assert "Parameter validation failed for GetMarkets" in error.response_body["msg"], error.response_body
    assert "'lte'" in error.response_body["msg"]


@step(STEPS, "a wrong key is the client's authentication error")
async def wrong_key(desk: Desk) -> None:
    honest = desk.client.api_key_id
    desk.client.api_key_id = "00000000-0000-4000-8000-000000000000"
    try:
        error = await refused(AuthenticationError, 401, "authentication_error", desk.portfolio.get_balance())
    finally:
        desk.client.api_key_id = honest
    assert error.response_body["error"]["details"] == "NOT_FOUND"


@step(STEPS, "book over REST agrees with the market's quotes")
async def book(desk: Desk) -> None:
    async def agree() -> bool | None:
        market = await desk.client.get_market(desk.ticker)
        shown = await market.get_orderbook()
        if shown.best_yes_bid is None or shown.best_yes_ask is None:
            return None
        quoted = (Decimal(market.yes_bid_dollars), Decimal(market.yes_ask_dollars))
        return True if (Decimal(shown.best_yes_bid), Decimal(shown.best_yes_ask)) == quoted else None

    await until(agree, "a book and quotes that agree", every=0.02)
    cut = (await desk.market.get_orderbook(depth=2)).orderbook
    assert len(cut.yes_dollars) <= 2
    assert len(cut.no_dollars) <= 2


@step(STEPS, "public trades in pages")
async def trades(desk: Desk) -> None:
    async def enough() -> bool | None:
        return True if len(await desk.market.get_trades(limit=100)) >= 3 else None

    await until(enough, "three public trades")
    found = await desk.market.get_trades(limit=2, fetch_all=True)
    ids = [trade.trade_id for trade in found]
    assert len(ids) == len(set(ids)) >= 3
    assert {trade.ticker for trade in found} == {desk.ticker}
    assert all(Decimal(trade.yes_price_dollars) + Decimal(trade.no_price_dollars) == 1 for trade in found)
    times = [moment(trade.created_time) for trade in found]
    assert times == sorted(times, reverse=True)


@step(STEPS, "historical cutoff is behind the present")
async def cutoff(desk: Desk) -> None:
    told = await desk.client.history.get_cutoff()
    assert moment(told.market_settled_ts) < datetime.now(UTC)
    assert moment(told.trades_created_ts) < datetime.now(UTC)


@step(STEPS, "account limits and endpoint costs")
async def limits(desk: Desk) -> None:
    told = await desk.client.get("/account/limits")
    assert told["usage_tier"]
    assert told["write"]["bucket_capacity"] >= told["write"]["refill_rate"] > 0
    costs = await desk.client.get("/account/endpoint_costs")
    assert costs["default_cost"] == 10
    assert {"method", "path", "cost"} <= set(costs["endpoint_costs"][0])
