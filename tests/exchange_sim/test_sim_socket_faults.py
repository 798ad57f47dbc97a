"""Armed faults on the trading socket: what is lost, doubled, swapped, made strange, ended or held back."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest

BOOK = "orderbook_delta"


async def send(socket: Any, number: int, command: str, **params: Any) -> None:
    await socket.send_json({"id": number, "cmd": command, "params": params})


async def receive(socket: Any) -> Any:
    return await asyncio.wait_for(socket.receive_json(), 10)


async def arm(client: Any, kind: str, **how: Any) -> None:
    status, _ = await client.plain("POST", "/admin/faults", {"kind": kind, **how})
    assert status == 200


async def subscribed(client: Any, *channels: str, autoping: bool = True, **params: Any) -> Any:
    """A socket on these channels of the open market, its replies and first book already read."""
    socket = await client.socket(autoping=autoping)
    ticker = await client.open_ticker()
    await send(socket, 1, "subscribe", channels=list(channels), market_ticker=ticker, **params)
    for _ in channels:
        assert (await receive(socket))["type"] == "subscribed"
    if BOOK in channels:
        assert (await receive(socket))["type"] == "orderbook_snapshot"
    return socket


async def bids(client: Any, *prices: str) -> None:
    """One resting bid at each price, in order: one delta each."""
    ticker = await client.open_ticker()
    for price in prices:
        status, answer = await client.order(ticker, "bid", price, "1")
        assert status == 201, answer


async def met(socket: Any, count: int) -> list[tuple[int, str]]:
    """Sequence number and price of the next deltas."""
    messages = [await receive(socket) for _ in range(count)]
    return [(message["seq"], message["msg"]["price_dollars"]) for message in messages]


@pytest.fixture
async def quiet(start_exchange) -> Any:
    return await start_exchange(quiet_traders=True)


async def test_a_skipped_book_message_leaves_a_gap(quiet) -> None:
    socket = await subscribed(quiet, BOOK)
    await arm(quiet, "skip_seq", count=2)
    await bids(quiet, "0.1000", "0.2000", "0.3000")
    assert await met(socket, 1) == [(4, "0.3000")]


async def test_a_duplicated_frame_comes_twice_with_one_number(quiet) -> None:
    socket = await subscribed(quiet, BOOK)
    await arm(quiet, "duplicate_frame")
    await bids(quiet, "0.1000", "0.2000")
    assert await met(socket, 3) == [(2, "0.1000"), (2, "0.1000"), (3, "0.2000")]


async def test_swapped_frames_change_places(quiet) -> None:
    socket = await subscribed(quiet, BOOK)
    await arm(quiet, "swap_frames")
    await bids(quiet, "0.1000", "0.2000", "0.3000")
    assert await met(socket, 3) == [(3, "0.2000"), (2, "0.1000"), (4, "0.3000")]


async def test_a_snapshot_that_is_empty_hides_what_stands(quiet) -> None:
    await bids(quiet, "0.1000")
    await arm(quiet, "empty_snapshot")
    socket = await quiet.socket()
    ticker = await quiet.open_ticker()
    await send(socket, 1, "subscribe", channels=[BOOK], market_ticker=ticker)
    await receive(socket)
    assert set((await receive(socket))["msg"]) == {"market_ticker", "market_id", "clock"}
    await send(socket, 2, "update_subscription", sid=1, action="get_snapshot", market_ticker=ticker)
    assert (await receive(socket))["msg"]["yes_dollars_fp"] == [["0.1000", "1.00"]]


async def test_strange_frames_have_an_unknown_type_and_an_unknown_field(quiet) -> None:
    socket = await subscribed(quiet, BOOK)
    await arm(quiet, "strange_frame")
    await bids(quiet, "0.1000", "0.2000")
    stranger, marked, usual = [await receive(socket) for _ in range(3)]
    assert stranger["type"] == "venue_notice"
    assert set(marked["msg"]) - set(usual["msg"]) == {"novel_figure"}
    assert [marked["seq"], usual["seq"]] == [2, 3]


@pytest.mark.parametrize(
    ("kind", "code", "text"),
    [("channel_error", 10, "Channel error"), ("buffer_overflow", 25, "Subscription buffer overflow")],
)
async def test_book_subscriptions_end_with_their_error_and_can_be_made_anew(
    quiet, kind: str, code: int, text: str
) -> None:
    socket = await subscribed(quiet, BOOK)
    await bids(quiet, "0.1000")
    assert await met(socket, 1) == [(2, "0.1000")]
    await arm(quiet, kind)
    assert await receive(socket) == {"type": "error", "sid": 1, "msg": {"code": code, "msg": text}}
    await bids(quiet, "0.2000")
    ticker = await quiet.open_ticker()
    await send(socket, 2, "subscribe", channels=[BOOK], market_ticker=ticker)
    assert (await receive(socket))["msg"] == {"channel": BOOK, "sid": 2}
    snapshot = await receive(socket)
    assert (snapshot["sid"], snapshot["seq"], len(snapshot["msg"]["yes_dollars_fp"])) == (2, 1, 2)


async def test_refused_subscribes_are_answered_with_error_18(quiet) -> None:
    socket = await quiet.socket()
    await arm(quiet, "refuse_subscribe")
    for number, kind in ((1, "error"), (2, "subscribed")):
        await send(socket, number, "subscribe", channels=["trade"])
        answer = await receive(socket)
        assert (answer["type"], answer["id"]) == (kind, number)
        assert kind == "subscribed" or answer["msg"] == {"code": 18, "msg": "Command timeout"}


async def test_silence_loses_everything_but_pings_and_spends_the_numbers(start_exchange) -> None:
    client = await start_exchange(quiet_traders=True)
    socket = await subscribed(client, BOOK, autoping=False)
    await arm(client, "silence", seconds=0.4)
    await bids(client, "0.1000", "0.2000")
    await send(socket, 2, "list_subscriptions")
    await socket.ping(b"anybody there")
    answer = await asyncio.wait_for(socket.receive(), 5)
    assert (answer.type, answer.data) == (aiohttp.WSMsgType.PONG, b"anybody there")
    while True:
        await bids(client, "0.3000")
        try:
            message = await asyncio.wait_for(socket.receive_json(), 0.05)
        except TimeoutError:
            continue
        break
    assert (message["type"], message["msg"]["price_dollars"]) == ("orderbook_delta", "0.3000")
    assert message["seq"] > 4


async def test_during_a_shard_outage_frames_stop_and_afterwards_a_gap_shows(start_exchange) -> None:
    client = await start_exchange()
    socket = await subscribed(client, BOOK, "cfbenchmarks_value", index_ids=["BRTI"])
    before = 0
    while before < 20:
        message = await receive(socket)
        before = message["seq"] if message["type"] == BOOK else before
    await arm(client, "shard_outage", seconds=2.0)
    kinds: list[str] = []
    gap = 0
    while not gap:
        message = await receive(socket)
        kinds.append(message["type"])
        if message["type"] == BOOK:
            gap = message["seq"] - before - 1
            before = message["seq"]
    assert "cfbenchmarks_value" in kinds
    assert gap > 20


async def test_dropped_sockets_are_cut_and_a_new_one_starts_afresh(quiet) -> None:
    socket = await subscribed(quiet, BOOK)
    await arm(quiet, "drop_sockets")
    message = await asyncio.wait_for(socket.receive(), 5)
    assert message.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.ERROR)
    fresh = await subscribed(quiet, BOOK)
    await bids(quiet, "0.1000")
    assert await met(fresh, 1) == [(2, "0.1000")]


async def test_a_dropped_fill_is_missing_while_the_order_and_the_position_are_told(start_exchange) -> None:
    client = await start_exchange()
    socket = await subscribed(client, "fill", "user_orders", "market_positions")
    ticker = await client.open_ticker()
    await arm(client, "drop_fills")
    told: list[str] = []
    for name in ("lost", "kept"):
        filled = "0.00"
        while filled == "0.00":
            _, answer = await client.order(
                ticker, "bid", "0.9900", "0.01", time_in_force="immediate_or_cancel", client_order_id=""
            )
            filled = answer.get("fill_count", "0.00")
        while name == "kept" and "fill" not in told:
            told.append((await receive(socket))["type"])
    assert told.count("market_position") >= 1
    assert told.index("market_position") < told.index("fill")


async def test_held_private_messages_come_late_and_in_their_order(quiet) -> None:
    socket = await subscribed(quiet, "user_orders", BOOK)
    await arm(quiet, "hold_fills", seconds=0.3)
    await bids(quiet, "0.1000", "0.2000")
    seen = [await receive(socket) for _ in range(4)]
    assert [message["type"] for message in seen] == [BOOK, BOOK, "user_order", "user_order"]
    assert [message["msg"]["yes_price_dollars"] for message in seen[2:]] == ["0.1000", "0.2000"]


async def test_faults_of_the_sockets_are_counted_when_they_happen(start_exchange) -> None:
    client = await start_exchange(quiet_traders=True)
    socket = await subscribed(client, BOOK)
    await arm(client, "duplicate_frame", count=2)
    await bids(client, "0.1000")
    first, again = await receive(socket), await receive(socket)
    assert json.dumps(first) == json.dumps(again)
    await bids(client, "0.2000", "0.3000")
    assert [number for number, _ in await met(socket, 3)] == [3, 3, 4]
