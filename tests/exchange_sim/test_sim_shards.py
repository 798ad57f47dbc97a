"""Shards and subaccounts: each order and each dollar is in exactly one of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from recio.exchange_sim.engine.order_entry import TimeInForce, create
from recio.exchange_sim.engine.orders import Order, Refused
from recio.exchange_sim.engine.transfers import open_subaccount
from recio.exchange_sim.market.series import Timetable

MakeSession = Callable[..., Any]
ORDERS = "/portfolio/events/orders"
NOT_FOUND = {"error": {"code": "not_found", "message": "not found"}}
SHARD_TRANSFER = "/portfolio/intra_exchange_instance_transfer"
SUBACCOUNTS = "/portfolio/subaccounts"


@pytest.mark.parametrize(
    ("named", "status"),
    [({}, 201), ({"exchange_index": -1}, 201), ({"exchange_index": 2}, 201), ({"exchange_index": 0}, 404)],
)
async def test_a_create_is_routed_by_its_market_or_goes_where_it_is_sent(
    start_exchange, named: dict[str, int], status: int
) -> None:
    client = await start_exchange(quiet_traders=True)
    ticker = await client.open_ticker()
    assert (await client.order(ticker, "bid", "0.1000", "1", **named))[0] == status


@pytest.mark.parametrize(
    ("named", "status"),
    [
        ({}, 404),
        ({"exchange_index": "0"}, 404),
        ({"exchange_index": "2"}, 200),
        ({"exchange_index": "-1"}, 200),
        ({"market_ticker": "its own"}, 200),
        ({"market_ticker": "NONE"}, 404),
        ({"exchange_index": "2", "subaccount": "1"}, 404),
    ],
)
async def test_a_cancel_finds_its_order_only_on_the_shard_it_names(
    start_exchange, named: dict[str, str], status: int
) -> None:
    client = await start_exchange(quiet_traders=True)
    ticker = await client.open_ticker()
    _, order = await client.order(ticker, "bid", "0.1000", "1")
    named = {key: ticker if value == "its own" else value for key, value in named.items()}
    answer = await client.request("DELETE", f"{ORDERS}/{order['order_id']}", **named)
    assert answer[0] == status
    if status == 404:
        assert answer[1] == NOT_FOUND
        still = (await client.get(f"/portfolio/orders/{order['order_id']}"))["order"]
        assert still["status"] == "resting"


async def test_decrease_amend_and_batch_cancel_are_routed_like_a_cancel(start_exchange) -> None:
    client = await start_exchange(quiet_traders=True)
    ticker = await client.open_ticker()
    _, order = await client.order(ticker, "bid", "0.1000", "5")
    one = f"{ORDERS}/{order['order_id']}"
    assert (await client.request("POST", f"{one}/decrease", {"reduce_by": "1"}))[0] == 404
    status, smaller = await client.request(
        "POST", f"{one}/decrease", {"reduce_by": "1", "market_ticker": ticker}
    )
    assert (status, smaller["remaining_count"]) == (200, "4.00")
    change = {"ticker": ticker, "side": "bid", "price": "0.2000", "count": "3"}
    assert (await client.request("POST", f"{one}/amend", change | {"exchange_index": 1}))[0] == 404
    status, amended = await client.request("POST", f"{one}/amend", change)
    assert (status, amended["remaining_count"]) == (200, "3.00")
    lost = {"orders": [{"order_id": order["order_id"]}]}
    answer = (await client.request("DELETE", f"{ORDERS}/batched", lost))[1]["orders"][0]
    assert answer["error"] == {"code": "not_found", "message": "not found", "details": ""}
    found = {"orders": [{"order_id": order["order_id"], "exchange_index": 2}]}
    answer = (await client.request("DELETE", f"{ORDERS}/batched", found))[1]["orders"][0]
    assert answer["reduced_by"] == "3.00"


async def test_a_lenient_exchange_finds_orders_without_a_shard(start_exchange) -> None:
    client = await start_exchange(quiet_traders=True, strict_shards=False)
    ticker = await client.open_ticker()
    _, order = await client.order(ticker, "bid", "0.1000", "5")
    one = f"{ORDERS}/{order['order_id']}"
    assert (await client.request("POST", f"{one}/decrease", {"reduce_to": "1"}))[0] == 200
    assert (await client.request("DELETE", one))[0] == 200


def moving(amount_centi_cents: int, source: int, target: int, **rest_of: Any) -> dict[str, Any]:
    return {
        "source": "event_contract",
        "destination": "event_contract",
        "amount": amount_centi_cents,
        "source_exchange_shard": source,
        "destination_exchange_shard": target,
    } | rest_of


async def test_money_on_another_shard_backs_nothing_until_it_is_moved(start_exchange) -> None:
    client = await start_exchange(quiet_traders=True, balance_dollars="10.00")
    ticker = await client.open_ticker()
    status, body = await client.request("POST", SHARD_TRANSFER, moving(100_000, 2, 0))
    assert (status, set(body)) == (200, {"transfer_id"})
    balance = await client.get("/portfolio/balance")
    assert balance["balance_dollars"] == "10.0000"
    assert balance["balance_breakdown"] == [
        {"exchange_index": 0, "balance": "10.0000"},
        {"exchange_index": 2, "balance": "0.0000"},
    ]
    refused = await client.order(ticker, "bid", "0.1000", "1")
    assert (refused[0], refused[1]["error"]["code"]) == (400, "insufficient_balance")
    assert (await client.request("POST", SHARD_TRANSFER, moving(50_000, 0, 2)))[0] == 200
    assert (await client.order(ticker, "bid", "0.1000", "1"))[0] == 201
    assert (await client.get("/portfolio/balance", exchange_index="2"))["balance_dollars"] == "4.9000"
    rows = (await client.get("/portfolio/intra_exchange_instance_transfers"))["transfers"]
    assert [(row["amount"], row["source_exchange_shard"], row["status"]) for row in rows] == [
        ("5.0000", 0, "complete"),
        ("10.0000", 2, "complete"),
    ]
    one = await client.get(f"/portfolio/intra_exchange_instance_transfers/{body['transfer_id']}")
    assert one["transfer"] == rows[1]
    assert (await client.ledger())["cash"] == "10.000000"


async def test_a_transfer_moves_free_money_once(start_exchange) -> None:
    client = await start_exchange(quiet_traders=True, balance_dollars="10.00")
    ticker = await client.open_ticker()
    await client.order(ticker, "bid", "0.5000", "10")
    too_much = await client.request("POST", SHARD_TRANSFER, moving(50_001, 2, 0))
    assert (too_much[0], too_much[1]["error"]["code"]) == (400, "insufficient_balance")
    once = moving(10_000, 2, 0, client_transfer_id="0b0e1a53-8a2b-4a3a-9d5e-0a1b2c3d4e5f")
    assert (await client.request("POST", SHARD_TRANSFER, once))[0] == 200
    assert (await client.request("POST", SHARD_TRANSFER, once))[0] == 409
    for wrong in (
        moving(0, 2, 0),
        moving(-5, 2, 0),
        moving(5, 2, 2),
        moving(5, 2, 0, destination="margined"),
    ):
        assert (await client.request("POST", SHARD_TRANSFER, wrong))[0] == 400
    assert (await client.get("/portfolio/balance", exchange_index="0"))["balance_dollars"] == "1.0000"


async def test_subaccounts_trade_with_their_own_money_and_see_their_own_orders(start_exchange) -> None:
    client = await start_exchange(quiet_traders=True, balance_dollars="10.00")
    ticker = await client.open_ticker()
    assert await client.request("POST", SUBACCOUNTS, {"exchange_index": 2}) == (201, {"subaccount_number": 1})
    poor = await client.order(ticker, "bid", "0.1000", "1", subaccount=1)
    assert poor[1]["error"]["code"] == "insufficient_balance"
    assert (await client.order(ticker, "bid", "0.1000", "1", subaccount=2))[0] == 403
    move = {
        "client_transfer_id": "6a1c2f06-95c5-4e0c-8f49-2f1a3c1f6e0d",
        "from_subaccount": 0,
        "to_subaccount": 1,
        "amount_cents": 400,
        "exchange_index": 2,
    }
    assert await client.request("POST", f"{SUBACCOUNTS}/transfer", move) == (200, {})
    assert (await client.request("POST", f"{SUBACCOUNTS}/transfer", move))[0] == 409
    _, own = await client.order(ticker, "bid", "0.1000", "1", subaccount=1)
    _, primary = await client.order(ticker, "bid", "0.2000", "1")
    assert (await client.get("/portfolio/balance"))["balance_dollars"] == "5.8000"
    assert (await client.get("/portfolio/balance", subaccount="1"))["balance_dollars"] == "3.9000"
    rows = (await client.get(f"{SUBACCOUNTS}/balances"))["subaccount_balances"]
    assert [(row["subaccount_number"], row["exchange_index"], row["balance"]) for row in rows] == [
        (0, 0, "0.0000"),
        (0, 2, "5.8000"),
        (1, 2, "3.9000"),
    ]
    rows = (await client.get(f"{SUBACCOUNTS}/transfers"))["transfers"]
    assert [(row["from_subaccount"], row["to_subaccount"], row["amount_cents"]) for row in rows] == [
        (0, 1, 400)
    ]
    every = (await client.get("/portfolio/orders"))["orders"]
    assert {order["order_id"]: order["subaccount_number"] for order in every} == {
        own["order_id"]: 1,
        primary["order_id"]: 0,
    }
    listed = (await client.get("/portfolio/orders", subaccount="1"))["orders"]
    assert [order["order_id"] for order in listed] == [own["order_id"]]
    path = f"{ORDERS}/{own['order_id']}"
    assert (await client.request("DELETE", path, market_ticker=ticker))[0] == 404
    assert (await client.request("DELETE", path, market_ticker=ticker, subaccount="1"))[0] == 200
    assert (await client.request("DELETE", ORDERS, subaccount="1"))[0] == 204
    assert len((await client.get("/portfolio/orders", status="resting"))["orders"]) == 1
    assert (await client.request("DELETE", ORDERS))[0] == 204
    assert (await client.get("/portfolio/orders", status="resting"))["orders"] == []


async def test_subaccounts_need_a_tier_above_basic(start_exchange) -> None:
    client = await start_exchange(quiet_traders=True, rate_limits="basic")
    assert (await client.request("POST", SUBACCOUNTS, {}))[0] == 403


def test_positions_of_subaccounts_neither_net_nor_pay_for_each_other(trading_session: MakeSession) -> None:
    d = trading_session(window_seconds=15)
    number = open_subaccount(d.venue, 2)
    assert number == 1
    d.venue.account.move(2, -10_000_000, d.venue.now_ms)
    d.venue.accounts[1].move(2, 10_000_000, d.venue.now_ms)
    ioc = TimeInForce.IMMEDIATE_OR_CANCEL
    d.other("ask", 5_000, 100)
    assert isinstance(create(d.venue, d.order("bid", 5_000, 100, time_in_force=ioc)), Order)
    d.other("bid", 4_000, 100)
    reducing = d.order("ask", 4_000, 100, time_in_force=ioc, reduce_only=True, subaccount=1)
    nothing = create(d.venue, reducing)
    assert isinstance(nothing, Order)
    assert nothing.filled == 0
    assert isinstance(create(d.venue, d.order("ask", 4_000, 100, time_in_force=ioc, subaccount=1)), Order)
    held = [d.venue.accounts[number].held(d.market.ticker) for number in (0, 1)]
    assert held == [100, -100]
    d.run_to(d.market.close_ms + 10_000)
    paid = [account.settlements[0].revenue for account in d.venue.accounts.values()]
    assert sorted(paid) == [0, 1_000_000]
    total = sum(sum(account.cash.values()) for account in d.venue.accounts.values())
    fees = sum(account.fees for account in d.venue.accounts.values())
    assert total == 1_000_000_000 - 500_000 - 600_000 + 1_000_000 - fees


def test_at_most_sixty_three_subaccounts(trading_session: MakeSession) -> None:
    d = trading_session()
    numbers = [open_subaccount(d.venue, 2) for _ in range(63)]
    assert numbers == list(range(1, 64))
    assert isinstance(open_subaccount(d.venue, 2), Refused)


async def test_the_value_of_resting_orders_is_what_they_bind(start_exchange) -> None:
    client = await start_exchange(quiet_traders=True)
    ticker = await client.open_ticker()
    await client.order(ticker, "bid", "0.1000", "5")
    await client.order(ticker, "ask", "0.9000", "5")
    value = await client.get("/portfolio/summary/total_resting_order_value")
    assert value == {
        "total_resting_order_value": 100,
        "resting_order_value_breakdown": [
            {"exchange_index": 0, "balance": "0.0000"},
            {"exchange_index": 2, "balance": "1.0000"},
        ],
    }
    for path, name in (("deposits", "deposits"), ("withdrawals", "withdrawals")):
        assert await client.get(f"/portfolio/{path}") == {name: [], "cursor": ""}


async def test_queue_positions_count_what_matches_first(start_exchange) -> None:
    client = await start_exchange(quiet_traders=True)
    ticker = await client.open_ticker()
    made = [(await client.order(ticker, "bid", price, "2"))[1] for price in ("0.1000", "0.1000", "0.2000")]
    ahead = []
    for order in made:
        one = await client.get(f"/portfolio/orders/{order['order_id']}/queue_position")
        ahead.append(one["queue_position_fp"])
    assert ahead == ["2.00", "4.00", "0.00"]
    rows = (await client.get("/portfolio/orders/queue_positions", market_tickers=ticker))["queue_positions"]
    assert {row["order_id"]: row["queue_position_fp"] for row in rows} == dict(
        zip([order["order_id"] for order in made], ahead, strict=True)
    )
    assert {row["market_ticker"] for row in rows} == {ticker}
    assert (await client.request("GET", "/portfolio/orders/queue_positions"))[0] == 400


async def test_what_is_older_than_the_cutoff_is_only_in_the_historical_tier(start_exchange) -> None:
    client = await start_exchange(
        speed=60.0, window_seconds=5, timetable=Timetable(history_seconds=10), quiet_traders=True
    )
    ticker = await client.open_ticker()
    status, order = await client.order(ticker, "bid", "0.1000", "1")
    while status != 201:
        ticker = await client.open_ticker()
        status, order = await client.order(ticker, "bid", "0.1000", "1")
    one = f"/portfolio/orders/{order['order_id']}"
    assert (await client.request("GET", one))[0] == 200
    async with asyncio.timeout(20):
        while (await client.request("GET", one))[0] == 200:
            pass
    assert (await client.get("/portfolio/orders"))["orders"] == []
    old = (await client.get("/historical/orders"))["orders"]
    assert [row["order_id"] for row in old] == [order["order_id"]]
    assert (await client.get("/historical/fills"))["fills"] == []
    assert (await client.get("/historical/positions"))["market_positions"] == []
    for path in ("fills", "orders", "positions"):
        assert (await client.plain("GET", f"/trade-api/v2/historical/{path}"))[0] == 401
