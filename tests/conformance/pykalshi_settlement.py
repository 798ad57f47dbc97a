"""Settlement with pykalshi: the close, the result, the payout, and the money to the last $0.0001."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from day import Step, step, until
from money import Traded, cash_after, highest
from pykalshi.enums import BookSide, CandlestickPeriod, MarketStatus, OrderStatus, PositionCountFilter
from pykalshi_session import Session, caught, moment

STEPS: list[Step] = []


@step(STEPS, "an order left resting is cancelled by the close, a new one is refused")
async def close_cancels(session: Session) -> None:
    # The crowd may sweep one end of the book once the result is plain, never both.
    left = [await session.rest("2.00"), await session.place("ask", highest(session.grid), "2.00")]

    async def ended() -> bool | None:
        for order in left:
            await order.refresh()
        now = {order.status for order in left}
        return True if OrderStatus.RESTING not in now and OrderStatus.CANCELED in now else None

    await until(ended, "the close cancelled the order", seconds=90, every=0.5)
    assert datetime.now(UTC) >= moment(session.market.close_time)
    error = await caught(session.rest("1.00"))
    assert 400 <= error.status_code < 500
    assert error.error_code == "MARKET_INACTIVE", error


@step(STEPS, "the market is finalized with a result and a value")
async def finalized(session: Session) -> None:
    async def done() -> bool | None:
        session.market = await session.client.get_market(session.ticker)
        return True if session.market.status is MarketStatus.FINALIZED else None

    await until(done, "finalized", seconds=60, every=0.5)
    assert session.market.result in ("yes", "no")
    assert session.market.settlement_value_dollars == (
        "1.0000" if session.market.result == "yes" else "0.0000"
    )


@step(STEPS, "the settlements list has the held position, its payout and the client's own profit")
async def settlements(session: Session) -> None:
    rows = await session.portfolio.get_settlements(ticker=session.ticker)
    assert len(rows) == 1
    row = rows[0]
    fills = await session.portfolio.get_fills(ticker=session.ticker, limit=1000)
    held = sum(fill.yes_delta_fp for fill in fills)
    assert Decimal(row.net_position) == held != 0
    assert row.market_result == session.market.result
    won = (held > 0) == (session.market.result == "yes")
    assert row.revenue == (int(abs(held) * 100) if won else 0)


@step(STEPS, "no open position is left")
async def flat(session: Session) -> None:
    assert not await session.portfolio.get_positions(count_filter=PositionCountFilter.POSITION)


@step(STEPS, "cash is what the fills, fees and payouts make it, exactly")
async def exact_cash(session: Session) -> None:
    fills = [
        Traded(
            ticker=fill.ticker,
            bid=fill.book_side is BookSide.BID,
            count=Decimal(fill.count_fp),
            price=Decimal(fill.yes_price_dollars),
            fee=Decimal(fill.fee_cost_dollars),
        )
        for fill in await session.portfolio.get_fills(limit=1000, fetch_all=True)
    ]
    expected = cash_after(session.opening, fills, {session.ticker: session.market.result == "yes"})
    assert await session.free_cash() == expected, (await session.free_cash(), expected)


@step(STEPS, "candlesticks of one market and of several")
async def candles(session: Session) -> None:
    start = int(moment(session.market.open_time).timestamp()) - 60
    end = int(moment(session.market.close_time).timestamp()) + 60
    minute = CandlestickPeriod.ONE_MINUTE
    one = await session.market.get_candlesticks(start, end, minute)
    assert one.ticker == session.ticker
    volume = sum(Decimal(candle.volume_fp) for candle in one.candlesticks)
    assert volume == Decimal(session.market.volume_fp) > 0, (volume, session.market.volume_fp)
    several = await session.client.get_candlesticks_batch([session.ticker], start, end, minute)
    assert several[session.ticker].candlesticks == one.candlesticks
