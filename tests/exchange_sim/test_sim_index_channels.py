"""The settlement index channels: values, averages, the quarter hour's last minute, and who may read them."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
from decimal import Decimal
from typing import Any

import pytest

from recio.exchange_sim.wire.ws.rules import SocketRules

VALUE = re.compile(r"\d+\.\d{8}")


async def send(socket: Any, number: int, command: str, **params: Any) -> None:
    await socket.send_json({"id": number, "cmd": command, "params": params})


async def receive(socket: Any) -> Any:
    return await asyncio.wait_for(socket.receive_json(), 20)


async def listening(client: Any, channel: str, *ids: str) -> Any:
    socket = await client.socket()
    await send(socket, 1, "subscribe", channels=[channel], index_ids=list(ids))
    assert (await receive(socket))["msg"] == {"channel": channel, "sid": 1}
    return socket


async def test_a_value_comes_every_second_with_the_mean_of_the_sixty_before_it(start_exchange) -> None:
    client = await start_exchange(speed=60.0, quiet_traders=True)
    socket = await listening(client, "cfbenchmarks_value", "BRTI")
    values: dict[int, Decimal] = {}
    for number in range(1, 91):
        message = await receive(socket)
        assert (message["type"], message["sid"], message["seq"]) == ("cfbenchmarks_value", 1, number)
        body = message["msg"]
        raw = json.loads(body["data"])
        assert (raw["type"], raw["id"], body["index_id"]) == ("value", "BRTI", "BRTI")
        assert body["received_at"] >= raw["time"]
        values[raw["time"]] = Decimal(raw["value"])
    mean = body["avg_60s_data"]
    assert sorted(values) == list(range(raw["time"] - 89_000, raw["time"] + 1, 1000))
    window = [values[raw["time"] - 1000 * back] for back in range(1, 61)]
    assert mean["window_size"] == 60
    assert (mean["window_start_ts_ms"], mean["window_end_ts_exclusive"]) == (
        raw["time"] - 60_000,
        raw["time"],
    )
    assert VALUE.fullmatch(mean["value"])
    assert abs(Decimal(mean["value"]) - sum(window, Decimal()) / 60) < Decimal("0.0000001")


async def test_the_window_average_shows_only_in_the_last_minute_of_a_quarter_hour(start_exchange) -> None:
    client = await start_exchange(speed=300.0, quiet_traders=True)
    socket = await listening(client, "cfbenchmarks_value", "all")
    sizes: dict[int, int] = {}
    counted: list[Decimal] = []
    without: set[int] = set()
    while len(sizes) < 60:
        body = (await receive(socket))["msg"]
        raw = json.loads(body["data"])
        second = raw["time"] // 1000 % 900
        average = body.get("last_60s_windowed_average_15min")
        if average is None:
            without.add(second)
        else:
            sizes[second] = average["window_size"]
            counted.append(Decimal(raw["value"]))
            assert abs(Decimal(average["value"]) - sum(counted, Decimal()) / len(counted)) < Decimal(
                "0.0000001"
            )
    assert {second: sizes[second] for second in range(841, 900)} == {
        second: second - 840 for second in range(841, 900)
    }
    assert sizes[0] == 60
    assert without <= set(range(1, 841))


async def test_the_fast_channel_has_five_bare_values_a_second(start_exchange) -> None:
    client = await start_exchange(speed=10.0, quiet_traders=True)
    socket = await listening(client, "cfbenchmarks_value_5hz", "BRTI")
    stamps: list[int] = []
    for number in range(1, 31):
        message = await receive(socket)
        assert (message["type"], message["seq"]) == ("cfbenchmarks_value_5hz", number)
        body = message["msg"]
        assert set(body) == {"index_id", "value_usd", "source_ts_ms", "received_at", "data"}
        assert VALUE.fullmatch(body["value_usd"])
        assert Decimal(json.loads(body["data"])["value"]) == Decimal(body["value_usd"])
        stamps.append(body["source_ts_ms"])
    assert [later - sooner for sooner, later in itertools.pairwise(stamps)] == [200] * 29


@pytest.mark.parametrize("channel", ["cfbenchmarks_value", "cfbenchmarks_value_5hz"])
async def test_indices_are_listed_added_and_taken_away(start_exchange, channel: str) -> None:
    client = await start_exchange(speed=10.0, quiet_traders=True)
    socket = await listening(client, channel)
    await send(socket, 2, "update_subscription", sid=1, action="indexlist")
    listed = await receive(socket)
    assert listed["msg"].pop("index_ids")[0] == "BRTI"
    assert listed == {"type": f"{channel}_indexlist", "id": 2, "sid": 1, "seq": 1, "msg": {}}
    await send(socket, 3, "update_subscription", sids=[1], action="subscribe_indices", index_ids=["BRTI"])
    added = await receive(socket)
    assert added == {"type": "ok", "id": 3, "sid": 1, "seq": 2, "msg": {"index_ids": ["BRTI"]}}
    assert (await receive(socket))["type"] == channel
    await send(socket, 4, "update_subscription", sid=1, action="unsubscribe_indices", index_ids=["BRTI"])
    while (answer := await receive(socket))["type"] == channel:
        pass
    assert answer["msg"] == {"index_ids": []}
    await send(socket, 5, "unsubscribe", sids=[1])
    assert (await receive(socket))["seq"] == answer["seq"] + 1


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"action": "subscribe_indices"}, 24),
        ({"action": "subscribe_indices", "index_ids": ["NOTHING"]}, 11),
        ({"action": "add_markets", "market_ticker": "X"}, 13),
    ],
)
async def test_wrong_changes_are_answered_with_their_number(start_exchange, params: Any, code: int) -> None:
    client = await start_exchange(quiet_traders=True)
    socket = await listening(client, "cfbenchmarks_value")
    await send(socket, 2, "update_subscription", sid=1, **params)
    error = await receive(socket)
    assert (error["type"], error["id"], error["sid"], error["msg"]["code"]) == ("error", 2, 1, code)


async def test_an_account_without_the_right_is_refused_and_keeps_its_other_channels(start_exchange) -> None:
    client = await start_exchange(
        quiet_traders=True, sockets=SocketRules(index_channels=False, sending_times=False)
    )
    socket = await client.socket()
    for number, channel in enumerate(("cfbenchmarks_value", "cfbenchmarks_value_5hz"), start=1):
        await send(socket, number, "subscribe", channels=[channel], index_ids=["BRTI"])
        refused = await receive(socket)
        assert refused == {
            "type": "error",
            "id": number,
            "msg": {"code": 9, "msg": "Authentication required"},
        }
    await send(socket, 3, "subscribe", channels=["ticker"])
    assert (await receive(socket))["type"] == "subscribed"
