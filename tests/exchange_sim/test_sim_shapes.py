"""Every field that the real demo environment sent is sent here too, with the same JSON type."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

DATA = Path(os.environ.get("RECIO_DATA", Path(__file__).parents[3] / "shared" / "data")) / "kalshi_demo_wire"
DROPPED = {
    "fractional_trading_enabled",
    "response_price_units",
    "early_close_condition",
    "resting_orders_count",
}
DROPPED |= {"primary_participant_key", "liquidity_dollars"}

pytestmark = [
    pytest.mark.recorded,
    pytest.mark.skipif(not DATA.is_dir(), reason="no recorded demo wire at RECIO_DATA"),
]


def recorded(name: str) -> Any:
    return json.loads((DATA / f"{name}.json").read_text())


def assert_covers(real: Any, ours: Any, where: str = "$") -> None:
    """Same JSON types, and no key of the real body missing."""
    if isinstance(real, dict):
        missing = set(real) - set(ours) - DROPPED
        assert not missing, (where, missing)
        for key in set(real) & set(ours) - {"custom_strike", "floor_strike", "service"}:
            assert_covers(real[key], ours[key], f"{where}.{key}")
    elif isinstance(real, list) and real and ours:
        assert_covers(real[0], ours[0], f"{where}[0]")
    else:
        assert type(real) is type(ours), (where, real, ours)


async def taken(client: Any) -> tuple[str, Any]:
    ticker = await client.open_ticker()
    body: dict[str, str] = {}
    while body.get("fill_count", "0.00") == "0.00":
        _, body = await client.order(
            ticker, "bid", "0.9900", "1.00", time_in_force="immediate_or_cancel",
            client_order_id=os.urandom(8).hex(),
        )  # fmt: skip
    return ticker, body


async def test_reads_have_the_recorded_shapes(start_exchange) -> None:
    client = await start_exchange()
    ticker, order = await taken(client)
    assert_covers(recorded("orders__create_v2_taker_ioc"), order)
    assert_covers(recorded("markets__single"), await client.get(f"/markets/{ticker}"))
    assert_covers(recorded("markets__page1"), await client.get("/markets", status="open"))
    assert_covers(recorded("orderbook__base"), await client.get(f"/markets/{ticker}/orderbook"))
    assert_covers(recorded("portfolio__positions"), await client.get("/portfolio/positions"))
    assert_covers(recorded("portfolio__orders_list"), await client.get("/portfolio/orders"))
    assert_covers(recorded("fills__after_taker"), await client.get("/portfolio/fills"))
    assert_covers(recorded("trades__public_recorded"), await client.get("/markets/trades", limit="1"))
    assert_covers(recorded("auth__balance_ok"), await client.get("/portfolio/balance"))
    assert_covers(recorded("account__limits"), await client.get("/account/limits"))
    assert_covers(recorded("settlements__end_of_session"), await client.get("/portfolio/settlements"))


async def test_writes_and_refusals_have_the_recorded_shapes(start_exchange) -> None:
    client = await start_exchange(quiet_traders=True)
    ticker = await client.open_ticker()
    _, order = await client.order(ticker, "bid", "0.0100", "1.00", client_order_id="once")
    assert_covers(recorded("orders__create_v2_maker"), order)
    single = await client.get(f"/portfolio/orders/{order['order_id']}")
    assert_covers(recorded("orders__get_after_create"), single)
    _, again = await client.order(ticker, "bid", "0.0100", "1.00", client_order_id="once")
    for name, ours in (
        ("orders__duplicate_client_order_id", again),
        ("orders__invalid_price_structure", (await client.order(ticker, "bid", "0.5150", "1.00"))[1]),
        ("orders__cancel_unknown_id", (await client.request("DELETE", "/portfolio/events/orders/none"))[1]),
    ):
        real = recorded(name)["error"]
        real.pop("service")
        assert ours == {"error": real}
    _, ended = await client.request(
        "DELETE", f"/portfolio/events/orders/{order['order_id']}", exchange_index="2"
    )
    real_end = recorded("orders__cancel_v2")
    assert set(ended) == set(real_end)
    assert_covers(real_end, ended)


async def test_socket_messages_have_the_recorded_keys(start_exchange) -> None:
    client = await start_exchange()
    ticker = await client.open_ticker()
    lines = (DATA / "ws__orderbook_trade_noleg.jsonl").read_text().splitlines()
    real = [json.loads(line) for line in lines if line.strip()]
    socket = await client.socket()
    params = {"channels": ["orderbook_delta", "trade"], "market_tickers": [ticker], "use_yes_price": False}
    await socket.send_json({"id": 1, "cmd": "subscribe", "params": params})
    ours: dict[str, Any] = {}
    while set(ours) < {"subscribed", "orderbook_snapshot", "orderbook_delta"}:
        message = await socket.receive_json()
        ours.setdefault(message["type"], message)
    for message in real:
        assert set(message) == set(ours[message["type"]])
        assert_covers(message, ours[message["type"]])
