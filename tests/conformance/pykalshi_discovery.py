"""Discovery with pykalshi: the exchange, series, events, markets, books, trades, candles; no order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from day import Step, step, until
from pykalshi.enums import MarketStatus
from pykalshi.exceptions import AuthenticationError, KalshiAPIError, ResourceNotFoundError
from pykalshi_session import Session, choose_market, moment, refused

STEPS: list[Step] = []


@step(STEPS, "exchange status")
async def status(session: Session) -> None:
    told = await session.client.exchange.get_status()
    assert told.exchange_active
    assert told.trading_active
    assert await session.client.exchange.is_trading()


@step(STEPS, "exchange schedule of seven days")
async def schedule(session: Session) -> None:
    week = (await session.client.exchange.get_schedule())["standard_hours"][0]
    for day in ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"):
        assert week[day], day


@step(STEPS, "user data timestamp is the present")
async def user_data_timestamp(session: Session) -> None:
    # The client's own helper reads a key that the venue does not send; its plain GET shows the answer.
    told = moment((await session.client.get("/exchange/user_data_timestamp"))["as_of_time"])
    assert abs(datetime.now(UTC) - told) < timedelta(seconds=10), told


@step(STEPS, "series list and single series")
async def series(session: Session) -> None:
    assert session.series in [one.ticker for one in await session.client.get_all_series()]
    one = await session.client.get_series(session.series)
    assert (one.ticker, one.category) == (session.series, "Crypto")
    await refused(ResourceNotFoundError, 404, "not_found", session.client.get_series("KXNOSUCH"))


@step(STEPS, "events in pages")
async def events(session: Session) -> None:
    found = await session.client.get_events(series_ticker=session.series, limit=2, fetch_all=True)
    tickers = [event.event_ticker for event in found]
    assert len(tickers) == len(set(tickers)) > 2
    assert {event.series_ticker for event in found} == {session.series}


@step(STEPS, "a market to trade in is found by status and close time")
async def a_market(session: Session) -> None:
    await choose_market(session)
    assert session.market.status is MarketStatus.ACTIVE
    assert moment(session.market.open_time) <= datetime.now(UTC) < moment(session.market.close_time)


@step(STEPS, "single event with its markets")
async def single_event(session: Session) -> None:
    event = await session.client.get_event(session.market.event_ticker)
    assert event.event_ticker == session.market.event_ticker
    assert session.ticker in [market.ticker for market in await event.get_markets()]
    assert (await event.get_series()).ticker == session.series
    assert await session.market.resolve_series_ticker() == session.series


@step(STEPS, "markets in pages")
async def markets_in_pages(session: Session) -> None:
    whole = await session.client.get_markets(series_ticker=session.series, limit=1000)
    size = max(2, len(whole) // 5)
    found = await session.client.get_markets(series_ticker=session.series, limit=size, fetch_all=True)
    tickers = [market.ticker for market in found]
    assert len(tickers) == len(set(tickers)) > size
    assert {market.ticker for market in whole} <= set(tickers)
    first = await session.client.get_markets(series_ticker=session.series, limit=size)
    assert len(first) == size


@step(STEPS, "single market by ticker")
async def single_market(session: Session) -> None:
    one = await session.client.get_market(session.ticker)
    assert (one.ticker, one.status, one.result) == (session.ticker, MarketStatus.ACTIVE, "")
    assert one.floor_strike is not None
    assert Decimal(one.yes_bid_dollars) + Decimal(one.no_ask_dollars) == 1
    assert Decimal(one.yes_ask_dollars) + Decimal(one.no_bid_dollars) == 1


@step(STEPS, "unknown market is the client's not-found error")
async def unknown_market(session: Session) -> None:
    await refused(ResourceNotFoundError, 404, "not_found", session.client.get_market("KXNOSUCH-26JAN0100-00"))


@step(STEPS, "a limit above the maximum is refused")
async def limit_too_high(session: Session) -> None:
    error = await refused(KalshiAPIError, 400, None, session.client.get_markets(limit=1001))
    assert "Parameter validation failed for GetMarkets" in error.response_body["msg"], error.response_body
    assert "'lte'" in error.response_body["msg"]


@step(STEPS, "a wrong key is the client's authentication error")
async def wrong_key(session: Session) -> None:
    honest = session.client.api_key_id
    session.client.api_key_id = "00000000-0000-4000-8000-000000000000"
    try:
        error = await refused(
            AuthenticationError, 401, "authentication_error", session.portfolio.get_balance()
        )
    finally:
        session.client.api_key_id = honest
    assert error.response_body["error"]["details"] == "NOT_FOUND"


@step(STEPS, "book over REST agrees with the market's quotes")
async def book(session: Session) -> None:
    async def agree() -> bool | None:
        market = await session.client.get_market(session.ticker)
        shown = await market.get_orderbook()
        if shown.best_yes_bid is None or shown.best_yes_ask is None:
            return None
        quoted = (Decimal(market.yes_bid_dollars), Decimal(market.yes_ask_dollars))
        return True if (Decimal(shown.best_yes_bid), Decimal(shown.best_yes_ask)) == quoted else None

    await until(agree, "a book and quotes that agree", every=0.02)
    cut = (await session.market.get_orderbook(depth=2)).orderbook
    assert len(cut.yes_dollars) <= 2
    assert len(cut.no_dollars) <= 2


@step(STEPS, "public trades in pages")
async def trades(session: Session) -> None:
    async def enough() -> bool | None:
        return True if len(await session.market.get_trades(limit=100)) >= 3 else None

    await until(enough, "three public trades")
    found = await session.market.get_trades(limit=2, fetch_all=True)
    ids = [trade.trade_id for trade in found]
    assert len(ids) == len(set(ids)) >= 3
    assert {trade.ticker for trade in found} == {session.ticker}
    assert all(Decimal(trade.yes_price_dollars) + Decimal(trade.no_price_dollars) == 1 for trade in found)
    times = [moment(trade.created_time) for trade in found]
    assert times == sorted(times, reverse=True)


@step(STEPS, "historical cutoff is behind the present")
async def cutoff(session: Session) -> None:
    told = await session.client.history.get_cutoff()
    assert moment(told.market_settled_ts) < datetime.now(UTC)
    assert moment(told.trades_created_ts) < datetime.now(UTC)


@step(STEPS, "account limits and endpoint costs")
async def limits(session: Session) -> None:
    told = await session.client.get("/account/limits")
    assert told["usage_tier"]
    assert told["write"]["bucket_capacity"] >= told["write"]["refill_rate"] > 0
    costs = await session.client.get("/account/endpoint_costs")
    assert costs["default_cost"] == 10
    assert {"method", "path", "cost"} <= set(costs["endpoint_costs"][0])
