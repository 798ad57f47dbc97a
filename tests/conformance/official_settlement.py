"""Settlement with the official client: the close, the result, the payout, and the money to the last $0.0001."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from day import Step, step, until
from money import Traded, cash_after, highest, net
from official_session import Session, ask, caught

STEPS: list[Step] = []


@step(STEPS, "an order left resting is cancelled by the close")
async def close_cancels(session: Session) -> None:
    # The crowd may sweep one end of the book once the result is plain, never both.
    left = [await session.rest("2.00"), await session.place("ask", highest(session.grid), "2.00")]

    async def ended() -> bool | None:
        now = [(await session.order(made.order_id)).status.value for made in left]
        return True if "resting" not in now and "canceled" in now else None

    await until(ended, "the close cancelled the order", seconds=90, every=0.5)
    assert datetime.now(UTC) >= session.market.close_time


@step(STEPS, "an order after the close is refused")
async def after_close(session: Session) -> None:
    error = await caught(session.rest("1.00"))
    assert 400 <= error.status < 500, error
    assert "MARKET_INACTIVE" in error.body, error.body


@step(STEPS, "the market is finalized with a result and a value")
async def finalized(session: Session) -> None:
    async def done() -> bool | None:
        session.market = (await ask(session.client.get_market, session.ticker)).market
        return True if session.market.status == "finalized" else None

    await until(done, "finalized", seconds=60, every=0.5)
    assert session.market.result in ("yes", "no")
    assert session.market.settlement_value_dollars == (
        "1.0000" if session.market.result == "yes" else "0.0000"
    )
    assert Decimal(session.market.expiration_value) > 0
    assert session.market.settlement_ts > session.market.close_time
    settled = (await ask(session.client.get_markets, status="settled", series_ticker=session.series)).markets
    assert session.ticker in [market.ticker for market in settled]


@step(STEPS, "the settlements list has the held position and its payout")
async def settlements(session: Session) -> None:
    held = net(await traded(session))[session.ticker]
    assert held != 0
    rows = (await ask(session.client.get_settlements, ticker=session.ticker)).settlements
    assert len(rows) == 1
    row = rows[0]
    assert (row.event_ticker, row.market_result) == (session.market.event_ticker, session.market.result)
    assert Decimal(row.yes_count_fp) - Decimal(row.no_count_fp) == held
    won = (held > 0) == (session.market.result == "yes")
    assert row.revenue == (int(abs(held) * 100) if won else 0)


@step(STEPS, "no open position is left")
async def flat(session: Session) -> None:
    left = (
        await ask(session.client.get_positions, ticker=session.ticker, count_filter="position")
    ).market_positions
    assert not left
    every = await ask(session.client.get_positions, ticker=session.ticker, settlement_status="all")
    assert [row.ticker for row in every.market_positions] == [session.ticker]


@step(STEPS, "cash is what the fills, fees and payouts make it, exactly")
async def exact_cash(session: Session) -> None:
    won = {session.ticker: session.market.result == "yes"}
    expected = cash_after(session.opening, await traded(session), won)
    assert await session.free_cash() == expected, (await session.free_cash(), expected)


async def traded(session: Session) -> list[Traded]:
    fills = (await ask(session.client.get_fills, limit=1000)).fills
    return [
        Traded(
            ticker=fill.ticker,
            bid=fill.book_side.value == "bid",
            count=Decimal(fill.count_fp),
            price=Decimal(fill.yes_price_dollars),
            fee=Decimal(fill.fee_cost),
        )
        for fill in fills
    ]


@step(STEPS, "candlesticks of the market")
async def candles(session: Session) -> None:
    opened, closed = int(session.market.open_time.timestamp()), int(session.market.close_time.timestamp())
    answer = await ask(
        session.client.get_market_candlesticks, session.series, session.ticker, opened - 60, closed + 60, 1
    )
    assert answer.ticker == session.ticker
    candles = answer.candlesticks
    assert candles
    ends = [candle.end_period_ts for candle in candles]
    assert ends == sorted(set(ends))
    assert all(end % 60 == 0 for end in ends)
    volume = sum(Decimal(candle.volume_fp) for candle in candles)
    assert volume == Decimal(session.market.volume_fp), (volume, session.market.volume_fp)
    price = next(candle.price for candle in candles if Decimal(candle.volume_fp) > 0)
    assert Decimal(price.low_dollars) <= Decimal(price.open_dollars) <= Decimal(price.high_dollars)
    assert Decimal(price.low_dollars) <= Decimal(price.mean_dollars) <= Decimal(price.high_dollars)


@step(STEPS, "candlesticks of several markets")
async def candles_of_several(session: Session) -> None:
    opened, closed = int(session.market.open_time.timestamp()), int(session.market.close_time.timestamp())
    answer = await ask(
        session.client.batch_get_market_candlesticks, session.ticker, opened - 60, closed + 60, 1
    )
    assert [row.market_ticker for row in answer.markets] == [session.ticker]
    assert sum(Decimal(candle.volume_fp) for candle in answer.markets[0].candlesticks) == Decimal(
        session.market.volume_fp
    )


@step(STEPS, "candlesticks of the event")
async def candles_of_event(session: Session) -> None:
    opened, closed = int(session.market.open_time.timestamp()), int(session.market.close_time.timestamp())
    answer = await ask(
        session.client.get_market_candlesticks_by_event,
        session.market.event_ticker,
        session.series,
        opened - 60,
        closed + 60,
        1,
    )
    mine = answer.market_candlesticks[answer.market_tickers.index(session.ticker)]
    assert sum(Decimal(candle.volume_fp) for candle in mine) == Decimal(session.market.volume_fp)


@step(STEPS, "the historical tier holds only what is behind its cutoff")
async def historical(session: Session) -> None:
    cutoff = await ask(session.client.get_historical_cutoff)
    markets = (await ask(session.client.get_historical_markets, limit=10)).markets
    assert all(market.settlement_ts < cutoff.market_settled_ts for market in markets)
    trades = (await ask(session.client.get_trades_historical, limit=10)).trades
    assert all(trade.created_time < cutoff.trades_created_ts for trade in trades)
    orders = (await ask(session.client.get_historical_orders, limit=10)).orders
    assert all(order.last_update_time < cutoff.orders_updated_ts for order in orders)
    fills = (await ask(session.client.get_fills_historical, limit=10)).fills
    assert all(fill.created_time < cutoff.trades_created_ts for fill in fills)
    positions = (await ask(session.client.get_historical_positions, limit=10)).market_positions
    assert session.ticker not in [position.ticker for position in positions]
