"""Networks as they are: what comes late, in another order, on one channel only, or against what another answer says."""

from __future__ import annotations

import asyncio
import time
from email.utils import parsedate_to_datetime
from statistics import median
from typing import Any

import aiohttp
import pytest

from recio.exchange_sim.faults.latency import Latency
from recio.exchange_sim.wire.rest.rules import RestRules
from recio.exchange_sim.wire.ws import sockets
from recio.exchange_sim.wire.ws.rules import SocketRules


async def arm(client: Any, kind: str, **how: Any) -> None:
    status, body = await client.plain("POST", "/admin/faults", {"kind": kind, **how})
    assert status == 200, body


async def placed(client: Any) -> int:
    return len((await client.ledger())["orders"])


async def until_placed(client: Any, orders: int) -> None:
    for _ in range(1_000):
        if await placed(client) == orders:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"never saw {orders} orders")


async def listening(client: Any, *channels: str) -> tuple[Any, str]:
    """A socket with these channels, what was acknowledged and begun already heard."""
    ticker = await client.open_ticker()
    socket = await client.socket()
    params = {"channels": channels, "market_ticker": ticker}
    await socket.send_json({"id": 1, "cmd": "subscribe", "params": params})
    for _ in range(len(channels) + ("orderbook_delta" in channels)):
        await socket.receive_json()
    return socket, ticker


async def test_a_request_is_carried_out_after_its_sender_has_lost_the_connection(start_exchange: Any) -> None:
    client = await start_exchange(quiet_traders=True)
    ticker = await client.open_ticker()
    await arm(client, "late_request", seconds=1.5)
    begun = time.monotonic()
    with pytest.raises(aiohttp.ClientError):
        await client.order(ticker, "bid", "0.1000", "1")
    if time.monotonic() - begun < 1:
        assert await placed(client) == 0
    await until_placed(client, 1)
    assert time.monotonic() - begun >= 1.5


async def test_a_request_is_carried_out_after_its_sender_has_given_it_up(start_exchange: Any) -> None:
    client = await start_exchange(quiet_traders=True)
    ticker = await client.open_ticker()
    await arm(client, "delay_request", seconds=1.0)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await client.order(ticker, "bid", "0.1000", "1")
    await until_placed(client, 1)


async def test_what_travelled_is_dated_by_when_it_came(start_exchange: Any) -> None:
    """Clients measure their clock against the date of an answer."""
    client = await start_exchange(quiet_traders=True)
    await arm(client, "delay_request", seconds=2.1, on="reads")
    path = "/trade-api/v2/exchange/status"
    asked = client.venue_ms() // 1000
    async with client.session.get(client.root + path, headers=client.headers("GET", path)) as answer:
        assert parsedate_to_datetime(answer.headers["Date"]).timestamp() >= asked + 2


def test_latency_has_its_median_and_a_long_tail() -> None:
    latency = Latency(median_seconds=0.02, spread=0.8)
    drawn = sorted(latency.draw() for _ in range(4_000))
    assert 0.018 < median(drawn) < 0.022
    assert drawn[-40] > 5 * median(drawn)
    same = Latency(median_seconds=0.02, spread=0.0)
    assert {round(same.draw(), 9) for _ in range(10)} == {0.02}


async def test_requests_answers_and_frames_are_under_way_and_frames_keep_their_order(
    start_exchange: Any,
) -> None:
    client = await start_exchange(quiet_traders=True)
    socket, ticker = await listening(client, "orderbook_delta")
    await arm(client, "latency", seconds=60, lag_seconds=0.1, spread=1.0)
    begun = time.monotonic()
    for cents in range(10, 15):
        assert (await client.order(ticker, "bid", f"0.{cents}00", "1"))[0] == 201
    assert time.monotonic() - begun > 0.2
    assert [(await socket.receive_json())["seq"] for _ in range(5)] == [2, 3, 4, 5, 6]


async def test_private_messages_come_in_any_order_and_none_is_lost(start_exchange: Any) -> None:
    client = await start_exchange(quiet_traders=True)
    socket, ticker = await listening(client, "user_orders", "orderbook_delta")
    await arm(client, "shuffle_private", seconds=60, lag_seconds=0.6)
    sent = [
        (await client.order(ticker, "bid", f"0.{cents}00", "1"))[1]["order_id"] for cents in range(10, 30)
    ]
    frames = [await socket.receive_json() for _ in range(2 * len(sent))]
    told = [frame["msg"]["order_id"] for frame in frames if frame["type"] == "user_order"]
    assert sorted(told) == sorted(sent)
    assert told != sent
    deltas = [frame["seq"] for frame in frames if frame["type"] == "orderbook_delta"]
    assert deltas == sorted(deltas)


@pytest.mark.parametrize("speed", [1.0, 1e-6])
async def test_a_read_of_one_order_is_behind_the_list(start_exchange: Any, speed: float) -> None:
    """Also where the clock all but stands still, so that everything here takes place in one millisecond."""
    client = await start_exchange(quiet_traders=True, speed=speed)
    ticker = await client.open_ticker()
    _, order = await client.order(ticker, "bid", "0.1000", "1")
    path = f"/portfolio/orders/{order['order_id']}"
    await arm(client, "lag_single_reads", seconds=60, lag_seconds=30 / speed)
    await client.request("DELETE", "/portfolio/events/orders")
    (listed,) = (await client.get("/portfolio/orders"))["orders"]
    assert listed["status"] == "canceled"
    assert (await client.get(path))["order"]["status"] == "resting"
    _, later = await client.order(ticker, "bid", "0.1000", "1")
    assert (await client.request("GET", f"/portfolio/orders/{later['order_id']}"))[0] == 404
    await client.plain("DELETE", "/admin/faults")
    assert (await client.get(path))["order"]["status"] == "canceled"


async def test_lists_of_markets_are_served_again_with_their_age(start_exchange: Any) -> None:
    client = await start_exchange(quiet_traders=True, rest=RestRules(list_cache_seconds=600))
    ticker = await client.open_ticker()
    url = client.root + "/trade-api/v2/markets?status=open"
    await arm(client, "early_close", ticker=ticker)
    assert (await client.get(f"/markets/{ticker}"))["market"]["status"] == "closed"
    async with client.session.get(url) as answer:
        assert (await answer.json())["markets"][0]["ticker"] == ticker
        assert answer.headers["Cache-Control"] == "max-age=600"
        assert answer.headers["Age"].isdigit()
    assert (await client.get("/markets", status="open", limit="5"))["markets"] == []
    dates, age = set[str](), "0"
    while age == "0":
        async with client.session.get(url) as answer:
            dates, age = dates | {answer.headers["Date"]}, answer.headers["Age"]
        await asyncio.sleep(0.05)
    assert len(dates) == 1  # of the answer that was kept, as caches send it


async def test_books_are_late_whole_and_in_order_while_others_are_in_time(start_exchange: Any) -> None:
    client = await start_exchange(quiet_traders=True)
    socket, ticker = await listening(client, "orderbook_delta", "user_orders")
    await arm(client, "late_books", seconds=60, lag_seconds=1.0)
    begun = time.monotonic()
    for cents in (10, 11):
        await client.order(ticker, "bid", f"0.{cents}00", "1")
    frames = [await socket.receive_json() for _ in range(4)]
    assert [frame["type"] for frame in frames] == ["user_order"] * 2 + ["orderbook_delta"] * 2
    assert [frame["seq"] for frame in frames[2:]] == [2, 3]
    assert time.monotonic() - begun >= 1.0
    await client.order(ticker, "bid", "0.1200", "1")
    update = {"sid": 1, "action": "add_markets", "market_ticker": ticker}
    await socket.send_json({"id": 2, "cmd": "update_subscription", "params": update})
    told = [await socket.receive_json() for _ in range(3)]
    assert [frame.get("seq") for frame in told if frame["type"] != "user_order"] == [4, 5]


async def test_one_channel_dies_alone(start_exchange: Any) -> None:
    """One with numbers shows a gap once it lives again, one without shows nothing."""
    client = await start_exchange(quiet_traders=True)
    socket, ticker = await listening(client, "orderbook_delta", "user_orders")
    for channel, other, numbers in (
        ("user_orders", "orderbook_delta", [2, 3]),
        ("orderbook_delta", "user_order", [5]),
    ):
        await arm(client, "channel_silent", channel=channel, seconds=60)
        _, lost = await client.order(ticker, "bid", "0.1000", "1")
        frames = [await socket.receive_json()]
        assert frames[0]["type"] == other
        await client.plain("DELETE", "/admin/faults")
        await client.order(ticker, "bid", "0.1000", "1")
        frames += [await socket.receive_json() for _ in range(2)]
        assert [frame["seq"] for frame in frames if frame["type"] == "orderbook_delta"] == numbers
        told = [frame["msg"]["order_id"] for frame in frames if frame["type"] == "user_order"]
        assert (lost["order_id"] in told) == (channel != "user_orders")
    refused, body = await client.plain("POST", "/admin/faults", {"kind": "channel_silent", "channel": "none"})
    assert refused == 400, body


async def test_a_level_that_is_gone_stays_without_a_gap(start_exchange: Any) -> None:
    client = await start_exchange(quiet_traders=True)
    socket, ticker = await listening(client, "orderbook_delta")
    await arm(client, "phantom_level")
    for price in ("0.1000", "0.2000"):
        await client.order(ticker, "bid", price, "1")
    delta = await socket.receive_json()
    assert (delta["seq"], delta["msg"]["price_dollars"]) == (2, "0.2000")
    book = (await client.get(f"/markets/{ticker}/orderbook"))["orderbook_fp"]
    assert book["yes_dollars"] == [["0.1000", "1.00"], ["0.2000", "1.00"]]


async def test_one_socket_more_than_allowed_is_refused_at_its_upgrade(start_exchange: Any) -> None:
    client = await start_exchange(quiet_traders=True, sockets=SocketRules(most_connections=1))
    first = await client.socket()
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await client.socket()
    assert refused.value.status == 429
    await first.close()
    async with asyncio.timeout(10):
        while True:
            try:
                await client.socket()
                break
            except aiohttp.WSServerHandshakeError:
                await asyncio.sleep(0.02)


async def test_a_client_that_never_answers_a_ping_is_cut_and_one_that_does_is_not(
    start_exchange: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "HEARTBEAT_SECONDS", 0.05)
    client = await start_exchange(quiet_traders=True, sockets=SocketRules(pong_seconds=0.5))
    mute, answering = await client.socket(autoping=False), await client.socket()
    heard = asyncio.create_task(answering.receive())
    async with asyncio.timeout(20):
        while (await mute.receive()).type is aiohttp.WSMsgType.PING:
            pass
    assert not heard.done()
    heard.cancel()
