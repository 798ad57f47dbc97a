"""`python -m benchmarks.order_to_wire`: from an order on its wire to the first byte of its request at a server, against its floors.

The server is a process of its own; it notes on the machine's one monotonic clock when the first byte of a request came.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from typing import Any

import aiohttp
import anyio
import msgspec
import structlog
import uvloop

from recio.clock import Clock
from recio.kalshi.orders import NewOrder, order_body, prepare
from recio.kalshi.rest import ORDERS_PATH, KalshiRest
from recio.messages.controls import TradingControls
from recio.messages.orders import OrderAccepted, PlaceOrder
from recio.tasks.executor import Executor
from recio.units import BookSide, ClientOrderId, Price, Quantity, Ticker
from recio.wires import Wires
from tests.kalshi.local_venue import SIGNER, plenty

ORDERS = 300
PAUSE = 0.01
"""Seconds between two orders: long enough to make the next signature, as between two decisions."""
CREATED = b'{"order_id":"v-1","fill_count":"10.00","remaining_count":"0.00","ts_ms":1}'
ANSWER = (
    b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(CREATED)
) + CREATED


class Noting(asyncio.Protocol):
    """Answers each request once it is whole; its first byte's time goes to `noted`."""

    def __init__(self, noted: list[int]) -> None:
        self.noted = noted
        self.begun = bytearray()
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        now = time.monotonic_ns()
        if not self.begun:
            self.noted.append(now)
        self.begun += data
        head, blank, body = bytes(self.begun).partition(b"\r\n\r\n")
        if blank and len(body) >= _length(head):
            self.begun.clear()
            self.transport.write(ANSWER)


def _length(head: bytes) -> int:
    for each in head.split(b"\r\n"):
        if each.lower().startswith(b"content-length:"):
            return int(each.split(b":")[1])
    return 0


def serve(ours: Connection) -> None:
    """Tell the port; then, whenever asked, what was noted since the last time."""
    noted: list[int] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Noting(noted), "127.0.0.1", 0)
        ours.send(server.sockets[0].getsockname()[1])
        loop.add_reader(ours.fileno(), tell)
        await server.serve_forever()

    def tell() -> None:
        ours.recv()
        ours.send(noted)
        noted.clear()

    uvloop.run(main())


def an_order(number: int) -> PlaceOrder:
    return PlaceOrder(
        client_order_id=ClientOrderId(f"recio-0123abcd-{number}-entry-1"),
        ticker=Ticker("KXBTC15M-26MAY130900-00"),
        exchange_index=2,
        book_side=BookSide.BID,
        quantity=Quantity(1000),
        price=Price(5200),
        reduce_only=False,
        send_before=datetime.now(UTC) + timedelta(seconds=30),
    )


def a_rest(session: aiohttp.ClientSession, port: int) -> KalshiRest:
    return KalshiRest(
        session=session,
        base_url=f"http://127.0.0.1:{port}/trade-api/v2",
        signer=SIGNER,
        clock=Clock(),
        timeout_seconds=5,
        limits=plenty(),
    )


async def through_the_executor(port: int, pause: float) -> list[int]:
    wires, sent = Wires(), list[int]()
    wires.controls.set(TradingControls())
    async with aiohttp.ClientSession() as session, anyio.create_task_group() as group:
        executor = Executor(
            rest=a_rest(session, port),
            clock=Clock(),
            may_send=lambda: True,
            controls=wires.controls,
            order_group=wires.order_group,
            orders=wires.orders,
            outcomes=wires.outcomes,
        )
        group.start_soon(executor.run, lambda _sentence: None)
        for number in range(ORDERS):
            await asyncio.sleep(pause)
            order = an_order(number)
            sent.append(time.monotonic_ns())
            await wires.orders.send(order)
            assert isinstance(await wires.outcomes.receive(), OrderAccepted)
        group.cancel_scope.cancel()
    wires.close()
    return sent


def the_request(port: int) -> tuple[str, dict[str, str], bytes]:
    """What the executor sends, ready made."""
    order = an_order(1)
    body = order_body(
        NewOrder(
            client_order_id=order.client_order_id,
            ticker=order.ticker,
            exchange_index=order.exchange_index,
            book_side=order.book_side,
            quantity=order.quantity,
            price=order.price,
        )
    )
    signed = SIGNER.headers("POST", "/trade-api/v2" + ORDERS_PATH, 1)
    headers = {"Accept": "application/json", "Content-Type": "application/json", **signed}
    return f"http://127.0.0.1:{port}/trade-api/v2{ORDERS_PATH}", headers, msgspec.json.encode(body)


async def through_aiohttp(port: int) -> list[int]:
    url, headers, body = the_request(port)
    sent: list[int] = []
    async with aiohttp.ClientSession() as session:
        for _ in range(ORDERS):
            await asyncio.sleep(PAUSE)
            sent.append(time.monotonic_ns())
            async with session.post(url, data=body, headers=headers) as response:
                await response.read()
    return sent


async def through_a_socket(port: int) -> list[int]:
    url, headers, body = the_request(port)
    head = f"POST {url.split(str(port))[1]} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: {len(body)}\r\n"
    whole = (
        head + "".join(f"{name}: {value}\r\n" for name, value in headers.items()) + "\r\n"
    ).encode() + body
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    sent: list[int] = []
    for _ in range(ORDERS):
        await asyncio.sleep(PAUSE)
        sent.append(time.monotonic_ns())
        writer.write(whole)
        await reader.readexactly(len(ANSWER))
    writer.close()
    return sent


async def signed_alone(_port: int) -> list[int]:
    """No request: a signature each; the times are differences already."""
    spent: list[int] = []
    async with aiohttp.ClientSession() as session:
        rest = a_rest(session, 1)
        for _ in range(ORDERS):
            began = time.monotonic_ns()
            prepare(rest)
            spent.append(time.monotonic_ns() - began)
    return spent


@asynccontextmanager
async def a_server() -> AsyncIterator[tuple[int, Connection]]:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    process.start()
    try:
        yield await asyncio.get_running_loop().run_in_executor(None, ours.recv), ours
    finally:
        process.kill()
        process.join()


def line(name: str, nanoseconds: list[int]) -> None:
    micros = sorted(each / 1000 for each in nanoseconds)
    print(
        f"{name:52} median {statistics.median(micros):8.0f} µs   best tenth {micros[len(micros) // 10]:8.0f} µs"
    )


async def measure(
    name: str, work: Callable[[int], Awaitable[list[int]]], port: int, server: Connection
) -> None:
    server.send("noted?")
    server.recv()
    sent = await work(port)
    server.send("noted?")
    arrived = server.recv()
    assert len(arrived) == len(sent), (len(arrived), len(sent))
    line(name, [there - here for here, there in zip(sent, arrived, strict=True)])


async def main() -> None:
    async with a_server() as (port, server):
        await measure(
            "order to first byte, an order each 10 ms",
            lambda to: through_the_executor(to, PAUSE),
            port,
            server,
        )
        await measure(
            "order to first byte, one right after another",
            lambda to: through_the_executor(to, 0),
            port,
            server,
        )
        await measure("  aiohttp POST of the same bytes", through_aiohttp, port, server)
        await measure("  the same bytes into an open socket", through_a_socket, port, server)
        line("  a signature alone", await signed_alone(port))


if __name__ == "__main__":
    # What is logged of an order comes after its answer, and would be all that is seen here.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    uvloop.run(main())
