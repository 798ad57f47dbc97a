"""A key that is locked to a subaccount sees and trades that one alone: every other is refused, named in a query or a body."""

from __future__ import annotations

from typing import Any

import pytest

from recio.exchange_sim.wire.rest.rules import RestRules
from recio.exchange_sim.wire.ws.rules import SocketRules

ORDERS = "/portfolio/events/orders"
OWN = 1


@pytest.fixture
async def locked(start_exchange: Any) -> Any:
    return await start_exchange(
        quiet_traders=True, rest=RestRules(locked_to=OWN), sockets=SocketRules(locked_to=OWN)
    )


def whole(ticker: str, **rest: Any) -> dict[str, Any]:
    asked = {"ticker": ticker, "side": "bid", "price": "0.1000", "count": "1"}
    return asked | {"time_in_force": "good_till_canceled", "self_trade_prevention_type": "maker"} | rest


@pytest.mark.parametrize("other", [0, 2])
async def test_no_body_acts_on_another_subaccount(locked: Any, other: int) -> None:
    ticker = await locked.open_ticker()
    status, order = await locked.request("POST", ORDERS, whole(ticker))
    assert status == 201
    assert (await locked.request("POST", ORDERS, whole(ticker, subaccount=OWN)))[0] == 201
    ended = {"order_id": order["order_id"], "market_ticker": ticker}
    for method, path, body in (
        ("POST", ORDERS, whole(ticker, subaccount=other)),
        ("POST", f"{ORDERS}/batched", {"orders": [whole(ticker), whole(ticker, subaccount=other)]}),
        ("DELETE", f"{ORDERS}/batched", {"orders": [ended | {"subaccount": other}]}),
        ("POST", "/portfolio/order_groups/create", {"contracts_limit": 5, "subaccount": other}),
    ):
        assert (await locked.request(method, path, body))[0] == 403, (method, path)
    rows = (await locked.get("/portfolio/orders"))["orders"]
    assert [row["subaccount_number"] for row in rows] == [OWN, OWN]


async def test_it_opens_no_subaccount_and_moves_money_between_its_own_shards_alone(locked: Any) -> None:
    between = {"client_transfer_id": "0b0e1a53-8a2b-4a3a-9d5e-0a1b2c3d4e5f", "amount_cents": 100}
    out = between | {"from_subaccount": OWN, "to_subaccount": 0, "exchange_index": 2}
    assert (await locked.request("POST", "/portfolio/subaccounts/transfer", out))[0] == 403
    assert (await locked.request("POST", "/portfolio/subaccounts", {"exchange_index": 2}))[0] == 403
    path = "/portfolio/intra_exchange_instance_transfer"
    moved = {"source": "event_contract", "destination": "event_contract", "amount": 10_000}
    moved |= {"source_exchange_shard": 2, "destination_exchange_shard": 0}
    own = {"source_subaccount": OWN, "destination_subaccount": OWN}
    for named in ({}, {"source_subaccount": OWN}, own | {"destination_subaccount": 0}):
        assert (await locked.request("POST", path, moved | named))[0] == 403, named
    assert (await locked.request("POST", path, moved | own))[0] == 200
    rows = (await locked.get("/portfolio/subaccounts/balances"))["subaccount_balances"]
    assert {row["subaccount_number"] for row in rows} == {OWN}
    assert (await locked.get("/portfolio/balance"))["balance_dollars"] == "1000.0000"
    assert (await locked.get("/api_keys"))["api_keys"][0]["subaccount"] == OWN


@pytest.mark.parametrize(
    "path",
    [
        "/portfolio/orders",
        "/portfolio/fills",
        "/portfolio/positions",
        "/portfolio/settlements",
        "/portfolio/balance",
        "/portfolio/order_groups",
        "/historical/orders",
        "/historical/fills",
        "/historical/positions",
    ],
)
async def test_no_read_shows_another_subaccount(locked: Any, path: str) -> None:
    assert (await locked.request("GET", path))[0] == 200
    assert (await locked.request("GET", path, subaccount=str(OWN)))[0] == 200
    assert (await locked.request("GET", path, subaccount="0"))[0] == 403
