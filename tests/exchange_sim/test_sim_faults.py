"""Armed faults: what is lost on the way in, on the way out and on the socket."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import aiohttp
import pytest

from recio.exchange_sim.engine.order_entry import create
from recio.exchange_sim.faults import market_faults
from recio.exchange_sim.faults.faults import Fault
from recio.exchange_sim.faults.kinds import FaultKind


async def arm(client: Any, kind: str, **how: Any) -> None:
    status, _ = await client.plain("POST", "/admin/faults", {"kind": kind, **how})
    assert status == 200


async def test_a_lost_request_leaves_no_order_and_a_lost_reply_leaves_one(start_exchange) -> None:
    client = await start_exchange(quiet_traders=True)
    ticker = await client.open_ticker()
    for kind, orders in (("lose_request", 0), ("lose_reply", 1)):
        await arm(client, kind)
        with pytest.raises(aiohttp.ClientError):
            await client.order(ticker, "bid", "0.1000", "1", client_order_id=kind)
        assert len((await client.get("/portfolio/orders"))["orders"]) == orders
    assert (await client.order(ticker, "bid", "0.1000", "1", client_order_id="lose_reply"))[0] == 409


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"kind": "lose_reply", "count": 0}, "count"),
        ({"kind": "lose_reply", "second": 3}, "second"),
        ({"kind": "silence", "seconds": -1}, "seconds"),
        ({"kind": "move_close", "seconds": 1e300}, "seconds"),
        ({"kind": "late_books", "seconds": 1, "lag_seconds": 1e18}, "lag_seconds"),
        ({"kind": "fail_reads", "status": 999}, "status"),
        ({"kind": "feed_silent", "ticker": "krakn", "seconds": 1}, "ticker"),
    ],
)
async def test_a_fault_that_makes_no_sense_is_refused_with_its_field(
    start_exchange, asked: dict[str, Any], field: str
) -> None:
    client = await start_exchange(quiet_traders=True)
    if asked["kind"] == "move_close":
        asked = asked | {"ticker": await client.open_ticker()}
    status, text = await client.plain("POST", "/admin/faults", asked)
    assert (status, field in text) == (400, True), text
    assert (await client.get("/markets"))["markets"]
    armed = json.loads((await client.plain("GET", "/admin/faults"))[1])
    assert not any(armed[name] for name in ("requests", "counts", "lasting", "failing", "feeds"))


@pytest.mark.parametrize(("percent", "paid"), [(None, 5_000), (0.0, 0), (100.0, 10_000)])
def test_a_scalar_settlement_pays_the_share_that_was_asked_for(
    trading_session: Any, percent: float | None, paid: int
) -> None:
    session = trading_session()
    session.other("ask", 4_000, 1_000)
    create(session.venue, session.order("bid", 4_000, 1_000))
    fault = Fault(kind=FaultKind.SCALAR_SETTLEMENT, percent=percent)
    assert market_faults.apply(fault, session.venue, session.simulation.interventions, speed=1.0)
    session.run_to(session.market.close_ms + 20_000)
    assert [row.payout for row in session.venue.account.settlements] == [paid]


async def test_a_server_error_says_nothing_about_the_order(start_exchange) -> None:
    client = await start_exchange(quiet_traders=True)
    ticker = await client.open_ticker()
    await arm(client, "error_500", count=2)
    for _ in range(2):
        assert (await client.order(ticker, "bid", "0.1000", "1"))[0] == 500
    assert (await client.order(ticker, "bid", "0.1000", "1"))[0] == 201


async def test_a_delayed_reply_arrives_after_the_order_took_effect(start_exchange) -> None:
    client = await start_exchange(quiet_traders=True)
    ticker = await client.open_ticker()
    await arm(client, "delay_reply", seconds=0.2)
    begun = time.monotonic()
    waiting = asyncio.create_task(client.order(ticker, "bid", "0.1000", "1"))
    while not (await client.get("/portfolio/orders"))["orders"]:
        assert not waiting.done()
    assert (await waiting)[0] == 201
    assert time.monotonic() - begun >= 0.2


async def test_a_skipped_number_shows_as_a_gap(start_exchange) -> None:
    client = await start_exchange(quiet_traders=True)
    ticker = await client.open_ticker()
    socket = await client.socket()
    params = {"channels": ["orderbook_delta"], "market_ticker": ticker}
    await socket.send_json({"id": 1, "cmd": "subscribe", "params": params})
    for _ in range(2):
        await socket.receive_json()
    await arm(client, "skip_seq")
    for price in ("0.1000", "0.2000"):
        await client.order(ticker, "bid", price, "1")
    delta = await asyncio.wait_for(socket.receive_json(), 5)
    assert (delta["seq"], delta["msg"]["price_dollars"]) == (3, "0.2000")


async def test_dropped_sockets_end_without_a_farewell(start_exchange) -> None:
    client = await start_exchange(quiet_traders=True)
    socket = await client.socket()
    await arm(client, "drop_sockets")
    message = await asyncio.wait_for(socket.receive(), 5)
    assert message.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.ERROR)
    assert not socket.close_code or socket.close_code == aiohttp.WSCloseCode.ABNORMAL_CLOSURE


async def test_held_private_messages_come_later_and_complete(start_exchange) -> None:
    client = await start_exchange(quiet_traders=True)
    ticker = await client.open_ticker()
    socket = await client.socket()
    params = {"channels": ["user_orders", "trade"]}
    await socket.send_json({"id": 1, "cmd": "subscribe", "params": params})
    for _ in range(2):
        await socket.receive_json()
    await arm(client, "hold_fills", seconds=0.3)
    begun = time.monotonic()
    await client.order(ticker, "bid", "0.1000", "1", client_order_id="held")
    message = await asyncio.wait_for(socket.receive_json(), 5)
    assert message["msg"]["client_order_id"] == "held"
    assert time.monotonic() - begun > 0.15
