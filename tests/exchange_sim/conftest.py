"""A running exchange and a signing client for it, and quiet simulations for the tests that need no wire."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

from recio.exchange_sim.credentials import KEY_FILE, Credentials, load_or_make_key, write_private
from recio.exchange_sim.engine.execution import publish_book, rest
from recio.exchange_sim.engine.order_entry import NewOrder, SelfTradePrevention, TimeInForce
from recio.exchange_sim.engine.units import read_money
from recio.exchange_sim.market.markets import Market
from recio.exchange_sim.market.series import Timetable
from recio.exchange_sim.server import ExchangeSettings, serve
from recio.exchange_sim.simulation import Simulation
from recio.exchange_sim.wire.ws.rules import SocketRules

WINDOW_START_MS = 1_779_000_300_000 // 900_000 * 900_000
OTHER = 7
PREFIX = "/trade-api/v2"


class TradingSession:
    """A quiet simulation three seconds into a window, with hands to trade on it."""

    def __init__(self, *, balance: str = "1000.00", window_seconds: int = 900) -> None:
        self._numbers = itertools.count(1)
        self.simulation = Simulation(
            seed=1,
            instance="test",
            now_ms=WINDOW_START_MS + 3_000,
            series=("KXBTC15M",),
            timetable=Timetable(window_seconds=window_seconds),
            balance=read_money(balance),
            user_id="user",
            traders=False,
        )
        self.venue = self.simulation.venue
        market = self.simulation.calendar.open_market()
        assert market is not None
        self.market: Market = market

    def other(self, side: str, price: int, quantity: int) -> None:
        """Somebody else's resting order."""
        rest(self.venue, self.market, owner=OTHER, bid=side == "bid", price=price, quantity=quantity)
        publish_book(self.venue, self.market)

    def order(self, side: str, price: int, quantity: int, **rest_of: Any) -> NewOrder:
        asked: dict[str, Any] = {
            "ticker": self.market.ticker,
            "bid": side == "bid",
            "price": price,
            "quantity": quantity,
            "time_in_force": TimeInForce.GOOD_TILL_CANCELED,
            "self_trade_prevention": SelfTradePrevention.TAKER_AT_CROSS,
            "client_order_id": f"id-{next(self._numbers)}",
        }
        return NewOrder(**(asked | rest_of))

    def run_to(self, moment_ms: int) -> None:
        assert self.simulation.advance(moment_ms, most_steps=1_000_000)


@pytest.fixture
def trading_session() -> Callable[..., TradingSession]:
    return TradingSession


class Client:
    """Signs and sends requests as any client of the venue would."""

    def __init__(self, credentials: Credentials, session: aiohttp.ClientSession) -> None:
        self.credentials = credentials
        self.session = session
        self.root = credentials.rest_url.removesuffix(PREFIX)
        key = serialization.load_pem_private_key(Path(credentials.key_path).read_bytes(), None)
        self._key: Any = key

    def venue_ms(self) -> int:
        clock = self.credentials.clock
        return int((clock.venue_origin + (time.time() - clock.host_origin) * clock.speed) * 1000)

    def headers(self, method: str, path: str, *, skew_ms: int = 0) -> dict[str, str]:
        stamp = str(self.venue_ms() + skew_ms)
        pss = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
        signature = self._key.sign(f"{stamp}{method}{path}".encode(), pss, hashes.SHA256())
        return {
            "KALSHI-ACCESS-KEY": self.credentials.key_id,
            "KALSHI-ACCESS-TIMESTAMP": stamp,
            "KALSHI-ACCESS-SIGNATURE": base64.b64encode(signature).decode(),
        }

    async def request(self, method: str, path: str, body: Any = None, **query: Any) -> tuple[int, Any]:
        full = PREFIX + path
        async with self.session.request(
            method, self.root + full, json=body, params=query, headers=self.headers(method, full)
        ) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if text else None

    async def get(self, path: str, **query: Any) -> Any:
        status, body = await self.request("GET", path, **query)
        assert status == 200, body
        return body

    async def plain(self, method: str, path: str, body: Any = None) -> tuple[int, str]:
        """Unsigned, below the root."""
        async with self.session.request(method, self.root + path, json=body) as answer:
            return answer.status, await answer.text()

    async def open_ticker(self) -> str:
        """The market that trades, once its strike is known."""
        for _ in range(500):
            found = (await self.get("/markets", status="open"))["markets"]
            for market in found:
                if "floor_strike" in market:
                    return market["ticker"]
            await asyncio.sleep(0.01)
        raise AssertionError("no market opened")

    async def order(self, ticker: str, side: str, price: str, count: str, **rest_of: Any) -> tuple[int, Any]:
        body = {
            "ticker": ticker,
            "side": side,
            "price": price,
            "count": count,
            "time_in_force": "good_till_canceled",
            "self_trade_prevention_type": "taker_at_cross",
        }
        return await self.request("POST", "/portfolio/events/orders", body | rest_of)

    async def socket(self, **how: Any) -> aiohttp.ClientWebSocketResponse:
        headers = self.headers("GET", "/trade-api/ws/v2")
        return await self.session.ws_connect(self.credentials.ws_url, headers=headers, **how)

    async def ledger(self) -> Any:
        return json.loads((await self.plain("GET", "/admin/ledger"))[1])


StartExchange = Callable[..., Awaitable[Client]]


@pytest.fixture(scope="session")
def key_pem(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """One key for the whole run: making one takes longer than most tests."""
    directory = tmp_path_factory.mktemp("key")
    load_or_make_key(directory)
    return (directory / KEY_FILE).read_bytes()


@pytest.fixture
async def start_exchange(tmp_path: Path, key_pem: bytes) -> AsyncIterator[StartExchange]:
    """Starts an exchange of its own on a free port and hands back a client of it."""
    write_private(tmp_path / KEY_FILE, key_pem)
    running: list[asyncio.Task[None]] = []
    async with aiohttp.ClientSession() as session:

        async def start(**changes: Any) -> Client:
            loop = asyncio.get_running_loop()
            ready: asyncio.Future[Credentials] = loop.create_future()
            usual: dict[str, Any] = {"credentials_dir": tmp_path, "align": True, "rate_limits": None}
            # Replies are compared word for word.
            usual["sockets"] = SocketRules(sending_times=False)
            if changes.get("speed", 1.0) > 100:
                # Stamps are dated by the venue's clock: at this speed 25 s are an instant of a busy machine.
                usual["tolerance_seconds"] = 10.0 * changes["speed"]
            settings = ExchangeSettings(**(usual | changes))
            task = asyncio.create_task(serve(settings, started=ready.set_result))
            running.append(task)
            await asyncio.wait([ready, task], return_when=asyncio.FIRST_COMPLETED, timeout=10)
            return Client(ready.result(), session)

        yield start
    for task in running:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
