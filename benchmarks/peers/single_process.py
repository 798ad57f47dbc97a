"""The usual trading bot in one process: aiohttp, json, asyncio queues, a signature on demand, and nothing kept anywhere.

An order leaves without having been written down, so a crash forgets it: it is what the daemon's durability is weighed against.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import time
import uuid
from pathlib import Path
from typing import Any

import aiohttp
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from benchmarks.peers.decision import Seen, wanted

ORDERS = "/trade-api/v2/portfolio/events/orders"


async def main() -> None:
    where = json.loads(os.environ["PEER"])
    seen = Seen(where["ticker"], where["strike"], where["seconds_left"])
    key = serialization.load_pem_private_key(Path(where["key"]).read_bytes(), password=None)
    assert isinstance(key, rsa.RSAPrivateKey)
    changes: asyncio.Queue[None] = asyncio.Queue()
    orders: asyncio.Queue[str] = asyncio.Queue()
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
        group.create_task(_books(session, where, seen, changes))
        group.create_task(_prices(session, where, seen, changes))
        group.create_task(_decide(seen, changes, orders))
        group.create_task(_send(session, where, seen, key, orders))


async def _books(
    session: aiohttp.ClientSession, where: dict[str, Any], seen: Seen, changes: asyncio.Queue[None]
) -> None:
    async with session.ws_connect(where["ws_url"]) as socket:
        params = {"channels": ["orderbook_delta"], "market_tickers": [seen.ticker]}
        await socket.send_str(json.dumps({"id": 1, "cmd": "subscribe", "params": params}))
        async for message in socket:
            frame = json.loads(message.data)
            if frame["type"] == "orderbook_snapshot":
                seen.snapshot(frame["msg"])
            elif frame["type"] == "orderbook_delta":
                seen.delta(frame["msg"])
            changes.put_nowait(None)


async def _prices(
    session: aiohttp.ClientSession, where: dict[str, Any], seen: Seen, changes: asyncio.Queue[None]
) -> None:
    async with session.ws_connect(where["price_url"]) as socket:
        async for message in socket:
            frame = json.loads(message.data)
            if frame["type"] == "match":
                seen.price = float(frame["price"])
                changes.put_nowait(None)


async def _decide(seen: Seen, changes: asyncio.Queue[None], orders: asyncio.Queue[str]) -> None:
    while True:
        await changes.get()
        side = wanted(seen.price, seen.strike, seen.seconds_left, *seen.asks())
        if side and orders.empty():
            orders.put_nowait(side)


async def _send(
    session: aiohttp.ClientSession,
    where: dict[str, Any],
    seen: Seen,
    key: rsa.RSAPrivateKey,
    orders: asyncio.Queue[str],
) -> None:
    while True:
        side = await orders.get()
        body = order_body(seen.ticker, side)
        async with session.post(where["orders_url"], data=body, headers=signed(key)) as answer:
            await answer.read()
        # What the market was told of meanwhile comes first, so that one move is not answered twice.
        await asyncio.sleep(0.02)
        while not orders.empty():
            orders.get_nowait()


def order_body(ticker: str, side: str) -> bytes:
    order = {
        "ticker": ticker,
        "client_order_id": str(uuid.uuid4()),
        "side": "bid" if side == "yes" else "ask",
        "count": "10.00",
        "price": "0.7000",
        "time_in_force": "immediate_or_cancel",
        "self_trade_prevention_type": "taker_at_cross",
    }
    return json.dumps(order).encode()


def signed(key: rsa.RSAPrivateKey) -> dict[str, str]:
    now = str(int(time.time() * 1000))
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
    signature = base64.b64encode(key.sign(f"{now}POST{ORDERS}".encode(), pss, hashes.SHA256())).decode()
    return {
        "KALSHI-ACCESS-KEY": "bench",
        "KALSHI-ACCESS-TIMESTAMP": now,
        "KALSHI-ACCESS-SIGNATURE": signature,
        "Content-Type": "application/json",
    }


if __name__ == "__main__":
    asyncio.run(main())
