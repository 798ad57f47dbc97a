"""The trading socket: sequence numbers, snapshots that deltas build on, replies and errors."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from typing import Any

import pytest

from recio.exchange_sim.ws.subscriptions import Session


async def send(socket: Any, number: int, command: str, **params: Any) -> None:
    await socket.send_json({"id": number, "cmd": command, "params": params})


async def receive(socket: Any) -> Any:
    return await asyncio.wait_for(socket.receive_json(), 10)


async def receive_kind(socket: Any, *kinds: str) -> Any:
    while True:
        message = await receive(socket)
        if message["type"] in kinds:
            return message


class Rebuilt:
    """A book put together from the wire only."""

    def __init__(self) -> None:
        self.levels: dict[tuple[str, str], int] = defaultdict(int)

    def apply(self, message: Any) -> None:
        body = message["msg"]
        if message["type"] == "orderbook_snapshot":
            self.levels.clear()
            for side in ("yes", "no"):
                for price, size in body.get(f"{side}_dollars_fp", []):
                    self.levels[side, price] = hundredths(size)
        elif message["type"] == "orderbook_delta":
            self.levels[body["side"], body["price_dollars"]] += hundredths(body["delta_fp"])
            assert self.levels[body["side"], body["price_dollars"]] >= 0

    def standing(self) -> dict[tuple[str, str], int]:
        return {key: size for key, size in self.levels.items() if size}


def hundredths(text: str) -> int:
    whole, _, fraction = text.partition(".")
    size = int(whole.lstrip("-")) * 100 + int(fraction)
    return -size if text.startswith("-") else size


@pytest.mark.parametrize("yes_price", [False, True])
async def test_snapshot_and_deltas_rebuild_the_book_with_no_number_missing(
    start_exchange, yes_price: bool
) -> None:
    client = await start_exchange(speed=15.0)
    ticker = await client.open_ticker()
    socket = await client.socket()
    await send(
        socket, 1, "subscribe", channels=["orderbook_delta"], market_ticker=ticker, use_yes_price=yes_price
    )
    acknowledged = await receive(socket)
    assert acknowledged["type"] == "subscribed"
    sid = acknowledged["msg"]["sid"]
    book = Rebuilt()
    expected = 1
    for _ in range(2_000):
        message = await receive(socket)
        assert message["seq"] == expected
        expected += 1
        book.apply(message)
    await send(socket, 2, "update_subscription", sid=sid, action="get_snapshot", market_tickers=[ticker])
    while True:
        message = await receive(socket)
        assert message["seq"] == expected
        expected += 1
        if message["type"] == "orderbook_snapshot":
            break
        book.apply(message)
    assert message["id"] == 2
    fresh = Rebuilt()
    fresh.apply(message)
    assert book.standing() == fresh.standing()


async def test_the_wire_book_is_the_rest_book(start_exchange) -> None:
    client = await start_exchange(quiet_traders=True)
    ticker = await client.open_ticker()
    socket = await client.socket()
    await send(
        socket, 1, "subscribe", channels=["orderbook_delta"], market_tickers=[ticker], use_yes_price=False
    )
    assert (await receive(socket))["type"] == "subscribed"
    empty = await receive(socket)
    assert set(empty["msg"]) == {"market_ticker", "market_id"}
    book = Rebuilt()
    for side, price in (("bid", "0.4000"), ("bid", "0.0510"), ("ask", "0.6000")):
        await client.order(ticker, side, price, "2.50", client_order_id=f"mine-{price[2:]}")
        delta = await receive(socket)
        assert delta["msg"]["client_order_id"] == f"mine-{price[2:]}"
        book.apply(delta)
    rest = (await client.get(f"/markets/{ticker}/orderbook"))["orderbook_fp"]
    assert rest == {
        "yes_dollars": [["0.0510", "2.50"], ["0.4000", "2.50"]],
        "no_dollars": [["0.4000", "2.50"]],
    }
    shown = {
        (side, price): hundredths(size) for side in ("yes", "no") for price, size in rest[f"{side}_dollars"]
    }
    assert book.standing() == shown


async def test_private_channels_tell_the_story_of_an_order(start_exchange) -> None:
    client = await start_exchange()
    ticker = await client.open_ticker()
    socket = await client.socket()
    await send(socket, 1, "subscribe", channels=["fill", "user_orders", "market_positions"])
    for _ in range(3):
        assert (await receive(socket))["type"] == "subscribed"
    answer: dict[str, str] = {}
    while answer.get("fill_count", "0.00") == "0.00":
        _, answer = await client.order(
            ticker, "bid", "0.9900", "1.00", time_in_force="immediate_or_cancel", client_order_id=""
        )
    fill = await receive_kind(socket, "fill")
    assert "seq" not in fill
    assert fill["msg"]["order_id"] == answer["order_id"]
    assert fill["msg"]["post_position_fp"] == fill["msg"]["count_fp"]
    order = await receive_kind(socket, "user_order")
    assert order["msg"]["last_update_reason"] == "Trade"
    position = await receive_kind(socket, "market_position")
    assert position["msg"]["market_ticker"] == ticker
    listed = (await client.get("/portfolio/fills", order_id=answer["order_id"]))["fills"]
    assert fill["msg"]["trade_id"] in {one["trade_id"] for one in listed}


@pytest.mark.parametrize(
    ("command", "params", "code"),
    [
        ("dance", {}, 5),
        ("subscribe", {}, 3),
        ("subscribe", {"channels": ["nothing"]}, 8),
        ("subscribe", {"channels": ["orderbook_delta"]}, 14),
        ("subscribe", {"channels": ["cfbenchmarks_value"]}, 24),
        ("unsubscribe", {}, 4),
        ("unsubscribe", {"sids": [99]}, 7),
        ("update_subscription", {"action": "add_markets"}, 12),
        ("update_subscription", {"sid": 99, "action": "add_markets"}, 7),
        ("update_subscription", {"sid": 1}, 15),
        ("update_subscription", {"sid": 1, "action": "turn", "market_ticker": None}, 13),
        ("update_subscription", {"sid": 1, "action": "add_markets"}, 14),
    ],
)
async def test_wrong_commands_are_answered_with_their_number(
    start_exchange, command: str, params: dict[str, Any], code: int
) -> None:
    client = await start_exchange(quiet_traders=True)
    socket = await client.socket()
    await send(socket, 1, "subscribe", channels=["market_lifecycle_v2"])
    assert (await receive(socket))["msg"] == {"channel": "market_lifecycle_v2", "sid": 1}
    await send(socket, 2, command, **params)
    error = await receive(socket)
    assert (error["type"], error["id"], error["msg"]["code"]) == ("error", 2, code)


async def test_text_that_is_no_command_and_commands_without_params_are_errors(start_exchange) -> None:
    client = await start_exchange(quiet_traders=True)
    socket = await client.socket()
    await socket.send_str("not json")
    assert (await receive(socket))["msg"]["code"] == 1
    await socket.send_json({"id": 2, "cmd": "subscribe"})
    assert (await receive(socket))["msg"]["code"] == 2


async def test_subscriptions_can_be_changed_listed_and_ended(start_exchange) -> None:
    client = await start_exchange(quiet_traders=True)
    ticker = await client.open_ticker()
    later = (await client.get("/markets", status="unopened"))["markets"][0]["ticker"]
    socket = await client.socket()
    await send(socket, 1, "subscribe", channels=["orderbook_delta"], market_tickers=[ticker])
    assert [(await receive(socket))["type"] for _ in range(2)] == ["subscribed", "orderbook_snapshot"]
    await send(socket, 2, "update_subscription", sids=[1], action="add_markets", market_tickers=[later])
    ok = await receive(socket)
    assert ok == {
        "type": "ok",
        "id": 2,
        "sid": 1,
        "seq": 2,
        "msg": {"market_tickers": sorted([ticker, later])},
    }
    snapshot = await receive(socket)
    assert (snapshot["seq"], snapshot["msg"]["market_ticker"]) == (3, later)
    await send(socket, 3, "update_subscription", sid=1, action="delete_markets", market_tickers=[ticker])
    assert (await receive(socket))["msg"] == {"market_tickers": [later]}
    await send(socket, 4, "list_subscriptions")
    assert (await receive(socket))["msg"] == [{"channel": "orderbook_delta", "sid": 1}]
    await send(socket, 5, "unsubscribe", sids=[1])
    assert await receive(socket) == {"type": "unsubscribed", "id": 5, "sid": 1, "seq": 5}


async def test_a_window_reports_its_life_on_the_lifecycle_channel(start_exchange) -> None:
    client = await start_exchange(speed=20.0, window_seconds=20, quiet_traders=True)
    socket = await client.socket()
    await send(socket, 1, "subscribe", channels=["market_lifecycle_v2"])
    seen: dict[str, Any] = {}
    while set(seen) < {"metadata_updated", "determined", "settled", "created"}:
        message = await receive_kind(socket, "market_lifecycle_v2")
        seen.setdefault(message["msg"]["event_type"], message["msg"])
    following = seen["metadata_updated"]
    closed = (await client.get(f"/markets/{seen['determined']['market_ticker']}"))["market"]
    assert f"{following['floor_strike']:.2f}" == closed["expiration_value"]
    assert seen["determined"]["result"] == closed["result"]


def test_a_client_that_reads_too_slowly_loses_the_subscription_and_is_told() -> None:
    session = Session(most_queued=3)
    subscription = session.subscribe("trade", None, yes_price=False)
    for _ in range(5):
        subscription.send(b"trade", b"{}")
    assert len(session.queue) == 4
    assert json.loads(session.queue[-1]) == {
        "type": "error",
        "sid": 1,
        "msg": {"code": 25, "msg": "subscription buffer overflow"},
    }
    assert not session.subscriptions


async def test_the_spot_feed_speaks_the_exchanges_protocol(start_exchange) -> None:
    client = await start_exchange(speed=20.0, quiet_traders=True)
    socket = await client.session.ws_connect(client.credentials.price_url)
    wanted = {"type": "subscribe", "product_ids": ["BTC-USD"], "channels": ["matches", "heartbeat"]}
    await socket.send_json(wanted)
    assert (await receive(socket))["type"] == "subscriptions"
    assert (await receive(socket))["type"] == "last_match"
    last_id = last_sequence = 0
    kinds: set[str] = set()
    for _ in range(100):
        message = await receive(socket)
        kinds.add(message["type"])
        assert message["sequence"] > last_sequence
        last_sequence = message["sequence"]
        if message["type"] == "match":
            assert message["trade_id"] > last_id
            last_id = message["trade_id"]
            assert 70_000 < float(message["price"]) < 100_000
    assert kinds == {"match", "heartbeat"}
    await socket.send_json(wanted | {"product_ids": ["ETH-USD"]})
    assert (await receive_kind(socket, "error"))["message"] == "Failed to subscribe"
