"""The trading socket: sequence numbers, snapshots that deltas build on, replies and errors."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from typing import Any

import aiohttp
import pytest

from recio.exchange_sim.engine.events import OrderGroupChanged
from recio.exchange_sim.faults.faults import Faults
from recio.exchange_sim.market.events import (
    CloseDateChanged,
    EventFeeChanged,
    GridChanged,
    MarketActivated,
    MarketCreated,
    MarketDeactivated,
)
from recio.exchange_sim.wire.ws import sockets
from recio.exchange_sim.wire.ws.audience import Audience
from recio.exchange_sim.wire.ws.hub import Hub
from recio.exchange_sim.wire.ws.rules import SocketRules
from recio.exchange_sim.wire.ws.subscriptions import Session


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

    def resting(self) -> dict[tuple[str, str], int]:
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
    assert book.resting() == fresh.resting()


async def test_the_wire_book_is_the_rest_book(start_exchange) -> None:
    client = await start_exchange(quiet_traders=True)
    ticker = await client.open_ticker()
    socket = await client.socket()
    await send(
        socket, 1, "subscribe", channels=["orderbook_delta"], market_tickers=[ticker], use_yes_price=False
    )
    assert (await receive(socket))["type"] == "subscribed"
    empty = await receive(socket)
    assert set(empty["msg"]) == {"market_ticker", "market_id", "clock"}
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
    assert book.resting() == shown


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
    session = Session(Audience(), rules=SocketRules(most_queued=3, sending_times=False))
    slow, other = session.subscribe("trade", None), session.subscribe("ticker", None)
    for _ in range(5):
        slow.put(slow.frame(b"trade", b"{}"))
    other.put(other.frame(b"ticker", b"{}"))
    written = [json.loads(session.outbox.take()) for _ in range(len(session.outbox.frames))]
    assert [message.get("seq") for message in written] == [1, 2, 3, None, None]
    assert written[3] == {
        "type": "error",
        "sid": 1,
        "msg": {"code": 25, "msg": "Subscription buffer overflow"},
    }
    assert written[4] == {"type": "ticker", "sid": 2, "msg": {}}
    assert list(session.subscriptions) == [2]


async def test_the_venue_pings_with_the_word_heartbeat(start_exchange, monkeypatch) -> None:
    assert sockets.HEARTBEAT_SECONDS == 10
    monkeypatch.setattr(sockets, "HEARTBEAT_SECONDS", 0.05)
    client = await start_exchange(quiet_traders=True)
    socket = await client.socket(autoping=False)
    message = await asyncio.wait_for(socket.receive(), 5)
    assert (message.type, message.data) == (aiohttp.WSMsgType.PING, b"heartbeat")


@pytest.mark.parametrize("allowed", [True, False])
async def test_compression_is_for_clients_that_offer_it_where_it_is_allowed(
    start_exchange, allowed: bool
) -> None:
    client = await start_exchange(
        quiet_traders=True, sockets=SocketRules(compression=allowed, sending_times=False)
    )
    plain, offering = await client.socket(), await client.socket(compress=15)
    assert (plain.compress, bool(offering.compress)) == (0, allowed)
    for socket in (plain, offering):
        await send(socket, 1, "list_subscriptions")
        assert await receive(socket) == {"type": "ok", "id": 1, "msg": []}


async def test_only_the_orders_of_the_account_are_named_on_the_book(start_exchange) -> None:
    client = await start_exchange(speed=5.0)
    ticker = await client.open_ticker()
    socket = await client.socket()
    await send(socket, 1, "subscribe", channels=["orderbook_delta"], market_ticker=ticker)
    await client.order(ticker, "bid", "0.0010", "1.11", client_order_id="mine")
    named: list[Any] = []
    for _ in range(200):
        message = await receive(socket)
        if message["type"] == "orderbook_delta" and "client_order_id" in message["msg"]:
            named.append(message["msg"])
    assert [(body["client_order_id"], body["subaccount"], body["delta_fp"]) for body in named] == [
        ("mine", 0, "1.11")
    ]


def test_listeners_are_found_by_market_and_forgotten_when_they_go() -> None:
    audience = Audience()
    session = Session(audience)
    one = session.subscribe("trade", {"A", "B"})
    every = Session(audience).subscribe("trade", None)
    assert set(audience.listening("trade", "A")) == {one, every}
    assert set(audience.listening("trade", "C")) == set(audience.listening("trade", None)) == {every}
    audience.narrow(one, ["A"])
    assert set(audience.listening("trade", "A")) == {every}
    assert set(audience.on_channel("trade")) == {one, every}
    session.close()
    every.session.close()
    assert not audience.listening("trade", "B")
    assert not audience.on_channel("trade")


def test_every_change_in_a_markets_life_is_told_on_the_lifecycle_channel(trading_session) -> None:
    simulation = trading_session().simulation
    market = next(iter(simulation.listings.markets.values()))
    hub = Hub(simulation.venue, simulation.listings, Faults())
    session = hub.join()
    session.subscribe("market_lifecycle_v2", None)
    fee = EventFeeChanged(event_ticker=market.event_ticker, fee_type="flat", fee_multiplier=None)
    events = [
        MarketDeactivated(market),
        MarketActivated(market),
        CloseDateChanged(market),
        GridChanged(market),
    ]
    hub.publish([MarketCreated(market), *events, fee])
    told = [json.loads(session.outbox.take()) for _ in range(7)]
    assert [message["seq"] for message in told] == [1, 2, 3, 4, 5, 6, 7]
    assert [message["type"] for message in told] == [
        "event_lifecycle", *["market_lifecycle_v2"] * 5, "event_fee_update",
    ]  # fmt: skip
    assert [message["msg"]["event_type"] for message in told[1:6]] == [
        "created", "deactivated", "activated", "close_date_updated", "price_level_structure_updated",
    ]  # fmt: skip
    assert told[2]["msg"]["is_deactivated"] is True
    assert told[4]["msg"]["close_ts"] == market.close_ms // 1000
    assert told[5]["msg"]["price_ranges"][0]["step"] == "0.0010"
    assert told[6]["msg"]["fee_multiplier_override"] is None


def test_order_groups_report_their_changes(trading_session) -> None:
    simulation = trading_session().simulation
    hub = Hub(simulation.venue, simulation.listings, Faults())
    session = hub.join()
    session.subscribe("order_group_updates", None)
    for kind, limit in (("created", 1_000), ("deleted", None)):
        changed = OrderGroupChanged(event_type=kind, order_group_id="g", contracts_limit=limit, now_ms=5)
        hub.publish([changed])
    created, deleted = [json.loads(session.outbox.take()) for _ in range(2)]
    assert (created["type"], created["seq"], deleted["seq"]) == ("order_group_updates", 1, 2)
    assert created["msg"] == {
        "event_type": "created", "order_group_id": "g", "contracts_limit_fp": "10.00", "ts_ms": 5,
    }  # fmt: skip
    assert "contracts_limit_fp" not in deleted["msg"]


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
