"""What each armed fault does to one request, seen from the client's side of a real connection."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from recio.exchange_sim.faults.faults import Faults, FaultStream, RandomFaults
from recio.exchange_sim.faults.kinds import (
    ONLY_IF_ASKED_FOR,
    PASSING_KINDS,
    REQUEST_KINDS,
    FaultKind,
    RequestKind,
)
from recio.exchange_sim.wire.rest.failing_reads import NEW_FIELD, NEW_WORD

NOT_CARRIED_OUT = {
    "lose_request": None,
    "reset": None,
    "too_many_requests": 429,
    "error_500": 500,
    "error_502": 502,
    "error_503": 503,
    "error_504": 504,
    "retired": 410,
    "error_in_2xx": 201,
}
CARRIED_OUT = {
    "lose_reply",
    "delay_reply",
    "duplicate_reply",
    "truncated_json",
    "unknown_field",
    "fill_first",
    "delay_request",
    "late_request",
}


def test_every_request_kind_is_tested_here() -> None:
    assert {kind.value for kind in REQUEST_KINDS} == set(NOT_CARRIED_OUT) | CARRIED_OUT


GROUPS = "/portfolio/order_groups"
TRANSFER = "/portfolio/intra_exchange_instance_transfer"


async def arm(client: Any, kind: str, **how: Any) -> None:
    status, body = await client.plain("POST", "/admin/faults", {"kind": kind, **how})
    assert status == 200, body


async def raw(client: Any, method: str, path: str, body: Any = None) -> tuple[int, str, bytes]:
    full = "/trade-api/v2" + path
    headers = client.headers(method, full)
    async with client.session.request(method, client.root + full, json=body, headers=headers) as answer:
        return answer.status, answer.content_type, await answer.read()


def bid(ticker: str, client_order_id: str = "") -> dict[str, str]:
    return {
        "ticker": ticker,
        "side": "bid",
        "price": "0.1000",
        "count": "1",
        "time_in_force": "good_till_canceled",
        "self_trade_prevention_type": "taker_at_cross",
        "client_order_id": client_order_id or "one",
    }


async def placed(client: Any) -> int:
    return len((await client.ledger())["orders"])


@pytest.mark.parametrize("kind", NOT_CARRIED_OUT)
async def test_what_is_refused_or_lost_on_the_way_in_places_nothing(start_exchange, kind: str) -> None:
    client = await start_exchange(quiet_traders=True)
    ticker = await client.open_ticker()
    await arm(client, kind)
    if NOT_CARRIED_OUT[kind] is None:
        with pytest.raises(aiohttp.ClientError):
            await raw(client, "POST", "/portfolio/events/orders", bid(ticker))
    else:
        status, content_type, body = await raw(client, "POST", "/portfolio/events/orders", bid(ticker))
        assert status == NOT_CARRIED_OUT[kind]
        if kind in ("error_502", "error_504"):
            assert content_type == "text/html"
        else:
            assert "error" in json.loads(body)
    assert await placed(client) == 0
    assert (await client.order(ticker, "bid", "0.1000", "1", client_order_id="one"))[0] == 201


@pytest.mark.parametrize("kind", sorted(CARRIED_OUT))
async def test_what_goes_wrong_on_the_way_out_has_placed_the_order(start_exchange, kind: str) -> None:
    client = await start_exchange(quiet_traders=True)
    ticker = await client.open_ticker()
    await arm(client, kind)
    if kind in ("lose_reply", "late_request"):
        with pytest.raises(aiohttp.ClientError):
            await raw(client, "POST", "/portfolio/events/orders", bid(ticker))
    else:
        assert (await raw(client, "POST", "/portfolio/events/orders", bid(ticker)))[0] == 201
    assert await placed(client) == 1
    async with aiohttp.ClientSession() as session:
        again = type(client)(client.credentials, session)
        assert (await again.order(ticker, "bid", "0.1000", "1", client_order_id="one"))[0] == 409


async def test_a_reset_arrives_as_a_reset_and_not_as_an_end(start_exchange) -> None:
    client = await start_exchange(quiet_traders=True)
    await client.open_ticker()
    await arm(client, "reset", on="reads")
    host = urlsplit(client.root)
    reader, writer = await asyncio.open_connection(host.hostname, host.port)
    writer.write(b"GET /trade-api/v2/exchange/status HTTP/1.1\r\nHost: here\r\n\r\n")
    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.transport.abort()


async def test_a_truncated_answer_is_whole_by_its_length_and_no_json(start_exchange) -> None:
    client = await start_exchange(quiet_traders=True)
    ticker = await client.open_ticker()
    await arm(client, "truncated_json", on="reads")
    status, content_type, body = await raw(client, "GET", f"/markets/{ticker}")
    assert (status, content_type) == (200, "application/json")
    with pytest.raises(json.JSONDecodeError):
        json.loads(body)


async def test_an_unknown_field_and_an_unknown_word_come_in_an_otherwise_good_answer(start_exchange) -> None:
    client = await start_exchange(quiet_traders=True)
    ticker = await client.open_ticker()
    await arm(client, "unknown_field", on="reads")
    body = json.loads((await raw(client, "GET", f"/markets/{ticker}"))[2])
    assert NEW_FIELD in body
    assert NEW_WORD in body["market"].values()
    assert body["market"]["ticker"] == ticker


async def test_a_duplicated_answer_is_the_same_bytes_twice_on_one_connection(start_exchange) -> None:
    client = await start_exchange(quiet_traders=True)
    await arm(client, "duplicate_reply", on="reads")
    host = urlsplit(client.root)
    reader, writer = await asyncio.open_connection(host.hostname, host.port)
    ask = b"GET /trade-api/v2/exchange/status HTTP/1.1\r\nHost: here\r\n"
    writer.write(ask + b"Connection: close\r\n\r\n")
    # The second copy alone says that the connection closes, which is what the client asked for.
    both = (await reader.read()).replace(b"Connection: close\r\n", b"")
    writer.close()
    half = len(both) // 2
    assert both[:half] == both[half:]
    assert both.startswith(b"HTTP/1.1 200 OK\r\n")


async def test_a_fill_can_reach_the_socket_before_its_order_is_answered(start_exchange) -> None:
    client = await start_exchange()
    ticker = await client.open_ticker()
    socket = await client.socket()
    await socket.send_json({"id": 1, "cmd": "subscribe", "params": {"channels": ["fill"]}})
    await socket.receive_json()
    for number in range(100):
        await arm(client, "fill_first", seconds=0.3)
        mine = {"client_order_id": f"first-{number}", "time_in_force": "immediate_or_cancel"}
        waiting = asyncio.create_task(client.order(ticker, "bid", "0.9900", "1", **mine))
        told = asyncio.create_task(socket.receive_json())
        done, _ = await asyncio.wait((waiting, told), return_when=asyncio.FIRST_COMPLETED)
        if told in done:
            assert not waiting.done()
            assert told.result()["msg"]["client_order_id"] == f"first-{number}"
            assert (await waiting)[1]["order_id"] == told.result()["msg"]["order_id"]
            return
        told.cancel()
    raise AssertionError("nobody sold")


async def test_faults_wait_for_the_kind_of_request_they_are_armed_on(start_exchange) -> None:
    client = await start_exchange(quiet_traders=True)
    ticker = await client.open_ticker()
    await arm(client, "error_500", on="orders")
    assert (await client.request("GET", "/portfolio/balance"))[0] == 200
    assert (await raw(client, "POST", "/portfolio/events/orders", bid(ticker)))[0] == 500
    await arm(client, "error_503", on="reads")
    assert (await raw(client, "POST", "/portfolio/events/orders", bid(ticker)))[0] == 201
    assert (await client.request("GET", "/portfolio/balance"))[0] == 503
    await arm(client, "too_many_requests", on="all", count=2)
    assert (await client.request("GET", "/portfolio/balance"))[0] == 429
    assert (await client.request("DELETE", "/portfolio/events/orders"))[0] == 429
    assert (await client.request("GET", "/portfolio/balance"))[0] == 200


async def test_an_unsigned_request_uses_up_no_fault(start_exchange) -> None:
    client = await start_exchange(quiet_traders=True)
    await arm(client, "error_500", on="reads")
    assert (await client.plain("GET", "/trade-api/v2/portfolio/balance"))[0] == 401
    assert (await client.request("GET", "/portfolio/balance"))[0] == 500


async def test_the_crypto_shard_can_be_out_while_reads_go_on(start_exchange) -> None:
    client = await start_exchange(quiet_traders=True)
    ticker = await client.open_ticker()
    _, order = await client.order(ticker, "bid", "0.1000", "1")
    path = f"/portfolio/events/orders/{order['order_id']}"
    await arm(client, "shard_outage", seconds=60)
    assert (await client.order(ticker, "bid", "0.1000", "1"))[0] == 503
    assert (await client.order(ticker, "bid", "0.1000", "1", exchange_index=2))[0] == 503
    assert (await client.order(ticker, "bid", "0.1000", "1", exchange_index=0))[0] == 404
    assert (await client.request("DELETE", path, market_ticker=ticker))[0] == 503
    assert (await client.request("DELETE", path))[0] == 404
    assert (await client.request("DELETE", "/portfolio/events/orders"))[0] == 503
    listed = (await client.get("/portfolio/orders", status="resting"))["orders"]
    assert [row["order_id"] for row in listed] == [order["order_id"]]
    await client.plain("DELETE", "/admin/faults")
    assert (await client.request("DELETE", path, market_ticker=ticker))[0] == 200


async def test_what_is_armed_and_what_was_met_can_be_seen_and_ended(start_exchange) -> None:
    client = await start_exchange(quiet_traders=True)
    await arm(client, "error_500", on="reads", count=3)
    await arm(client, "skip_seq", count=2)
    await arm(client, "silence", seconds=60)
    assert (await client.request("GET", "/portfolio/balance"))[0] == 500
    status, text = await client.plain("GET", "/admin/faults")
    seen = json.loads(text)
    assert (status, len(seen["requests"]), seen["counts"]["skip_seq"]) == (200, 2, 2)
    assert 0 < seen["lasting"]["silence"] <= 60
    assert seen["met"] == {"error_500": 1}
    ended = json.loads((await client.plain("DELETE", "/admin/faults"))[1])
    assert ended == {
        "requests": [],
        "counts": {},
        "lasting": {},
        "failing": {},
        "silent_channels": {},
        "feeds": [],
        "paused": {"trading": False, "exchange": False},
        "random": None,
        "met": {"error_500": 1},
    }
    assert (await client.request("GET", "/portfolio/balance"))[0] == 200


async def met_by(client: Any, seed: int) -> list[int]:
    await arm(client, "random", seed=seed, rate=0.4, kinds=["error_500", "error_503", "too_many_requests"])
    statuses = [(await client.request("GET", "/portfolio/balance"))[0] for _ in range(40)]
    await client.plain("DELETE", "/admin/faults")
    return statuses


async def test_one_seed_gives_the_same_requests_the_same_faults(start_exchange) -> None:
    client = await start_exchange(quiet_traders=True)
    first = await met_by(client, 7)
    assert await met_by(client, 7) == first
    assert await met_by(client, 8) != first
    assert {200, 500, 503, 429} == set(first)


def test_a_stream_counts_only_the_requests_it_is_for_and_ends_in_time() -> None:
    faults = Faults()
    faults.stream = FaultStream(RandomFaults(seed=1, rate=1.0, on=RequestKind.ORDERS, seconds=5.0), 100.0)
    assert faults.next_for_request((RequestKind.READS, RequestKind.ALL), 101.0) is None
    assert faults.next_for_request((RequestKind.ORDERS, RequestKind.ALL), 101.0) is not None
    assert faults.stream.drawn == 1
    assert faults.next_for_request((RequestKind.ORDERS, RequestKind.ALL), 105.0) is None
    assert faults.stream is None


def test_a_stream_without_kinds_draws_every_request_kind() -> None:
    stream = FaultStream(RandomFaults(seed=1, rate=1.0), 0.0)
    drawn = {fault.kind for fault in (stream.draw() for _ in range(400)) if fault is not None}
    assert drawn == REQUEST_KINDS - ONLY_IF_ASKED_FOR


async def test_a_stream_can_cut_the_sockets_and_lets_the_request_be(start_exchange) -> None:
    client = await start_exchange(quiet_traders=True)
    socket = await client.socket()
    await arm(client, "random", seed=1, rate=1.0, kinds=["drop_sockets"])
    assert (await client.request("GET", "/portfolio/balance"))[0] == 200
    message = await asyncio.wait_for(socket.receive(), 5)
    assert message.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.ERROR)


@pytest.mark.parametrize(
    "asked",
    [
        {"kind": "random", "seed": 1, "rate": 1.5},
        {"kind": "random", "seed": 1, "rate": 0.1, "kinds": ["trading_pause"]},
        {"kind": "random", "rate": 0.1},
        {"kind": "nothing"},
        {"kind": "early_close", "ticker": "NONE"},
    ],
)
async def test_what_cannot_be_armed_is_refused(start_exchange, asked: dict[str, Any]) -> None:
    client = await start_exchange(quiet_traders=True)
    assert (await client.plain("POST", "/admin/faults", asked))[0] == 400


def test_passing_kinds_are_no_request_kinds() -> None:
    assert not PASSING_KINDS & REQUEST_KINDS
    assert FaultKind.SILENCE not in PASSING_KINDS


async def test_a_trading_pause_stops_placing_and_lets_cancel_and_an_exchange_pause_stops_both(
    start_exchange,
) -> None:
    client = await start_exchange(quiet_traders=True)
    ticker = await client.open_ticker()
    _, order = await client.order(ticker, "bid", "0.1000", "1")
    _, other = await client.order(ticker, "bid", "0.1000", "1")
    path = "/portfolio/events/orders/"
    await arm(client, "trading_pause", seconds=60)
    status, body = await client.order(ticker, "bid", "0.1000", "1")
    assert (status, body["error"]["code"]) == (409, "trading_is_paused")
    assert (await client.request("DELETE", path + order["order_id"], market_ticker=ticker))[0] == 200
    await arm(client, "exchange_pause", seconds=60)
    for answer in (
        await client.request("DELETE", path + other["order_id"], market_ticker=ticker),
        await client.request("DELETE", "/portfolio/events/orders"),
        await client.order(ticker, "bid", "0.1000", "1"),
    ):
        assert (answer[0], answer[1]["error"]["code"]) == (409, "exchange_is_paused")
    seen = json.loads((await client.plain("GET", "/admin/faults"))[1])
    assert seen["paused"] == {"trading": True, "exchange": True}
    await client.plain("DELETE", "/admin/faults")
    assert (await client.order(ticker, "bid", "0.1000", "1"))[0] == 201


async def test_a_paused_exchange_takes_no_change_of_anything_and_an_outage_none_on_its_shard(
    start_exchange,
) -> None:
    client = await start_exchange(quiet_traders=True)
    _, made = await client.request("POST", GROUPS + "/create", {"contracts_limit": 5, "exchange_index": 2})
    group = f"{GROUPS}/{made['order_group_id']}"
    moved = {"source": "event_contract", "destination": "event_contract", "amount": 10_000}
    changes = (
        ("POST", GROUPS + "/create", {"contracts_limit": 5, "exchange_index": 2}),
        ("PUT", group + "/reset?exchange_index=2", {}),
        ("PUT", group + "/limit?exchange_index=2", {"contracts_limit": 6}),
        ("PUT", group + "/trigger?exchange_index=2", {}),
        ("POST", "/portfolio/subaccounts", {"exchange_index": 2}),
        ("POST", TRANSFER, moved | {"source_exchange_shard": 2, "destination_exchange_shard": 0}),
    )
    for kind, expected, code in (
        ("exchange_pause", 409, "exchange_is_paused"),
        ("shard_outage", 503, "service_unavailable"),
    ):
        await arm(client, kind, seconds=60)
        for method, path, body in changes:
            named, _, query = path.partition("?")
            asked = dict(each.split("=") for each in query.split("&") if each)
            status, answer = await client.request(method, named, body, **asked)
            assert (status, answer["error"]["code"]) == (expected, code), path
        assert (await client.get("/portfolio/balance"))["balance_dollars"] == "1000.0000"
        assert len((await client.get(GROUPS))["order_groups"]) == 1
        await client.plain("DELETE", "/admin/faults")
    for method, path, body in changes:
        assert (await client.request(method, path.partition("?")[0], body))[0] < 300, path


async def test_a_late_answer_is_late_and_other_requests_are_not(start_exchange) -> None:
    client = await start_exchange(quiet_traders=True)
    await arm(client, "delay_reply", on="reads", seconds=0.3)
    begun = time.monotonic()
    late = asyncio.create_task(client.get("/portfolio/balance"))
    await asyncio.sleep(0)
    while (
        "requests" in (armed := json.loads((await client.plain("GET", "/admin/faults"))[1]))
        and armed["requests"]
    ):
        pass
    await client.get("/portfolio/balance")
    assert time.monotonic() - begun < 0.3
    await late
    assert time.monotonic() - begun >= 0.3


async def test_reads_of_a_path_fail_until_disarmed_and_nothing_else_does(start_exchange) -> None:
    client = await start_exchange(quiet_traders=True)
    ticker = await client.open_ticker()
    await arm(client, "fail_reads", path="/markets", status=404)
    await arm(client, "fail_reads", path="/portfolio", status=200)
    for _ in range(3):
        assert (await raw(client, "GET", f"/markets/{ticker}"))[0] == 404
    with pytest.raises(json.JSONDecodeError):
        json.loads((await raw(client, "GET", "/portfolio/balance"))[2])
    assert (await raw(client, "GET", "/exchange/status"))[0] == 200
    assert (await raw(client, "POST", "/portfolio/events/orders", bid(ticker)))[0] == 201
    await arm(client, "fail_reads", path="", status=0)
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(raw(client, "GET", "/exchange/status"), 0.5)
    async with client.session.delete(client.root + "/admin/faults") as answer:
        assert (await answer.json())["failing"] == {}
    assert (await raw(client, "GET", f"/markets/{ticker}"))[0] == 200


async def test_a_close_that_is_moved_is_told_and_the_market_stays_open_until_then(start_exchange) -> None:
    client = await start_exchange(quiet_traders=True)
    ticker = await client.open_ticker()
    before = json.loads((await raw(client, "GET", f"/markets/{ticker}"))[2])["market"]["close_time"]
    await arm(client, "move_close", ticker=ticker, seconds=60)
    after = json.loads((await raw(client, "GET", f"/markets/{ticker}"))[2])["market"]["close_time"]
    assert after > before
