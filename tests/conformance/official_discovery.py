"""Discovery with the official client: the exchange, series, events, markets, books, trades, candles; no order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from day import Step, step, until
from kalshi_python_async.exceptions import BadRequestException, NotFoundException, UnauthorizedException
from official_session import CRYPTO_SHARD, Session, ask, choose_market, pages, refused

STEPS: list[Step] = []
UNKNOWN = "KXNOSUCH-26JAN0100-00"


@step(STEPS, "exchange status with the crypto shard")
async def status(session: Session) -> None:
    answer = await ask(session.client.get_exchange_status)
    assert answer.exchange_active
    assert answer.trading_active
    crypto = [one for one in answer.exchange_index_statuses if one.exchange_index == CRYPTO_SHARD]
    assert len(crypto) == 1, crypto
    assert crypto[0].trading_active
    assert "Crypto" in crypto[0].description


@step(STEPS, "exchange schedule of seven days")
async def schedule(session: Session) -> None:
    weeks = (await ask(session.client.get_exchange_schedule)).schedule.standard_hours
    assert weeks
    for day in ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"):
        assert getattr(weeks[0], day), day


@step(STEPS, "user data timestamp is the present")
async def user_data_timestamp(session: Session) -> None:
    told = (await ask(session.client.get_user_data_timestamp)).as_of_time
    assert abs(datetime.now(UTC) - told) < timedelta(seconds=10), told


@step(STEPS, "series list and single series")
async def series(session: Session) -> None:
    listed = (await ask(session.client.get_series_list)).series
    assert session.series in [one.ticker for one in listed]
    one = (await ask(session.client.get_series, session.series)).series
    assert (one.ticker, one.category, one.fee_type.value, one.fee_multiplier) == (
        session.series,
        "Crypto",
        "quadratic",
        1,
    )
    await refused(NotFoundException, ask(session.client.get_series, "KXNOSUCH"))


@step(STEPS, "series and event fee changes")
async def fee_changes(session: Session) -> None:
    changes = (
        await ask(session.client.get_series_fee_changes, series_ticker=session.series)
    ).series_fee_change_arr
    assert all(change.series_ticker == session.series for change in changes)
    events = await ask(session.client.get_event_fee_changes, limit=10)
    assert not events.cursor or events.event_fee_changes


@step(STEPS, "events in pages with nested markets")
async def events(session: Session) -> None:
    seen: list[str] = []
    async for page in pages(
        session.client.get_events, "events", series_ticker=session.series, with_nested_markets=True, limit=2
    ):
        assert len(page) <= 2
        for event in page:
            assert event.series_ticker == session.series
            assert event.exchange_index == CRYPTO_SHARD
            assert all(market.event_ticker == event.event_ticker for market in event.markets)
            assert event.markets
            seen.append(event.event_ticker)
    assert len(seen) == len(set(seen)) > 2


@step(STEPS, "a market to trade in is found by status and close time")
async def a_market(session: Session) -> None:
    await choose_market(session)
    assert session.market.status == "active"
    assert session.market.open_time <= datetime.now(UTC) < session.market.close_time


@step(STEPS, "single event by ticker, unknown event not found")
async def single_event(session: Session) -> None:
    answer = await ask(session.client.get_event, session.market.event_ticker, with_nested_markets=True)
    assert answer.event.event_ticker == session.market.event_ticker
    assert session.ticker in [market.ticker for market in answer.event.markets]
    await refused(NotFoundException, ask(session.client.get_event, "KXNOSUCH-26JAN0100"))


@step(STEPS, "markets in pages")
async def markets_in_pages(session: Session) -> None:
    whole = (await ask(session.client.get_markets, series_ticker=session.series, limit=1000)).markets
    seen: list[str] = []
    size = max(2, len(whole) // 5)
    async for page in pages(session.client.get_markets, "markets", series_ticker=session.series, limit=size):
        assert len(page) <= size
        seen += [market.ticker for market in page]
    assert len(seen) == len(set(seen))
    assert {market.ticker for market in whole} <= set(seen)
    assert len(seen) > size


@step(STEPS, "markets by status, several tickers and event")
async def markets_by_filter(session: Session) -> None:
    unopened = (await ask(session.client.get_markets, status="unopened", limit=5)).markets
    assert unopened
    assert {market.status for market in unopened} == {"initialized"}
    named = [session.ticker, unopened[0].ticker]
    both = (await ask(session.client.get_markets, tickers=",".join(named))).markets
    assert {market.ticker for market in both} == set(named)
    siblings = (
        await ask(session.client.get_markets, event_ticker=session.market.event_ticker, limit=1000)
    ).markets
    assert session.ticker in [market.ticker for market in siblings]
    assert {market.event_ticker for market in siblings} == {session.market.event_ticker}


@step(STEPS, "single market by ticker")
async def single_market(session: Session) -> None:
    one = (await ask(session.client.get_market, session.ticker)).market
    assert (one.ticker, one.market_type, one.status, one.result) == (session.ticker, "binary", "active", "")
    assert one.exchange_index == CRYPTO_SHARD
    assert one.floor_strike is not None
    assert one.rules_primary
    assert Decimal(one.yes_bid_dollars) + Decimal(one.no_ask_dollars) == 1
    assert Decimal(one.yes_ask_dollars) + Decimal(one.no_bid_dollars) == 1
    assert one.notional_value_dollars == "1.0000"


@step(STEPS, "unknown market is the client's not-found error")
async def unknown_market(session: Session) -> None:
    error = await refused(NotFoundException, ask(session.client.get_market, UNKNOWN))
    assert error["code"] in ("not_found", "market_not_found"), error
    await refused(NotFoundException, ask(session.client.get_market_orderbook, UNKNOWN))


@step(STEPS, "a limit above the maximum is refused by name")
async def limit_too_high(session: Session) -> None:
    # The client itself checks the limit, so the wrong value goes where it looks away.
    error = await refused(BadRequestException, ask(session.client.get_markets, status="no-such-status"))
    assert "GetMarkets" in error["msg"], error


@step(STEPS, "a wrong key and a wrong signature are refused by name")
async def wrong_key(session: Session) -> None:
    auth = session.client.kalshi_auth
    honest = auth.key_id
    auth.key_id = "00000000-0000-4000-8000-000000000000"
    try:
        error = await refused(UnauthorizedException, ask(session.client.get_balance))
    finally:
        auth.key_id = honest
    assert (error["code"], error["details"]) == ("authentication_error", "NOT_FOUND"), error


@step(STEPS, "book over REST agrees with the market's quotes")
async def book(session: Session) -> None:
    async def agree() -> bool | None:
        before = (await ask(session.client.get_market, session.ticker)).market
        bids, asks = await session.book()
        quoted = (Decimal(before.yes_bid_dollars), Decimal(before.yes_ask_dollars))
        sizes = (Decimal(before.yes_bid_size_fp), Decimal(before.yes_ask_size_fp))
        if not bids or not asks or (max(bids), min(asks)) != quoted:
            return None
        return True if (bids[max(bids)], asks[min(asks)]) == sizes else None

    await until(agree, "a book and quotes that agree", every=0.02)
    shown = (await ask(session.client.get_market_orderbook, session.ticker)).orderbook_fp
    for side in (shown.yes_dollars, shown.no_dollars):
        prices = [Decimal(price) for price, _ in side]
        assert prices == sorted(prices), "best is last"
        assert all(Decimal(size) > 0 for _, size in side)
    cut = (await ask(session.client.get_market_orderbook, session.ticker, depth=3)).orderbook_fp
    assert len(cut.yes_dollars) <= 3
    assert len(cut.no_dollars) <= 3


@step(STEPS, "books of several markets at once")
async def books(session: Session) -> None:
    other = (await ask(session.client.get_markets, status="unopened", limit=1)).markets[0].ticker
    answer = await ask(session.client.get_market_orderbooks, [session.ticker, other])
    assert {one.ticker for one in answer.orderbooks} == {session.ticker, other}
    mine = next(one for one in answer.orderbooks if one.ticker == session.ticker)
    assert mine.orderbook_fp.yes_dollars or mine.orderbook_fp.no_dollars


@step(STEPS, "public trades in pages")
async def trades(session: Session) -> None:
    async def enough() -> bool | None:
        found = (await ask(session.client.get_trades, ticker=session.ticker, limit=100)).trades
        return True if len(found) >= 3 else None

    await until(enough, "three public trades")
    seen: list[str] = []
    times: list[datetime] = []
    async for page in pages(session.client.get_trades, "trades", ticker=session.ticker, limit=2):
        for trade in page:
            assert trade.ticker == session.ticker
            assert Decimal(trade.yes_price_dollars) + Decimal(trade.no_price_dollars) == 1
            assert (trade.taker_outcome_side == "yes") == (trade.taker_book_side.value == "bid")
            seen.append(trade.trade_id)
            times.append(trade.created_time)
    assert len(seen) == len(set(seen)) >= 3
    assert times == sorted(times, reverse=True), "newest first"


@step(STEPS, "historical cutoff is behind the present")
async def cutoff(session: Session) -> None:
    answer = await ask(session.client.get_historical_cutoff)
    assert answer.market_settled_ts < datetime.now(UTC)
    assert answer.trades_created_ts < datetime.now(UTC)
    assert answer.orders_updated_ts < datetime.now(UTC)
