"""Settlement with pykalshi: the close, the result, the payout, and the money to the last $0.0001."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from day import Step, step, until
from money import Traded, cash_after, highest
from pykalshi.enums import BookSide, CandlestickPeriod, MarketStatus, OrderStatus, PositionCountFilter
from pykalshi_desk import Desk, caught, moment

STEPS: list[Step] = []


@step(STEPS, "an order left resting is cancelled by the close, a new one is refused")
async def close_cancels(desk: Desk) -> None:
    # The crowd may sweep one end of the book once the result is plain, never both.
    left = [await desk.rest("2.00"), await desk.place("ask", highest(desk.grid), "2.00")]

    async def ended() -> bool | None:
        for order in left:
            await order.refresh()
        now = {order.status for order in left}
        return True if OrderStatus.RESTING not in now and OrderStatus.CANCELED in now else None

    await until(ended, "the close cancelled the order", seconds=90, every=0.5)
    assert datetime.now(UTC) >= moment(desk.market.close_time)
    error = await caught(desk.rest("1.00"))
    assert 400 <= error.status_code < 500
    assert error.error_code == "MARKET_INACTIVE", error


@step(STEPS, "the market is finalized with a result and a value")
async def finalized(desk: Desk) -> None:
    async def done() -> bool | None:
        desk.market = await desk.client.get_market(desk.ticker)
        return True if desk.market.status is MarketStatus.FINALIZED else None

    await until(done, "finalized", seconds=60, every=0.5)
    assert desk.market.result in ("yes", "no")
    assert desk.market.settlement_value_dollars == ("1.0000" if desk.market.result == "yes" else "0.0000")


@step(STEPS, "the settlements list has the held position, its payout and the client's own profit")
async def settlements(desk: Desk) -> None:
    rows = await desk.portfolio.get_settlements(ticker=desk.ticker)
    assert len(rows) == 1
    row = rows[0]
    fills = await desk.portfolio.get_fills(ticker=desk.ticker, limit=1000)
    held = sum(fill.yes_delta_fp for fill in fills)
    assert Decimal(row.net_position) == held != 0
    assert row.market_result == desk.market.result
    won = (held > 0) == (desk.market.result == "yes")
    assert row.revenue == (int(abs(held) * 100) if won else 0)


@step(STEPS, "no open position is left")
async def flat(desk: Desk) -> None:
    assert not await desk.portfolio.get_positions(count_filter=PositionCountFilter.POSITION)


@step(STEPS, "cash is what the fills, fees and payouts make it, exactly")
async def exact_cash(desk: Desk) -> None:
    fills = [
        Traded(
            ticker=fill.ticker,
            bid=fill.book_side is BookSide.BID,
            count=Decimal(fill.count_fp),
            price=Decimal(fill.yes_price_dollars),
            fee=Decimal(fill.fee_cost_dollars),
        )
        for fill in await desk.portfolio.get_fills(limit=1000, fetch_all=True)
    ]
    expected = cash_after(desk.opening, fills, {desk.ticker: desk.market.result == "yes"})
    assert await desk.free_cash() == expected, (await desk.free_cash(), expected)


@step(STEPS, "candlesticks of one market and of several")
async def candles(desk: Desk) -> None:
    start = int(moment(desk.market.open_time).timestamp()) - 60
    end = int(moment(desk.market.close_time).timestamp()) + 60
    minute = CandlestickPeriod.ONE_MINUTE
    one = await desk.market.get_candlesticks(start, end, minute)
    assert one.ticker == desk.ticker
    volume = sum(Decimal(candle.volume_fp) for candle in one.candlesticks)
    assert volume == Decimal(desk.market.volume_fp) > 0, (volume, desk.market.volume_fp)
    several = await desk.client.get_candlesticks_batch([desk.ticker], start, end, minute)
    assert several[desk.ticker].candlesticks == one.candlesticks
