"""pykalshi's WebSocket: book, ticker, trade, fill, user_orders, market_positions and lifecycle frames, on content."""

from __future__ import annotations

import asyncio
from decimal import Decimal

from day import Step, step, until
from money import lowest
from pykalshi.enums import TimeInForce
from pykalshi.feed import (
    ErrorMessage,
    FillMessage,
    MarketLifecycleMessage,
    OrderbookDeltaMessage,
    OrderbookSnapshotMessage,
    OrderGroupUpdateMessage,
    PositionMessage,
    TickerMessage,
    TradeMessage,
    UserOrderMessage,
)
from pykalshi_ear import levels
from pykalshi_session import CRYPTO_SHARD, Session

STEPS: list[Step] = []
PRIVATE = ("fill", "user_orders", "market_positions", "order_group_updates")


@step(STEPS, "the feed connects and the first frame of a book is its snapshot")
async def connects(session: Session) -> None:
    feed = session.ear.feed
    feed.subscribe("orderbook_delta", market_ticker=session.ticker)
    feed.subscribe("ticker", market_ticker=session.ticker)
    feed.subscribe("trade", market_ticker=session.ticker)
    feed.subscribe("market_lifecycle_v2")
    for channel in PRIVATE:
        feed.subscribe(channel)
    session.listening = asyncio.create_task(session.ear.listen())
    book = (OrderbookSnapshotMessage, OrderbookDeltaMessage)
    first = await session.ear.wait(lambda heard: isinstance(heard, book), "a book")
    assert isinstance(first, OrderbookSnapshotMessage), first
    assert first.market_ticker == session.ticker

    async def acknowledged() -> bool | None:
        return True if len(feed._sids) == 4 + len(PRIVATE) else None

    await until(acknowledged, "every subscription acknowledged")


@step(STEPS, "the book rebuilt from snapshot and deltas equals the book over REST")
async def rebuilt(session: Session) -> None:
    await session.ear.wait(lambda heard: isinstance(heard, OrderbookDeltaMessage), "a delta")
    session.ear.follow(session.ticker)
    for _ in range(5):
        shown = (await session.market.get_orderbook()).orderbook
        await session.ear.wait_for_state((levels(shown.yes_dollars or ()), levels(shown.no_dollars or ())))
        await session.ear.wait_for_change()
    assert len(session.ear.states) > 5
    session.ear.following = ""


@step(STEPS, "ticker frames agree with the market over REST")
async def ticker(session: Session) -> None:
    async def same() -> bool | None:
        market = await session.client.get_market(session.ticker)
        quoted = (market.yes_bid_dollars, market.yes_ask_dollars, market.volume_fp)
        shown = [
            (one.yes_bid_dollars, one.yes_ask_dollars, one.volume_fp)
            for one in session.ear.heard
            if isinstance(one, TickerMessage)
        ]
        return True if quoted in shown else None

    await until(same, "a ticker frame with the quotes of REST", every=0.05)
    one = await session.ear.wait(lambda heard: isinstance(heard, TickerMessage), "a ticker frame")
    assert one.market_ticker == session.ticker
    assert one.ts_ms is not None
    assert one.market_id


@step(STEPS, "trade frames are the trades over REST")
async def trades(session: Session) -> None:
    heard = await session.ear.wait(lambda one: isinstance(one, TradeMessage), "a trade", seconds=20)
    assert heard.market_ticker == session.ticker
    found = await session.market.get_trades(limit=1000)
    same = next(trade for trade in found if trade.trade_id == heard.trade_id)
    assert (same.count_fp, same.yes_price_dollars) == (heard.count_fp, heard.yes_price_dollars)
    assert same.taker_book_side.value == heard.taker_book_side


@step(STEPS, "an own order's delta carries its client id, user_orders its life")
async def own_order(session: Session) -> None:
    made = await session.rest("3.00")
    delta = await session.ear.wait(
        lambda one: isinstance(one, OrderbookDeltaMessage) and one.client_order_id == made.client_order_id,
        "the delta of the own order",
    )
    assert (delta.side, Decimal(delta.price_dollars), delta.delta_fp) == ("yes", lowest(session.grid), "3.00")
    resting = await session.ear.wait(lambda one: about(one, made.order_id, "resting"), "the order resting")
    assert (resting.ticker, resting.book_side, resting.remaining_count_fp) == (session.ticker, "bid", "3.00")
    assert resting.client_order_id == made.client_order_id
    await made.cancel()
    ended = await session.ear.wait(lambda one: about(one, made.order_id, "canceled"), "the order cancelled")
    assert (ended.remaining_count_fp, ended.fill_count_fp) == ("0.00", "0.00")


def about(heard: object, order_id: str, status: str) -> bool:
    return isinstance(heard, UserOrderMessage) and (heard.order_id, heard.status) == (order_id, status)


@step(STEPS, "a fill frame, the public trade and the fill over REST are one")
async def own_fill(session: Session) -> None:
    made = await session.take("bid", "3.00", time_in_force=TimeInForce.IOC)
    fill = await session.ear.wait(
        lambda one: isinstance(one, FillMessage) and one.order_id == made.order_id, "the fill"
    )
    assert (fill.market_ticker, fill.book_side, fill.is_taker) == (session.ticker, "bid", True)
    assert fill.client_order_id == made.client_order_id
    public = await session.ear.wait(
        lambda one: isinstance(one, TradeMessage) and one.trade_id == fill.trade_id, "the public trade"
    )
    assert (public.count_fp, public.yes_price_dollars) == (fill.count_fp, fill.yes_price_dollars)
    found = {row.trade_id: row for row in await session.portfolio.get_fills(order_id=made.order_id)}
    same = found[fill.trade_id]
    assert (same.count_fp, same.fee_cost_dollars) == (fill.count_fp, fill.fee_cost)
    await session.ear.wait(lambda one: about(one, made.order_id, "executed"), "the order executed")
    last = await session.ear.wait(
        lambda one: (
            isinstance(one, FillMessage)
            and one.order_id == made.order_id
            and one.trade_id == next(iter(found))
        ),
        "the last fill of the order",
    )
    held = (await session.portfolio.get_positions(ticker=session.ticker))[0]
    assert Decimal(last.post_position_fp) == Decimal(held.position_fp)


@step(STEPS, "market_positions frames agree with the position over REST")
async def positions(session: Session) -> None:
    held = (await session.portfolio.get_positions(ticker=session.ticker))[0]
    shown = await session.ear.wait(
        lambda one: (
            isinstance(one, PositionMessage)
            and (one.market_ticker, one.position_fp) == (session.ticker, held.position_fp)
        ),
        "the position",
    )
    assert shown.fees_paid_dollars == held.fees_paid_dollars
    assert shown.position_cost_dollars == held.market_exposure_dollars
    assert shown.realized_pnl_dollars == held.realized_pnl_dollars


@step(STEPS, "order_group_updates frames tell a group's life")
async def order_group(session: Session) -> None:
    body = {"contracts_limit_fp": "10.00", "exchange_index": CRYPTO_SHARD}
    group = (await session.client.post("/portfolio/order_groups/create", body))["order_group_id"]
    where = f"/portfolio/order_groups/{group}"
    shard = f"?exchange_index={CRYPTO_SHARD}"
    await session.client.put(f"{where}/trigger{shard}", {})
    await session.client.put(f"{where}/reset{shard}", {})
    await session.client.delete(f"{where}{shard}")
    for told in ("created", "triggered", "reset", "deleted"):
        await session.ear.wait(
            lambda one, told=told: (
                isinstance(one, OrderGroupUpdateMessage)
                and (one.order_group_id, one.event_type) == (group, told)
            ),
            f"the group {told}",
        )


@step(STEPS, "an unknown channel is an error frame with code 8")
async def unknown_channel(session: Session) -> None:
    session.ear.feed.subscribe("no_such_channel")
    error = await session.ear.wait(lambda one: isinstance(one, ErrorMessage), "an error frame")
    assert error.code == 8, error
    session.ear.feed.unsubscribe("no_such_channel")


@step(STEPS, "the rebuilt book still equals REST after the own orders")
async def rebuilt_again(session: Session) -> None:
    await rebuilt(session)


CLOSING: list[Step] = []
"""Steps for after the close, when the market has gone through its life."""


@step(CLOSING, "lifecycle frames tell the market's determination and settlement")
async def lifecycle(session: Session) -> None:
    for told in ("determined", "settled"):
        await session.ear.wait(
            lambda one, told=told: (
                isinstance(one, MarketLifecycleMessage)
                and (one.market_ticker, one.event_type) == (session.ticker, told)
            ),
            f"the market {told}",
            seconds=30,
        )
    determined = await session.ear.wait(
        lambda one: (
            isinstance(one, MarketLifecycleMessage)
            and (one.market_ticker, one.event_type) == (session.ticker, "determined")
        ),
        "the market determined",
    )
    assert determined.result == session.market.result


@step(CLOSING, "the close empties the book on the socket")
async def emptied(session: Session) -> None:
    book = session.ear.books[session.ticker]
    assert not book.yes, book
    assert not book.no, book


@step(CLOSING, "no frame was refused by the client's own models")
async def no_complaints(session: Session) -> None:
    assert not session.ear.complaints, session.ear.complaints
    assert session.ear.feed.reconnect_count == 0
    assert not [one for one in session.ear.heard if isinstance(one, dict) and "market_ticker" in one]
    session.listening.cancel()
