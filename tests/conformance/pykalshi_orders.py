"""Orders of every kind with pykalshi: place, fill, cancel, amend, decrease, batches, groups, refusals."""

from __future__ import annotations

import time
from decimal import Decimal
from uuid import uuid4

from day import Step, step, until
from money import lowest, off_grid, text
from pykalshi.enums import BookSide, OrderStatus, SelfTradePrevention, TimeInForce
from pykalshi.exceptions import (
    InsufficientFundsError,
    KalshiAPIError,
    OrderRejectedError,
    ResourceNotFoundError,
)
from pykalshi_session import CRYPTO_SHARD, Session, refused

STEPS: list[Step] = []


@step(STEPS, "balance")
async def balance(session: Session) -> None:
    shown = await session.portfolio.get_balance()
    session.opening = await session.free_cash()
    assert shown.balance == int(session.opening * 100)
    assert shown.balance > 100_000


@step(STEPS, "a good-till-cancelled order rests and is read back")
async def rests(session: Session) -> None:
    made = await session.rest("3.00")
    assert (made.status, made.fill_count_fp, made.remaining_count_fp) == (OrderStatus.RESTING, "0.00", "3.00")
    assert session.opening - await session.free_cash() == 3 * lowest(session.grid)
    read = await session.portfolio.get_order(made.order_id)
    assert (read.status, read.book_side, read.initial_count_fp) == (
        OrderStatus.RESTING,
        BookSide.BID,
        "3.00",
    )
    assert read.client_order_id == made.client_order_id
    listed = await session.portfolio.get_orders(status=OrderStatus.RESTING, ticker=session.ticker)
    assert [order.order_id for order in listed] == [made.order_id]
    session.orders["resting"] = made


@step(STEPS, "queue position of one order and of all")
async def queue(session: Session) -> None:
    first = session.orders["resting"]
    behind = await session.rest("1.00")

    async def every() -> dict[str, Decimal]:
        rows = await session.portfolio.get_queue_positions(market_tickers=[session.ticker])
        return {row.order_id: Decimal(row.queue_position_fp) for row in rows}

    async def agree() -> bool | None:
        """Others leave the queue between two questions, so the single answers lie between two lists."""
        before = await every()
        single = {
            order.order_id: Decimal(
                (await session.portfolio.get_queue_position(order.order_id)).queue_position_fp
            )
            for order in (first, behind)
        }
        return True if before == single == await every() else None

    await until(agree, "single queue positions equal to the list's")
    shown = await every()
    assert set(shown) == {first.order_id, behind.order_id}
    assert shown[behind.order_id] >= shown[first.order_id] + 3 >= 3, shown
    await behind.cancel()


@step(STEPS, "duplicate client id is refused with 409")
async def duplicate(session: Session) -> None:
    used = session.orders["resting"].client_order_id
    await refused(KalshiAPIError, 409, "order_already_exists", session.rest(client_order_id=used))


@step(STEPS, "cancel, and a repeated cancel is not found")
async def cancel(session: Session) -> None:
    order = session.orders["resting"]
    await order.cancel()
    assert order.status is OrderStatus.CANCELED
    await order.refresh()
    assert (order.status, order.remaining_count_fp) == (OrderStatus.CANCELED, "0.00")
    assert await session.free_cash() == session.opening
    await refused(ResourceNotFoundError, 404, "not_found", order.cancel())


@step(STEPS, "post-only rests, a crossing post-only is refused")
async def post_only(session: Session) -> None:
    made = await session.rest("2.00", post_only=True)
    assert made.status is OrderStatus.RESTING
    await made.cancel()
    _, offer = await session.tops()
    high = session.through("bid", offer)
    error = await refused(
        KalshiAPIError, 400, "invalid_order", session.place("bid", high, "1.00", post_only=True)
    )
    assert error.response_body["error"]["details"] == "post only cross"


@step(STEPS, "immediate-or-cancel takes and shows up in the fills")
async def immediate_or_cancel(session: Session) -> None:
    made = await session.take("bid", "4.00", time_in_force=TimeInForce.IOC)
    assert (made.status, made.fill_count_fp) == (OrderStatus.EXECUTED, "4.00")
    fills = await session.portfolio.get_fills(order_id=made.order_id)
    assert sum(fill.yes_delta_fp for fill in fills) == 4
    assert all(fill.is_taker and Decimal(fill.fee_cost_dollars) > 0 for fill in fills)
    assert all(Decimal(fill.yes_price_dollars) <= Decimal(made.yes_price_dollars) for fill in fills)
    session.orders["taken"] = made


@step(STEPS, "fill-or-kill is refused whole or filled whole")
async def fill_or_kill(session: Session) -> None:
    code = "fill_or_kill_insufficient_resting_volume"
    await refused(KalshiAPIError, 409, code, session.rest("7.00", time_in_force=TimeInForce.FOK))
    made = await session.take("bid", "2.00", time_in_force=TimeInForce.FOK)
    assert (made.status, made.fill_count_fp) == (OrderStatus.EXECUTED, "2.00")


@step(STEPS, "immediate-or-cancel that meets nobody ends cancelled")
async def immediate_nothing(session: Session) -> None:
    made = await session.rest("5.00", time_in_force=TimeInForce.IOC)
    assert made.status is OrderStatus.CANCELED
    await made.refresh()
    assert made.status is OrderStatus.CANCELED


@step(STEPS, "a large order fills partly and the rest of it rests")
async def partial_fill(session: Session) -> None:
    async def partly() -> bool | None:
        shown = (await session.market.get_orderbook()).orderbook
        if not shown.yes_dollars or not shown.no_dollars:
            return None
        no_price, size = max(shown.no_dollars, key=lambda row: Decimal(row[0]))
        made = await session.place("bid", 1 - Decimal(no_price), str(Decimal(size) + 150))
        await made.refresh()
        if made.status is OrderStatus.RESTING and Decimal(made.fill_count_fp) > 0:
            assert Decimal(made.fill_count_fp) + Decimal(made.remaining_count_fp) == Decimal(size) + 150
            session.orders["partial"] = made
            return True
        if made.status is OrderStatus.RESTING:
            await session.withdraw(made)
        return None

    await until(partly, "an order that is partly filled and rests")


@step(STEPS, "cancelling a partly filled order keeps its fills")
async def cancel_partial(session: Session) -> None:
    order = session.orders["partial"]
    before = Decimal(order.fill_count_fp)
    await session.withdraw(order)
    await order.refresh()
    assert order.status in (OrderStatus.CANCELED, OrderStatus.EXECUTED)
    assert Decimal(order.fill_count_fp) >= before > 0
    fills = await session.portfolio.get_fills(order_id=order.order_id)
    assert sum(fill.yes_delta_fp for fill in fills) == Decimal(order.fill_count_fp)


@step(STEPS, "reduce-only closes part of the position")
async def reduce_only(session: Session) -> None:
    async def reduced() -> bool | None:
        held = await position(session)
        bid, _ = await session.tops()
        low = session.through("ask", bid)
        made = await session.place("ask", low, "2.00", time_in_force=TimeInForce.IOC, reduce_only=True)
        assert await position(session) == held - Decimal(made.fill_count_fp)
        return True if made.fill_count_fp == "2.00" else None

    await until(reduced, "two contracts sold at once")


async def position(session: Session) -> Decimal:
    found = await session.portfolio.get_positions(ticker=session.ticker)
    return Decimal(found[0].position_fp) if found else Decimal(0)


@step(STEPS, "an order that expires ends by itself")
async def expires(session: Session) -> None:
    made = await session.rest("1.00", expiration_ts=int(time.time()) + 2)
    assert made.status is OrderStatus.RESTING
    await made.wait_until_terminal(timeout=6, poll_interval=0.3)
    assert made.status is OrderStatus.CANCELED


@step(STEPS, "amend moves the price and the count, decrease takes away")
async def amend(session: Session) -> None:
    made = await session.rest("3.00")
    price = lowest(session.grid) + session.grid[0].step
    await made.amend(price_dollars=text(price), count_fp="5.00")
    await made.refresh()
    assert (Decimal(made.yes_price_dollars), made.remaining_count_fp) == (price, "5.00")
    await made.decrease("1.50")
    assert made.remaining_count_fp == "3.50"
    await made.refresh()
    assert (made.status, made.remaining_count_fp) == (OrderStatus.RESTING, "3.50")
    await made.cancel()


@step(STEPS, "an order that meets one's own cancels the resting one")
async def self_trade(session: Session) -> None:
    async def met() -> bool | None:
        bid, offer = await session.tops()
        inside = session.under(offer)
        if inside <= bid:
            return None
        own = await session.place("ask", inside, "1.00")
        incoming = await session.place(
            "bid",
            inside,
            "1.00",
            time_in_force=TimeInForce.IOC,
            self_trade_prevention=SelfTradePrevention.CANCEL_RESTING,
        )
        await own.refresh()
        if own.status is OrderStatus.RESTING:
            await session.withdraw(own)
            return None
        return True if own.status is OrderStatus.CANCELED and incoming.fill_count_fp == "0.00" else None

    await until(met, "an own offer at the top of the book", every=0.05)


@step(STEPS, "a batch creates and a batch cancels")
async def batches(session: Session) -> None:
    price = text(lowest(session.grid))
    one = {"ticker": session.ticker, "book_side": "bid", "price_dollars": price}
    made = await session.portfolio.batch_place_orders(
        [
            one | {"count_fp": "1.00", "client_order_id": str(uuid4())},
            one | {"count_fp": "2.00", "client_order_id": str(uuid4())},
        ]
    )
    assert [order.remaining_count_fp for order in made] == ["1.00", "2.00"]
    assert {order.status for order in made} == {OrderStatus.RESTING}
    gone = await session.portfolio.batch_cancel_orders([order.order_id for order in made])
    assert [order.order_id for order in gone] == [order.order_id for order in made]
    for order in made:
        await order.refresh()
        assert order.status is OrderStatus.CANCELED


@step(STEPS, "cancel all leaves nothing resting")
async def cancel_all(session: Session) -> None:
    for _ in range(3):
        await session.rest("1.00")
    # The client has no helper for it yet; its own DELETE speaks to the endpoint.
    assert await session.client.delete("/portfolio/events/orders") == {}
    assert not await session.portfolio.get_orders(status=OrderStatus.RESTING)


@step(STEPS, "an order group is created, takes an order, triggers, resets and goes")
async def order_group(session: Session) -> None:
    # The client's own create cannot name the crypto shard, so its POST does; the rest is its helpers.
    body = {"contracts_limit_fp": "40.00", "exchange_index": CRYPTO_SHARD}
    group = (await session.client.post("/portfolio/order_groups/create", body))["order_group_id"]
    order = await session.rest("1.00", order_group_id=group)
    shown = await session.portfolio.get_order_group(group)
    assert shown.orders == [order.order_id]
    assert group in [one.id for one in await session.portfolio.get_order_groups()]
    await session.client.put(f"/portfolio/order_groups/{group}/trigger?exchange_index={CRYPTO_SHARD}", {})
    await order.refresh()
    assert order.status is OrderStatus.CANCELED
    await session.client.put(f"/portfolio/order_groups/{group}/reset?exchange_index={CRYPTO_SHARD}", {})
    again = await session.rest("1.00", order_group_id=group)
    assert again.status is OrderStatus.RESTING
    assert await session.client.delete(f"/portfolio/order_groups/{group}?exchange_index={CRYPTO_SHARD}") == {}
    await again.refresh()
    assert again.status is OrderStatus.CANCELED
    assert group not in [one.id for one in await session.portfolio.get_order_groups()]
    session.orders["group"] = group


@step(STEPS, "an off-grid price is the client's rejected order")
async def bad_price(session: Session) -> None:
    wrong = str(off_grid(session.grid))
    await refused(
        OrderRejectedError,
        400,
        "invalid_price",
        session.portfolio.place_order(session.ticker, book_side="bid", price_dollars=wrong, count_fp="1.00"),
    )


@step(STEPS, "insufficient balance is the client's insufficient funds")
async def too_poor(session: Session) -> None:
    await refused(InsufficientFundsError, 400, "insufficient_balance", session.rest("999999999.00"))


@step(STEPS, "fills in pages, each once, and they make the position")
async def fills_in_pages(session: Session) -> None:
    for _ in range(5):
        await session.take("bid", "1.00", time_in_force=TimeInForce.IOC)
    found = await session.portfolio.get_fills(limit=2, fetch_all=True)
    ids = [fill.trade_id for fill in found]
    assert len(ids) == len(set(ids)) > 5
    whole = await session.portfolio.get_fills(limit=1000)
    assert [fill.trade_id for fill in whole] == ids
    assert (
        sum(fill.yes_delta_fp for fill in found if fill.ticker == session.ticker)
        == await position(session)
        != 0
    )
    last = await session.portfolio.get_fills(limit=1)
    assert [fill.trade_id for fill in last] == ids[:1]
