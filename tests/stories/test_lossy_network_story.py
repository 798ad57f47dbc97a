"""The network loses an order's packets for longer than its proof of absence takes, and the order does not arrive afterwards."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from recio.db import requests
from recio.messages.orders import Guard
from recio.units import Quantity, Side, Ticker, price
from tests.kalshi.deaf_sockets import deafen, hear, unconfirmed
from tests.stories.world import World, a_world, books_come_to_agree, until

pytestmark = [
    pytest.mark.timeout(400),
    pytest.mark.long,
    pytest.mark.skipif(sys.platform != "linux", reason="sockets lose packets on Linux only"),
]
SOON_PROVEN = (
    ("request_timeout_seconds = 1.0", "request_timeout_seconds = 0.5"),
    ("delay_seconds = 60.0", "delay_seconds = 2.0"),
)
"""At the speed of life: so an order counts as absent before the system has tried for the last time."""
NO_STOP = Guard(stop_price=None, take_profit=None)


@dataclass(slots=True)
class Road:
    """The way to the exchange's REST interface; what comes on it may be lost before it is confirmed."""

    to: int
    open: dict[int, Any] = field(default_factory=dict[int, Any])
    """The socket of each connection by the port that the daemon has there."""
    lost: set[int] = field(default_factory=set[int])

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        port = writer.get_extra_info("peername")[1]
        self.open[port] = writer.get_extra_info("socket")
        with closing(writer), suppress(ConnectionError):
            answers, questions = await asyncio.open_connection("127.0.0.1", self.to)
            with closing(questions):
                await asyncio.gather(_carry(reader, questions), _carry(answers, writer))
        del self.open[port]

    def lose(self) -> None:
        """From now on, of each connection that there is."""
        for port, each in tuple(self.open.items()):
            if port not in self.lost:
                deafen(each)
                self.lost.add(port)

    def recover(self) -> None:
        for port, each in tuple(self.open.items()):
            if port in self.lost:
                hear(each)


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


@contextmanager
def a_road(world: World) -> Iterator[Road]:
    """The daemon takes it; whoever looks at the exchange for the test does not. It goes on while a test waits for an answer."""
    known = world.credentials
    rest = urlsplit(known["rest_url"])
    assert rest.port is not None
    road, ready = Road(to=rest.port), Future[tuple[int, Callable[[], object]]]()

    async def serve() -> None:
        server, end, loop = (
            await asyncio.start_server(road.carry, "127.0.0.1", 0),
            asyncio.Event(),
            asyncio.get_running_loop(),
        )
        ready.set_result((server.sockets[0].getsockname()[1], partial(loop.call_soon_threadsafe, end.set)))
        await end.wait()
        server.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    port, end = ready.result(timeout=20)
    try:
        here = rest._replace(netloc=f"127.0.0.1:{port}")
        folder = world.root / "road"
        folder.mkdir()
        told = json.dumps(known | {"rest_url": here.geturl()})
        (folder / "credentials.json").write_text(told, encoding="utf-8")
        yield road
    finally:
        end()
        thread.join()


def settings(world: World, text: str) -> str:
    for usual, ours in (*SOON_PROVEN, (str(world.root / "exchange"), str(world.root / "road"))):
        assert usual in text
        text = text.replace(usual, ours)
    return text.replace("[entry]\nenabled = true", "[entry]\nenabled = false")


def open_market(world: World) -> dict[str, Any]:
    url = f"{world.credentials['rest_url']}/markets?status=open&series_ticker=KXBTC15M"
    with urllib.request.urlopen(url, timeout=5) as answer:
        return json.load(answer)["markets"][0]


async def buy(world: World, connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """As a person does, so that the test knows when."""
    market = open_market(world)
    ask = price(market["yes_ask_dollars"])
    await requests.ask(
        connection, Ticker(market["ticker"]), Side.YES, Quantity(100), ask, "me", "", 60, NO_STOP
    )


async def test_an_order_whose_packets_are_lost_until_it_counts_as_absent_is_not_carried_out_later():
    with a_world() as world:
        world.speed = 1.0
        await world.start_exchange()
        with a_road(world) as road:
            world.start_daemon(settings=lambda text: settings(world, text))
            await until(lambda: world.shows(lambda seen: seen["pnl"]["balance"]))
            connection = await asyncpg.connect((await world.server()).dsn("recio"))
            await until(lambda: world.events("market"))
            await buy(world, connection)
            await until(lambda: road.lose() or world.events("order unknown"))
            await until(lambda: world.events("order ended"))
            road.recover()
            await until(lambda: not any(map(unconfirmed, road.lost)))
            await connection.close()
            await books_come_to_agree(world)
            assert (await world.rows("SELECT state FROM orders"))[0]["state"] == "not_found"
            assert world.ledger()["orders"] == []
            world.kill()
