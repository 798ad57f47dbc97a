"""The architecture that recio replaced, in a kind likeness: ten services on FastAPI and uvicorn that call each other over HTTP.

Market watchdog and price watchdog tell auto-entry, auto-entry asks trade manager, trade manager asks executor, executor
signs and posts. Kinder than the original in everything that cost it time: no second-long sleeps, no database, a key
and connections that are kept, and a chain without its front service. Each call waits for its answer, as it did there.
It runs in an environment of its own and imports nothing of recio.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
import time
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import requests
import uvicorn
import websockets
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from decision import Seen, wanted
from fastapi import FastAPI, Request

WHERE: dict[str, Any] = json.loads(os.environ["PEER"])
ROLE = sys.argv[1]
ORDERS = "/trade-api/v2/portfolio/events/orders"
calls = requests.Session()
seen = Seen(WHERE["ticker"], WHERE["strike"], WHERE["seconds_left"])
asks: dict[str, float] = {"yes": 1.0, "no": 1.0}
price = 0.0
key: Any = None
if ROLE == "trade_executor":
    key = serialization.load_pem_private_key(Path(WHERE["key"]).read_bytes(), password=None)


def call(service: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    url = f"http://127.0.0.1:{WHERE['ports'][service]}{path}"
    return calls.post(url, json=body, timeout=5).json()


async def watch_market() -> None:
    """Auto-entry is told when the best quotes change, and only then."""
    told = (0.0, 0.0)
    async with websockets.connect(WHERE["ws_url"]) as socket:
        params = {"channels": ["orderbook_delta"], "market_tickers": [seen.ticker]}
        await socket.send(json.dumps({"id": 1, "cmd": "subscribe", "params": params}))
        async for message in socket:
            frame = json.loads(message)
            if frame["type"] == "orderbook_snapshot":
                seen.snapshot(frame["msg"])
            elif frame["type"] == "orderbook_delta":
                seen.delta(frame["msg"])
            if told != seen.asks():
                told = seen.asks()
                call("auto_entry_supervisor", "/quotes", {"yes": told[0], "no": told[1]})


async def watch_price() -> None:
    told = 0.0
    async with websockets.connect(WHERE["price_url"]) as socket:
        async for message in socket:
            frame = json.loads(message)
            if frame["type"] == "match" and (now := float(frame["price"])) != told:
                told = now
                call("auto_entry_supervisor", "/price", {"price": now})


WATCHES: dict[str, Callable[[], Awaitable[None]]] = {
    "kalshi_market_watchdog": watch_market,
    "symbol_price_watchdog": watch_price,
}


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncGenerator[None]:
    watch = WATCHES.get(ROLE)
    going = asyncio.ensure_future(watch()) if watch else None
    yield
    if going is not None:
        going.cancel()


app = FastAPI(lifespan=lifespan)


@app.get("/health")
async def health() -> dict[str, str]:
    return {"service": ROLE}


@app.post("/quotes")
async def quotes(request: Request) -> dict[str, Any]:
    asks.update(await request.json())
    return consider()


@app.post("/price")
async def price_changed(request: Request) -> dict[str, Any]:
    global price
    price = (await request.json())["price"]
    return consider()


def consider() -> dict[str, Any]:
    side = wanted(price, seen.strike, seen.seconds_left, asks["yes"], asks["no"])
    if not side:
        return {"wanted": ""}
    return call("trade_manager", "/trades", {"ticker": seen.ticker, "side": side, "count": 10})


@app.post("/trades")
async def trades(request: Request) -> dict[str, Any]:
    intent = await request.json()
    return call("trade_executor", "/trigger_trade", intent | {"ticket_id": str(uuid.uuid4())})


@app.post("/trigger_trade")
async def trigger_trade(request: Request) -> dict[str, Any]:
    intent = await request.json()
    now = str(int(time.time() * 1000))
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
    signature = base64.b64encode(key.sign(f"{now}POST{ORDERS}".encode(), pss, hashes.SHA256())).decode()
    headers = {
        "KALSHI-ACCESS-KEY": "bench",
        "KALSHI-ACCESS-TIMESTAMP": now,
        "KALSHI-ACCESS-SIGNATURE": signature,
    }
    order = {
        "ticker": intent["ticker"],
        "client_order_id": intent["ticket_id"],
        "side": "bid" if intent["side"] == "yes" else "ask",
        "count": f"{intent['count']:.2f}",
        "price": "0.7000",
        "time_in_force": "immediate_or_cancel",
    }
    return calls.post(WHERE["orders_url"], json=order, headers=headers, timeout=10).json()


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=WHERE["ports"][ROLE], log_level="warning", access_log=False)
