"""The commands of the trading socket: replies, changes, limits, and every error with its number."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from recio.exchange_sim.wire.ws.rules import SocketRules


async def send(socket: Any, number: int, command: str, **params: Any) -> None:
    await socket.send_json({"id": number, "cmd": command, "params": params})


async def receive(socket: Any) -> Any:
    return await asyncio.wait_for(socket.receive_json(), 10)


async def upcoming(client: Any) -> str:
    """A market that has not opened yet."""
    return (await client.get("/markets", status="unopened"))["markets"][0]["ticker"]


@pytest.mark.parametrize(
    ("command", "params", "code"),
    [
        ("dance", {}, 5),
        ("subscribe", {}, 3),
        ("subscribe", {"channels": ["nothing"]}, 8),
        ("subscribe", {"channels": ["orderbook_delta"]}, 14),
        ("subscribe", {"channels": ["pyth_value"]}, 28),
        ("subscribe", {"channels": "ticker"}, 11),
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
    assert (await receive(socket))["msg"] == {"code": 2, "msg": "Params required"}


@pytest.mark.parametrize("nested", ["params", "anything"])
async def test_a_command_that_is_nested_too_deep_is_an_error_and_its_socket_goes_on(
    start_exchange, nested: str
) -> None:
    client = await start_exchange(quiet_traders=True)
    socket = await client.socket()
    await socket.send_str(f'{{"id":1,"cmd":"subscribe","{nested}":{"[" * 5000}{"]" * 5000}}}')
    assert (await receive(socket))["msg"]["code"] == 1
    await send(socket, 2, "list_subscriptions")
    assert (await receive(socket))["type"] == "ok"


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


async def test_every_channel_is_acknowledged_before_the_first_book(start_exchange) -> None:
    client = await start_exchange(quiet_traders=True)
    tickers = [await client.open_ticker(), await upcoming(client)]
    socket = await client.socket()
    channels = ["orderbook_delta", "trade", "ticker"]
    await send(socket, 1, "subscribe", channels=channels, market_tickers=tickers)
    received = [await receive(socket) for _ in range(5)]
    assert [message["msg"].get("channel") for message in received[:3]] == channels
    assert [(message["seq"], message["msg"]["market_ticker"]) for message in received[3:]] == [
        (1, tickers[0]),
        (2, tickers[1]),
    ]


async def test_subscribing_again_keeps_the_sid_and_starts_only_new_markets(start_exchange) -> None:
    client = await start_exchange(quiet_traders=True)
    ticker, later = await client.open_ticker(), await upcoming(client)
    socket = await client.socket()
    for number, tickers in enumerate(([ticker], [ticker], [ticker, later]), start=1):
        await send(socket, number, "subscribe", channels=["orderbook_delta"], market_tickers=tickers)
        assert (await receive(socket))["msg"] == {"channel": "orderbook_delta", "sid": 1}
        if number != 2:
            snapshot = await receive(socket)
            assert (snapshot["seq"], snapshot["msg"]["market_ticker"]) == (1 + number // 3, tickers[-1])


async def test_an_id_of_zero_counts_as_none(start_exchange) -> None:
    client = await start_exchange(quiet_traders=True)
    ticker = await client.open_ticker()
    socket = await client.socket()
    await send(socket, 0, "subscribe", channels=["orderbook_delta"], market_ticker=ticker)
    assert set(await receive(socket)) == {"type", "msg"}
    await receive(socket)
    await send(socket, 0, "update_subscription", sid=1, action="get_snapshot", market_ticker=ticker)
    assert set(await receive(socket)) == {"type", "sid", "seq", "msg"}
    await send(socket, 0, "dance")
    assert set(await receive(socket)) == {"type", "msg"}


async def test_several_subscriptions_end_with_one_command_and_an_unknown_one_stops_it(start_exchange) -> None:
    client = await start_exchange(quiet_traders=True)
    socket = await client.socket()
    await send(socket, 1, "subscribe", channels=["trade", "fill", "user_orders"])
    for _ in range(3):
        await receive(socket)
    await send(socket, 2, "unsubscribe", sids=[1, 2, 9, 3])
    assert [(await receive(socket))[key] for key in ("sid", "sid")] == [1, 2]
    assert (await receive(socket))["msg"] == {"code": 7, "msg": "Unknown subscription ID"}
    await send(socket, 3, "list_subscriptions")
    assert (await receive(socket))["msg"] == [{"channel": "user_orders", "sid": 3}]


async def test_tickers_can_be_asked_for_by_market_id_and_at_once(start_exchange) -> None:
    client = await start_exchange(quiet_traders=True)
    ticker, later = await client.open_ticker(), await upcoming(client)
    listener, socket = await client.socket(), await client.socket()
    await send(listener, 1, "subscribe", channels=["ticker"])
    await send(socket, 1, "subscribe", channels=["orderbook_delta"], market_tickers=[ticker, later])
    await receive(socket)
    books = [(await receive(socket))["msg"] for _ in range(2)]
    ids = {body["market_ticker"]: body["market_id"] for body in books}
    await send(
        socket, 2, "subscribe", channels=["ticker"], market_ids=[ids[ticker]], send_initial_snapshot=True
    )
    assert (await receive(socket))["msg"] == {"channel": "ticker", "sid": 2}
    quote = await receive(socket)
    assert (quote["type"], quote["msg"]["market_id"], "seq" in quote) == ("ticker", ids[ticker], False)
    await send(socket, 3, "update_subscription", sid=2, action="add_markets", market_ids=[ids[later]])
    assert (await receive(socket))["msg"] == {"market_ids": sorted(ids.values())}
    await send(
        socket, 4, "update_subscription", sid=2, action="delete_markets", market_id=ids[later],
        skip_ticker_ack=True,
    )  # fmt: skip
    assert await receive(socket) == {"type": "ok", "id": 4, "sid": 2, "seq": 2, "msg": {}}
    await send(socket, 5, "subscribe", channels=["trade"], market_ids=[ids[ticker]])
    assert (await receive(socket))["msg"]["code"] == 11
    assert (await receive(listener))["type"] == "subscribed"
    await send(listener, 2, "list_subscriptions")
    assert (await receive(listener))["id"] == 2


async def test_private_channels_can_be_narrowed_and_widened(start_exchange) -> None:
    client = await start_exchange(quiet_traders=True)
    ticker, later = await client.open_ticker(), await upcoming(client)
    socket = await client.socket()
    await send(socket, 1, "subscribe", channels=["user_orders"], market_ticker=later)
    await receive(socket)
    await client.order(ticker, "bid", "0.1000", "1")
    await send(socket, 2, "update_subscription", sid=1, action="add_markets", market_ticker=ticker)
    ok = await receive(socket)
    assert (ok["seq"], ok["msg"]) == (1, {"market_tickers": sorted([ticker, later])})
    await client.order(ticker, "bid", "0.2000", "1")
    assert (await receive(socket))["msg"]["yes_price_dollars"] == "0.2000"
    await send(socket, 3, "update_subscription", sid=1, action="delete_markets", market_ticker=ticker)
    assert (await receive(socket))["msg"] == {"market_tickers": [later]}
    await client.order(ticker, "bid", "0.3000", "1")
    await send(socket, 4, "list_subscriptions")
    assert (await receive(socket))["id"] == 4


async def test_limits_are_answered_with_their_numbers(start_exchange) -> None:
    rules = SocketRules(most_markets=1, commands_per_second=20)
    client = await start_exchange(quiet_traders=True, sockets=rules)
    ticker, later = await client.open_ticker(), await upcoming(client)
    socket = await client.socket()
    await send(socket, 1, "subscribe", channels=["trade"], market_tickers=[ticker, later])
    assert (await receive(socket))["msg"] == {"code": 26, "msg": "Subscription market limit exceeded"}
    await send(socket, 2, "subscribe", channels=["trade"], market_tickers=[ticker])
    await receive(socket)
    await send(socket, 3, "update_subscription", sid=1, action="add_markets", market_ticker=later)
    error = await receive(socket)
    assert (error["sid"], error["msg"]["code"]) == (1, 26)
    codes: list[int] = []
    while 27 not in codes:
        for _ in range(21):
            await send(socket, 4, "dance")
        codes += [(await receive(socket))["msg"]["code"] for _ in range(21)]
    assert set(codes) == {5, 27}


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"shard_factor": 0}, 19),
        ({"shard_key": 0}, 20),
        ({"shard_factor": 2, "shard_key": 2}, 21),
        ({"shard_factor": 101}, 22),
        ({"channels": ["pyth_value"], "underlying_tickers": ["X"]}, 9),
        ({"channels": ["orderbook_delta"], "market_id": "X"}, 14),
        ({"channels": ["ticker"], "market_id": "X"}, 11),
        ({"channels": ["fill"], "market_ticker": "X"}, 11),
    ],
)
async def test_a_channel_refuses_parameters_that_are_not_for_it(
    start_exchange, params: dict[str, Any], code: int
) -> None:
    client = await start_exchange(quiet_traders=True)
    socket = await client.socket()
    await send(socket, 1, "subscribe", **({"channels": ["communications"]} | params))
    assert (await receive(socket))["msg"]["code"] == code
    await send(socket, 2, "subscribe", channels=["communications"], shard_factor=2, shard_key=1)
    assert (await receive(socket))["msg"] == {"channel": "communications", "sid": 1}


async def test_data_messages_say_when_they_were_sent_where_the_venue_does(start_exchange) -> None:
    client = await start_exchange(quiet_traders=True, sockets=SocketRules(sending_times=True))
    ticker = await client.open_ticker()
    socket = await client.socket()
    await send(socket, 1, "subscribe", channels=["orderbook_delta"], market_ticker=ticker)
    await receive(socket)
    snapshot = await receive(socket)
    assert set(snapshot) == {"type", "sid", "seq", "msg", "sending_ts_ms"}
    assert abs(snapshot["sending_ts_ms"] - client.venue_ms()) < 5_000
