"""The account with the official client: limits, costs, batches, order groups, positions; settlement is elsewhere."""

from __future__ import annotations

from decimal import Decimal
from uuid import uuid4

from day import Step, step
from kalshi_python_async.exceptions import NotFoundException
from money import lowest, off_grid, text
from official_session import CRYPTO_SHARD, Session, ask, caught, pages, refused

STEPS: list[Step] = []


@step(STEPS, "account limits")
async def limits(session: Session) -> None:
    told = await ask(session.client.get_account_api_limits)
    assert told.usage_tier
    assert 0 < told.read.refill_rate <= told.read.bucket_capacity
    assert 0 < told.write.refill_rate <= told.write.bucket_capacity


@step(STEPS, "endpoint costs")
async def costs(session: Session) -> None:
    told = await ask(session.client.get_account_endpoint_costs)
    assert told.default_cost == 10
    by_endpoint = {(row.method, row.path): row.cost for row in told.endpoint_costs}
    cancels = [
        cost
        for (method, path), cost in by_endpoint.items()
        if method == "DELETE" and path.endswith("/portfolio/events/orders/{order_id}")
    ]
    assert cancels == [2], by_endpoint


def item(session: Session, **more: object) -> dict[str, object]:
    return {
        "ticker": session.ticker,
        "side": "bid",
        "price": text(lowest(session.grid)),
        "count": "1.00",
        "time_in_force": "good_till_canceled",
        "self_trade_prevention_type": "taker_at_cross",
        "client_order_id": str(uuid4()),
        "exchange_index": CRYPTO_SHARD,
    } | more


@step(STEPS, "a batch creates each order for itself")
async def batch_create(session: Session) -> None:
    orders = [item(session), item(session, price=str(off_grid(session.grid))), item(session, count="2.00")]
    made = (await ask(session.client.batch_create_orders_v2, orders=orders)).orders
    assert [row.client_order_id for row in made] == [order["client_order_id"] for order in orders]
    assert (made[0].remaining_count, made[2].remaining_count) == ("1.00", "2.00")
    assert made[0].error is None
    assert (made[1].order_id, made[1].error.code) == (None, "invalid_price")
    session.ids["first of batch"], session.ids["last of batch"] = made[0].order_id, made[2].order_id


@step(STEPS, "a batch cancels each order for itself")
async def batch_cancel(session: Session) -> None:
    unknown = str(uuid4())
    asked = [session.ids["first of batch"], unknown, session.ids["last of batch"]]
    orders = [{"order_id": order_id, "exchange_index": CRYPTO_SHARD} for order_id in asked]
    gone = (await ask(session.client.batch_cancel_orders_v2, orders=orders)).orders
    assert [row.order_id for row in gone] == asked
    assert [row.reduced_by for row in gone] == ["1.00", "0.00", "2.00"]
    assert [row.error.code if row.error else None for row in gone] == [None, "not_found", None]
    assert not (await ask(session.client.get_orders, status="resting")).orders


@step(STEPS, "cancel all leaves nothing resting")
async def cancel_all(session: Session) -> None:
    for _ in range(3):
        await session.rest("1.00")
    assert len((await ask(session.client.get_orders, status="resting")).orders) == 3
    await ask(session.client.cancel_all_orders)
    assert not (await ask(session.client.get_orders, status="resting")).orders


@step(STEPS, "an order group is created, read and listed")
async def group_create(session: Session) -> None:
    made = await ask(
        session.client.create_order_group, contracts_limit_fp="40.00", exchange_index=CRYPTO_SHARD
    )
    group = made.order_group_id
    order = await session.rest("1.00", order_group_id=group)
    shown = await ask(session.client.get_order_group, group)
    assert shown.orders == [order.order_id]
    assert shown.is_auto_cancel_enabled is not None
    assert Decimal(shown.contracts_limit_fp) == 40
    assert group in [row.id for row in (await ask(session.client.get_order_groups)).order_groups]
    assert (await session.order(order.order_id)).order_group_id == group
    session.ids["group"], session.ids["in group"] = group, order.order_id


@step(STEPS, "a triggered order group cancels its orders and takes no new one until reset")
async def group_trigger(session: Session) -> None:
    group = session.ids["group"]
    await ask(session.client.trigger_order_group, group, exchange_index=CRYPTO_SHARD)
    assert (await session.order(session.ids["in group"])).status.value == "canceled"
    error = await caught(session.rest("1.00", order_group_id=group))
    assert 400 <= error.status < 500, error
    await ask(session.client.reset_order_group, group, exchange_index=CRYPTO_SHARD)
    again = await session.rest("1.00", order_group_id=group)
    assert again.remaining_count == "1.00"
    session.ids["in group"] = again.order_id


@step(STEPS, "an order group's limit changes, and deleting it cancels its orders")
async def group_delete(session: Session) -> None:
    group = session.ids["group"]
    await ask(
        session.client.update_order_group_limit,
        group,
        contracts_limit_fp="50.00",
        exchange_index=CRYPTO_SHARD,
    )
    assert Decimal((await ask(session.client.get_order_group, group)).contracts_limit_fp) == 50
    await ask(session.client.delete_order_group, group, exchange_index=CRYPTO_SHARD)
    assert (await session.order(session.ids["in group"])).status.value == "canceled"
    await refused(NotFoundException, ask(session.client.get_order_group, group))


@step(STEPS, "the list of orders in pages")
async def orders_in_pages(session: Session) -> None:
    whole = (await ask(session.client.get_orders, limit=1000)).orders
    seen: list[str] = []
    async for page in pages(session.client.get_orders, "orders", limit=5):
        assert len(page) <= 5
        seen += [order.order_id for order in page]
    assert seen == [order.order_id for order in whole]
    assert len(set(seen)) == len(seen) > 10


@step(STEPS, "fills in pages, each once, the same as each order's count and fees")
async def fills_in_pages(session: Session) -> None:
    for _ in range(3):
        await session.take("bid", "1.00", time_in_force="immediate_or_cancel")
    seen = []
    async for page in pages(session.client.get_fills, "fills", limit=2):
        assert len(page) <= 2
        seen += page
    ids = [fill.trade_id for fill in seen]
    assert len(ids) == len(set(ids)) > 5
    whole = (await ask(session.client.get_fills, limit=1000)).fills
    assert [fill.trade_id for fill in whole] == ids
    for order in (await ask(session.client.get_orders, limit=1000)).orders:
        mine = [fill for fill in seen if fill.order_id == order.order_id]
        assert sum((Decimal(fill.count_fp) for fill in mine), Decimal(0)) == Decimal(order.fill_count_fp)
        fees = Decimal(order.taker_fees_dollars) + Decimal(order.maker_fees_dollars)
        assert sum((Decimal(fill.fee_cost) for fill in mine), Decimal(0)) == fees, order


@step(STEPS, "the position is the sum of the fills")
async def position_of_fills(session: Session) -> None:
    fills = (await ask(session.client.get_fills, ticker=session.ticker, limit=1000)).fills
    signed = [
        Decimal(fill.count_fp) if fill.book_side.value == "bid" else -Decimal(fill.count_fp) for fill in fills
    ]
    answer = await ask(session.client.get_positions, ticker=session.ticker, count_filter="position")
    held = answer.market_positions[0]
    assert Decimal(held.position_fp) == sum(signed) != 0
    assert Decimal(held.fees_paid_dollars) == sum(Decimal(fill.fee_cost) for fill in fills)
    assert Decimal(held.market_exposure_dollars) > 0
    event = answer.event_positions[0]
    assert event.event_ticker == session.market.event_ticker


@step(STEPS, "resting order value")
async def resting_value(session: Session) -> None:
    made = await session.rest("100.00")
    told = await ask(session.client.get_portfolio_resting_order_total_value)
    assert told.total_resting_order_value == int(100 * lowest(session.grid) * 100)
    await session.cancel(made.order_id)


@step(STEPS, "subaccount balances name the primary account")
async def subaccounts(session: Session) -> None:
    rows = (await ask(session.client.get_subaccount_balances)).subaccount_balances
    primary = [row for row in rows if row.subaccount_number == 0 and row.exchange_index == CRYPTO_SHARD]
    assert len(primary) == 1, rows
    assert Decimal(primary[0].balance) > 0


@step(STEPS, "cash moves between shards")
async def transfer(session: Session) -> None:
    async def shards() -> dict[int, Decimal]:
        told = await ask(session.client.get_balance)
        return {row.exchange_index: Decimal(row.balance) for row in told.balance_breakdown}

    before = await shards()
    for source, destination in ((CRYPTO_SHARD, 0), (0, CRYPTO_SHARD)):
        moved = await ask(
            session.client.intra_exchange_instance_transfer,
            source="event_contract",
            destination="event_contract",
            amount=250_000,
            source_exchange_shard=source,
            destination_exchange_shard=destination,
        )
        assert moved.transfer_id
        if destination == 0:
            assert (await shards())[0] == before[0] + 25
    assert await shards() == before
