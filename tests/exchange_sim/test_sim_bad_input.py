"""What no client should ever send is refused by itself and spoils nothing: afterwards every read answers as before."""

from __future__ import annotations

import json
from typing import Any

import pytest

from recio.exchange_sim.engine.account import Wallet
from recio.exchange_sim.engine.order_entry import TimeInForce, create
from recio.exchange_sim.engine.orders import Order, Refused
from recio.exchange_sim.engine.transfers import transfer
from tests.exchange_sim.conftest import TradingSession

READS = (
    "/portfolio/orders",
    "/portfolio/fills",
    "/portfolio/positions",
    "/portfolio/balance",
    "/portfolio/subaccounts/balances",
    "/portfolio/order_groups",
    "/portfolio/settlements",
    "/portfolio/intra_exchange_instance_transfers",
)
NO_NUMBERS = ("--5", "5-", "²", "٣", "1_0", "+1", " 1", "9" * 40, "1.0", "0x1")


async def every_read_answers(client: Any) -> None:
    for path in READS:
        await client.get(path)


async def test_an_expiration_in_milliseconds_is_refused_and_lists_go_on(start_exchange: Any) -> None:
    client = await start_exchange(quiet_traders=True)
    ticker = await client.open_ticker()
    late = client.venue_ms() + 60_000
    status, body = await client.order(ticker, "bid", "0.1000", "1", expiration_time=late)
    assert (status, body["error"]["code"]) == (400, "invalid_order")
    _, order = await client.order(ticker, "bid", "0.1000", "1", expiration_time=late // 1000)
    path = f"/portfolio/events/orders/{order['order_id']}/amend"
    asked = {"ticker": ticker, "side": "bid", "price": "0.1000", "count": "1", "expiration_time": late}
    assert (await client.request("POST", path, asked))[0] == 400
    await every_read_answers(client)


@pytest.mark.parametrize("number", NO_NUMBERS)
async def test_a_query_that_is_no_number_is_named(start_exchange: Any, number: str) -> None:
    client = await start_exchange(quiet_traders=True, rate_limits="advanced")
    await client.open_ticker()
    for path, name in (
        ("/portfolio/orders", "limit"),
        ("/portfolio/orders", "min_ts"),
        ("/portfolio/balance", "subaccount"),
        ("/portfolio/fills", "exchange_index"),
    ):
        status, body = await client.request("GET", path, **{name: number})
        assert status == 400, (path, name, body)
        assert "number" in body["msg"]
    path = "/portfolio/events/orders/none"
    assert (await client.request("DELETE", path, exchange_index=number))[0] == 400


async def test_a_body_that_is_not_called_json_is_refused(start_exchange: Any) -> None:
    client = await start_exchange(quiet_traders=True)
    ticker = await client.open_ticker()
    path = "/trade-api/v2/portfolio/events/orders"
    body = {"ticker": ticker, "side": "bid", "count": "1", "price": "0.10"}
    body |= {"time_in_force": "good_till_canceled", "self_trade_prevention_type": "maker"}
    for called, expected in (("text/plain", 415), ("application/json; charset=utf-8", 201)):
        headers = client.headers("POST", path) | {"Content-Type": called}
        async with client.session.post(client.root + path, data=json.dumps(body), headers=headers) as answer:
            assert answer.status == expected
            if expected == 415:
                assert (await answer.json())["error"]["code"] == "invalid_content_type"


@pytest.mark.parametrize("shard", [4, -1, 2**70])
async def test_money_cannot_go_to_a_shard_that_is_not_there(start_exchange: Any, shard: int) -> None:
    client = await start_exchange(quiet_traders=True)
    moved = {
        "source": "event_contract",
        "destination": "event_contract",
        "amount": 10_000,
        "source_exchange_shard": 2,
        "destination_exchange_shard": shard,
    }
    status, body = await client.request("POST", "/portfolio/intra_exchange_instance_transfer", moved)
    assert (status, body["error"]["code"]) == (400, "invalid_parameters")
    asked = {"exchange_index": shard}
    assert (await client.request("POST", "/portfolio/subaccounts", asked))[0] == 400
    group = {"contracts_limit": 5, "exchange_index": shard}
    assert (await client.request("POST", "/portfolio/order_groups/create", group))[0] == 400
    await every_read_answers(client)
    shards = [row["exchange_index"] for row in (await client.get("/portfolio/balance"))["balance_breakdown"]]
    assert shards == [0, 2]


async def test_a_socket_survives_commands_that_are_none(start_exchange: Any) -> None:
    client = await start_exchange(quiet_traders=True)
    socket = await client.socket()
    for text, code in (
        ('{"id":1,"cmd":"subscribe","params":{"channels":"\\ud800"}}', 1),
        ('{"id":1,"cmd":"subscribe","params":{"channels":[1]}}', 11),
        ('{"id":1,"cmd":"update_subscription","params":{"sids":[99999999999999999999]}}', 7),
        ('{"id":1,"cmd":"subscribe","params":{"sid":1e400}}', 11),
        ('{"id":-1,"cmd":"list_subscriptions"}', 1),
        ("[" * 5_000, 1),
        ("", 1),
    ):
        await socket.send_str(text)
        assert (await socket.receive_json())["msg"]["code"] == code, text[:60]
    await socket.send_str('{"id":123456789012345678901234567890,"cmd":"list_subscriptions"}')
    assert (await socket.receive_json())["msg"] == []
    nothing = '"send_initial_snapshot":null,"skip_ticker_ack":null,"use_yes_price":null'
    await socket.send_str(f'{{"id":null,"cmd":"subscribe","params":{{"channels":["ticker"],{nothing}}}}}')
    assert (await socket.receive_json())["msg"] == {"channel": "ticker", "sid": 1}


def test_a_reduction_beside_a_resting_exit_never_spends_money_that_is_not_there() -> None:
    """The reduction closes what the resting order was to close, which then needs money of its own."""
    session = TradingSession(balance="6.30")
    session.other("ask", 6_000, 1_000)
    assert isinstance(create(session.venue, session.order("bid", 6_000, 1_000)), Order)
    assert isinstance(create(session.venue, session.order("ask", 1_000, 1_000)), Order)
    session.venue.account.move(2, -session.venue.available(2), session.venue.now_ms)
    exit_now = {"time_in_force": TimeInForce.IMMEDIATE_OR_CANCEL, "reduce_only": True}
    refused = create(session.venue, session.order("ask", 500, 1_000, **exit_now))
    assert isinstance(refused, Refused)
    assert refused.code == "insufficient_balance"
    assert isinstance(create(session.venue, session.order("ask", 9_500, 1_000, **exit_now)), Order)
    assert session.venue.available(2) == 0


def test_what_backs_resting_orders_cannot_be_moved_away() -> None:
    session = TradingSession(balance="10.00")
    create(session.venue, session.order("bid", 5_000, 1_000))
    moved = transfer(
        session.venue,
        source=Wallet(subaccount=0, shard=2),
        target=Wallet(subaccount=0, shard=0),
        amount=5_000_001,
        client_id="",
    )
    assert isinstance(moved, Refused)


@pytest.mark.parametrize("bad", ["💥", "x" * 65, "1.00", "a b"])
async def test_an_amended_client_order_id_is_as_good_as_a_new_one(start_exchange: Any, bad: str) -> None:
    client = await start_exchange(quiet_traders=True)
    ticker = await client.open_ticker()
    assert (await client.order(ticker, "bid", "0.1000", "1", client_order_id=bad))[0] == 400
    _, order = await client.order(ticker, "bid", "0.1000", "1", client_order_id="mine")
    path = f"/portfolio/events/orders/{order['order_id']}/amend"
    asked = {"ticker": ticker, "side": "bid", "price": "0.1000", "count": "1"}
    status, body = await client.request("POST", path, asked | {"updated_client_order_id": bad})
    assert (status, body["error"]["details"]) == (400, "client order id")
    shown = (await client.get(f"/portfolio/orders/{order['order_id']}"))["order"]
    assert shown["client_order_id"] == "mine"


async def test_a_field_that_is_null_was_not_sent(start_exchange: Any) -> None:
    """As the venue's own decoder reads it, for every field that may be left out; others are missing then."""
    client = await start_exchange(quiet_traders=True)
    ticker = await client.open_ticker()
    nothing = dict.fromkeys(
        (
            "client_order_id",
            "expiration_time",
            "post_only",
            "reduce_only",
            "cancel_order_on_pause",
            "subaccount",
            "order_group_id",
            "exchange_index",
        )
    )
    status, order = await client.order(ticker, "bid", "0.1000", "2", **nothing)
    assert (status, order["remaining_count"]) == (201, "2.00")
    assert (await client.order(ticker, "bid", None, "2"))[0] == 400
    path = f"/portfolio/events/orders/{order['order_id']}/amend"
    asked = {"ticker": ticker, "side": "bid", "price": "0.1000", "count": "1", "client_order_id": None}
    assert (await client.request("POST", path, asked | {"updated_client_order_id": None}))[0] == 200
    cancelled = {"order_id": order["order_id"], "subaccount": None, "market_ticker": ticker}
    path = "/portfolio/events/orders/batched"
    _, answer = await client.request("DELETE", path, {"orders": [cancelled]})
    assert answer["orders"][0]["reduced_by"] == "1.00"
    assert (await client.request("POST", path, {"orders": None}))[0] == 400
    await every_read_answers(client)


async def test_a_transfer_is_told_apart_by_a_uuid_of_its_own_kind(start_exchange: Any) -> None:
    client = await start_exchange(quiet_traders=True)
    await client.request("POST", "/portfolio/subaccounts", {"exchange_index": 2})
    once = "0b0e1a53-8a2b-4a3a-9d5e-0a1b2c3d4e5f"
    to_subaccount = {"from_subaccount": 0, "to_subaccount": 1, "amount_cents": 100, "exchange_index": 2}
    to_shard = {"source": "event_contract", "destination": "event_contract", "amount": 10_000}
    to_shard |= {"source_exchange_shard": 2, "destination_exchange_shard": 0}
    back = to_shard | {"source_exchange_shard": 0, "destination_exchange_shard": 2}
    for path, body, answers in (
        ("/portfolio/subaccounts/transfer", to_subaccount, (400, 200, 409)),
        ("/portfolio/intra_exchange_instance_transfer", to_shard, (400, 200, 409)),
        ("/portfolio/intra_exchange_instance_transfer", back, (400, 200, 409)),
        ("/portfolio/intra_exchange_instance_transfer", to_shard | {"source_subaccount": 1}, (400, 400, 400)),
    ):
        for client_id, expected in zip(("no uuid", once, once), answers, strict=True):
            got = await client.request("POST", path, body | {"client_transfer_id": client_id})
            assert got[0] == expected, (path, body, got)
