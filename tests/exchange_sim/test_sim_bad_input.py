"""What no client should ever send is refused by itself and spoils nothing: afterwards every read answers as before."""

from __future__ import annotations

import json
from io import BytesIO
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
ALLOCATION = "/portfolio/target_balance_allocation"
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


@pytest.mark.parametrize(
    ("path", "query", "field"),
    [
        ("/portfolio/positions", {"settlement_status": "open"}, "SettlementStatus"),
        ("/portfolio/positions", {"count_filter": "position,resting"}, "CountFilter"),
        ("/portfolio/orders", {"status": "pending"}, "Status"),
        ("/markets", {"status": "finalized"}, "Status"),
        ("/markets", {"mve_filter": "none"}, "MveFilter"),
        ("/markets/trades", {"is_block_trade": "yes"}, "IsBlockTrade"),
        ("/events", {"with_nested_markets": "2"}, "WithNestedMarkets"),
        ("/series", {"include_volume": "all"}, "IncludeVolume"),
    ],
)
async def test_a_word_that_a_query_does_not_know_is_named(
    start_exchange: Any, path: str, query: dict[str, str], field: str
) -> None:
    client = await start_exchange(quiet_traders=True)
    status, body = await client.request("GET", path, **query)
    assert status == 400, body
    assert field in body["msg"]


@pytest.mark.parametrize("state", ["", "unsettled", "settled", "all"])
async def test_every_settlement_status_that_is_documented_is_answered(
    start_exchange: Any, state: str
) -> None:
    client = await start_exchange(quiet_traders=True)
    await client.get("/portfolio/positions", settlement_status=state, count_filter="position,total_traded")


@pytest.mark.parametrize("path", ["/nothing", "/portfolio/nothing", "/portfolio/orders/1/2/3"])
async def test_an_unknown_path_is_unknown_to_everybody(start_exchange: Any, path: str) -> None:
    """The venue's router answers before anybody is asked for his key."""
    client = await start_exchange(quiet_traders=True)
    assert await client.plain("GET", f"/trade-api/v2{path}") == (404, "404 page not found\n")
    assert (await client.plain("GET", "/trade-api/v2/portfolio/balance"))[0] == 401


async def test_a_body_that_is_too_long_is_refused_in_the_venues_words(start_exchange: Any) -> None:
    client = await start_exchange(quiet_traders=True)
    for path in ("/portfolio/events/orders", "/portfolio/order_groups/create"):
        full = f"/trade-api/v2{path}"
        headers = client.headers("POST", full) | {"Content-Type": "application/json"}
        long = BytesIO(json.dumps({"client_order_id": "x" * 1_100_000}).encode())
        async with client.session.post(client.root + full, data=long, headers=headers) as answer:
            assert (answer.status, (await answer.json())["code"]) == (413, "bad_request")
    await every_read_answers(client)


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_free_money_is_spread_by_either_method(start_exchange: Any, method: str) -> None:
    """The specification writes POST, the documentation of the same month PUT."""
    client = await start_exchange(quiet_traders=True)
    rows = [{"exchange_index": 0, "percent": 25}, {"exchange_index": 2, "percent": 75}]
    assert await client.request(method, ALLOCATION, {"allocations": rows}) == (200, {})
    assert (await client.get(ALLOCATION))["allocations"] == rows
    money = {
        row["exchange_index"]: row["balance"]
        for row in (await client.get("/portfolio/balance"))["balance_breakdown"]
    }
    assert money == {0: "250.0000", 2: "750.0000"}
    wrong = [{"exchange_index": 0, "percent": 25}]
    assert (await client.request(method, ALLOCATION, {"allocations": wrong}))[0] == 400


@pytest.mark.parametrize("member", ["0", "-1", "2", "999999999999999999"])
async def test_books_of_a_member_who_is_not_there_are_not_those_of_another(
    start_exchange: Any, member: str
) -> None:
    client = await start_exchange(quiet_traders=True)
    status, text = await client.plain("GET", f"/admin/ledger?member={member}")
    assert (status, json.loads(text)["details"]) == (400, f"member is 1 to 1, not {member}")


@pytest.mark.parametrize("member", ["²", "one", "9" * 40, "1.0"])
async def test_a_member_that_is_no_number_is_refused(start_exchange: Any, member: str) -> None:
    client = await start_exchange(quiet_traders=True)
    assert (await client.plain("GET", f"/admin/ledger?member={member}"))[0] == 400


@pytest.mark.parametrize(
    "payment",
    [
        {"kind": "deposit", "amount_cents": 10**11 + 1},
        {"kind": "deposit", "amount_cents": 10**400},
        {"kind": "deposit", "amount_cents": 100, "fee_cents": 10**30},
        {"kind": "deposit", "amount_cents": 0},
        {"kind": "withdrawal", "amount_cents": 10**11},
        {"kind": "withdrawal", "amount_cents": 100, "member": 2},
    ],
)
async def test_a_payment_that_no_bank_makes_leaves_no_trace(
    start_exchange: Any, payment: dict[str, Any]
) -> None:
    client = await start_exchange(quiet_traders=True)
    before = await client.get("/portfolio/balance")
    status, _ = await client.plain("POST", "/admin/payments", payment)
    assert status == 400
    after = await client.get("/portfolio/balance")
    assert after["balance_dollars"] == before["balance_dollars"]
    assert (await client.get("/portfolio/deposits"))["deposits"] == []
    assert (await client.get("/portfolio/withdrawals"))["withdrawals"] == []


async def test_the_most_that_can_be_paid_in_shows_in_every_read(start_exchange: Any) -> None:
    client = await start_exchange(quiet_traders=True)
    for _ in range(3):
        paid = {"kind": "deposit", "amount_cents": 10**11}
        assert (await client.plain("POST", "/admin/payments", paid))[0] == 200
    assert (await client.get("/portfolio/balance"))["balance_dollars"] == "3000001000.0000"
    await every_read_answers(client)


@pytest.mark.parametrize(
    ("fault", "named"),
    [
        ({"kind": "deactivate"}, "seconds"),
        ({"kind": "trading_pause", "seconds": 0}, "seconds"),
        ({"kind": "silence"}, "seconds"),
        ({"kind": "feed_dead", "ticker": "kraken"}, "seconds"),
        ({"kind": "late_books", "seconds": 5}, "lag_seconds"),
        ({"kind": "move_close"}, "seconds"),
        ({"kind": "random", "seed": 1, "rate": 0.5, "second": 3}, "no field second"),
        ({"kind": "random", "seed": 1, "rate": 0.5, "delay_seconds": -1}, "delay_seconds"),
    ],
)
async def test_a_fault_that_could_never_be_met_is_refused(
    start_exchange: Any, fault: dict[str, Any], named: str
) -> None:
    client = await start_exchange(quiet_traders=True)
    if fault["kind"] in ("deactivate", "move_close"):
        fault = fault | {"ticker": await client.open_ticker()}
    status, text = await client.plain("POST", "/admin/faults", fault)
    assert (status, named in text) == (400, True), text
    armed = json.loads((await client.plain("GET", "/admin/faults"))[1])
    assert (armed["met"], armed["counts"], armed["random"]) == ({}, {}, None)


async def test_a_body_that_is_not_compressed_as_it_says_is_refused(start_exchange: Any) -> None:
    client = await start_exchange(quiet_traders=True)
    path = "/trade-api/v2/portfolio/events/orders"
    said = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    headers = client.headers("POST", path) | said
    async with client.session.post(client.root + path, data=b"{}", headers=headers) as answer:
        assert (answer.status, (await answer.json())["code"]) == (400, "bad_request")


async def test_an_expectation_that_nobody_knows_is_answered(start_exchange: Any) -> None:
    client = await start_exchange(quiet_traders=True)
    headers = {"Expect": "a-miracle"}
    async with client.session.post(client.root + "/admin/faults", json={}, headers=headers) as answer:
        assert answer.status == 417
