"""Order groups: a rolling cap on what matches, and everything stops together once it is passed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from recio.exchange_sim.engine.events import OrderGroupChanged
from recio.exchange_sim.engine.execution import take
from recio.exchange_sim.engine.group_entry import create_group, limit_group, reset_group
from recio.exchange_sim.engine.groups import ROLLING_MS, OrderGroup
from recio.exchange_sim.engine.order_entry import TimeInForce, create
from recio.exchange_sim.engine.orders import Order, OrderStatus, Refused

MakeSession = Callable[..., Any]
GROUPS = "/portfolio/order_groups"


def group_of(d: Any, limit: int) -> OrderGroup:
    group = create_group(d.venue, limit=limit, subaccount=0, shard=2)
    assert isinstance(group, OrderGroup)
    return group


def made(result: Order | Refused) -> Order:
    assert isinstance(result, Order), result
    return result


def sell_into(d: Any, quantity: int) -> None:
    """Somebody else hits the bids."""
    take(d.venue, d.market, owner=3, bid=False, limit=100, quantity=quantity)


def test_hitting_the_limit_cancels_every_order_of_the_group_and_no_other(
    trading_session: MakeSession,
) -> None:
    d = trading_session()
    group = group_of(d, 150)
    mine = [
        made(create(d.venue, d.order("bid", price, 100, group_id=group.group_id)))
        for price in (5_000, 4_900, 4_800)
    ]
    other = made(create(d.venue, d.order("bid", 4_700, 100)))
    sell_into(d, 149)
    assert [order.status for order in mine] == [
        OrderStatus.EXECUTED,
        OrderStatus.RESTING,
        OrderStatus.RESTING,
    ]
    sell_into(d, 1)
    assert [order.status for order in mine[1:]] == [OrderStatus.CANCELED, OrderStatus.CANCELED]
    assert [order.filled for order in mine] == [100, 50, 0]
    assert other.status is OrderStatus.RESTING
    assert d.market.book.bids.totals == {4_700: 100}


def test_a_group_that_stops_beyond_its_limit_goes_on_at_it(trading_session: MakeSession) -> None:
    d = trading_session()
    d.venue.floor.groups_stop_beyond = True
    group = group_of(d, 150)
    made(create(d.venue, d.order("bid", 5_000, 300, group_id=group.group_id)))
    sell_into(d, 150)
    assert not group.triggered
    sell_into(d, 1)
    assert group.triggered


def test_one_sweep_over_several_orders_of_a_group_is_booked_whole(trading_session: MakeSession) -> None:
    d = trading_session()
    group = group_of(d, 50)
    mine = [
        made(create(d.venue, d.order("bid", price, 100, group_id=group.group_id)))
        for price in (5_000, 4_900, 4_800)
    ]
    sell_into(d, 220)
    assert [order.filled for order in mine] == [100, 100, 20]
    assert not d.market.book.bids.totals
    assert d.venue.reserved(2) == 0


def test_what_an_incoming_order_leaves_does_not_rest_in_a_group_that_it_has_stopped(
    trading_session: MakeSession,
) -> None:
    d = trading_session()
    group = group_of(d, 50)
    d.other("ask", 5_000, 100)
    order = made(create(d.venue, d.order("bid", 5_000, 300, group_id=group.group_id)))
    assert (order.status, order.filled, order.remaining) == (OrderStatus.CANCELED, 100, 0)
    assert not d.market.book.bids.totals


def test_matches_count_for_fifteen_seconds_and_no_longer(trading_session: MakeSession) -> None:
    d = trading_session()
    group = group_of(d, 100)
    made(create(d.venue, d.order("bid", 5_000, 1_000, group_id=group.group_id)))
    sell_into(d, 99)
    d.run_to(d.venue.now_ms + ROLLING_MS)
    sell_into(d, 99)
    assert not group.triggered
    d.run_to(d.venue.now_ms + ROLLING_MS - 50)
    sell_into(d, 1)
    assert group.triggered


def test_a_stopped_group_takes_orders_again_once_it_is_reset(trading_session: MakeSession) -> None:
    d = trading_session()
    group = group_of(d, 50)
    made(create(d.venue, d.order("bid", 5_000, 100, group_id=group.group_id)))
    sell_into(d, 60)
    refused = create(d.venue, d.order("bid", 5_000, 100, group_id=group.group_id))
    assert isinstance(refused, Refused)
    assert refused.details == "order group triggered"
    reset_group(d.venue, group)
    made(create(d.venue, d.order("bid", 5_000, 100, group_id=group.group_id)))
    sell_into(d, 49)
    assert not group.triggered


def test_a_limit_below_what_just_matched_stops_the_group_at_once(trading_session: MakeSession) -> None:
    d = trading_session()
    group = group_of(d, 500)
    order = made(create(d.venue, d.order("bid", 5_000, 300, group_id=group.group_id)))
    sell_into(d, 200)
    limit_group(d.venue, group, 199)
    assert (group.triggered, order.status) == (True, OrderStatus.CANCELED)
    told = [event for event in d.venue.collect() if isinstance(event, OrderGroupChanged)]
    assert [(event.event_type, event.contracts_limit) for event in told] == [
        ("created", 500),
        ("limit_updated", 199),
        ("triggered", 199),
    ]


@pytest.mark.parametrize(("shard", "subaccount"), [(0, 0), (2, 5)])
def test_an_order_joins_no_group_of_another_shard_or_subaccount(
    trading_session: MakeSession, shard: int, subaccount: int
) -> None:
    d = trading_session()
    group = OrderGroup(group_id="elsewhere", limit=100, shard=shard, subaccount=subaccount)
    d.venue.groups[group.group_id] = group
    refused = create(d.venue, d.order("bid", 5_000, 100, group_id=group.group_id))
    assert isinstance(refused, Refused)
    assert refused.code == "not_found"
    assert isinstance(create(d.venue, d.order("bid", 5_000, 100, group_id="unknown")), Refused)


def test_a_fill_or_kill_order_counts_too(trading_session: MakeSession) -> None:
    d = trading_session()
    group = group_of(d, 50)
    d.other("ask", 5_000, 100)
    fill_or_kill = TimeInForce.FILL_OR_KILL
    made(create(d.venue, d.order("bid", 5_000, 51, group_id=group.group_id, time_in_force=fill_or_kill)))
    assert group.triggered


async def test_a_group_lives_over_the_wire_and_the_socket_tells_of_it(start_exchange) -> None:
    client = await start_exchange(quiet_traders=True)
    ticker = await client.open_ticker()
    socket = await client.socket()
    await socket.send_json({"id": 1, "cmd": "subscribe", "params": {"channels": ["order_group_updates"]}})
    await socket.receive_json()
    both = {"contracts_limit": 3, "contracts_limit_fp": "3.00", "exchange_index": 2}
    _, equal = await client.request("POST", f"{GROUPS}/create", both)
    await client.request("DELETE", f"{GROUPS}/{equal['order_group_id']}")
    assert [(await socket.receive_json())["msg"]["event_type"] for _ in range(2)] == ["created", "deleted"]
    asked = {"contracts_limit_fp": "10.50", "exchange_index": 2}
    status, group = await client.request("POST", f"{GROUPS}/create", asked)
    assert (status, group["subaccount"], group["exchange_index"]) == (201, 0, 2)
    group_id = group["order_group_id"]
    one = f"{GROUPS}/{group_id}"
    _, order = await client.order(ticker, "bid", "0.1000", "1", order_group_id=group_id)
    state = {"is_auto_cancel_enabled": True, "contracts_limit_fp": "10.50", "exchange_index": 2}
    assert (await client.get(GROUPS))["order_groups"] == [{"id": group_id, **state}]
    assert await client.get(one) == {**state, "orders": [order["order_id"]]}
    read = (await client.get(f"/portfolio/orders/{order['order_id']}"))["order"]
    assert read["order_group_id"] == group_id
    assert await client.request("PUT", f"{one}/trigger") == (200, {})
    assert (await client.get(one))["orders"] == []
    assert (await client.order(ticker, "bid", "0.1000", "1", order_group_id=group_id))[0] == 400
    assert await client.request("PUT", f"{one}/reset") == (200, {})
    assert (await client.order(ticker, "bid", "0.1000", "1", order_group_id=group_id))[0] == 201
    assert await client.request("PUT", f"{one}/limit", {"contracts_limit": 3}) == (200, {})
    assert await client.request("DELETE", one) == (200, {})
    assert (await client.get("/portfolio/orders", status="resting"))["orders"] == []
    assert (await client.request("GET", one))[0] == 404
    told = [(await socket.receive_json())["msg"] for _ in range(5)]
    kinds = ["created", "triggered", "reset", "limit_updated", "deleted"]
    assert [message["event_type"] for message in told] == kinds
    assert {message["order_group_id"] for message in told} == {group_id}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"contracts_limit": 0},
        {"contracts_limit": 1, "contracts_limit_fp": "1.01"},
        {"contracts_limit_fp": "0.001"},
    ],
)
async def test_a_group_needs_one_limit_above_zero(start_exchange, body: dict[str, Any]) -> None:
    client = await start_exchange(quiet_traders=True)
    assert (await client.request("POST", f"{GROUPS}/create", body))[0] == 400
    assert (await client.get(GROUPS))["order_groups"] == []
