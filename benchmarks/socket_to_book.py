"""`python -m benchmarks.socket_to_book`: CPU of one message from the socket's bytes to a changed book, against its floors.

The server is a process of its own and sends messages that were made before, over a real loopback WebSocket; what is
counted is the CPU time of this process, the client's, in user and kernel mode.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import multiprocessing
import random
import statistics
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from multiprocessing.connection import Connection

import aiohttp
import picows
import uvloop

from recio.clock import Clock
from recio.kalshi.frames import parse_frame
from recio.kalshi.socket import BadFrame, open_socket
from recio.kalshi.subscriptions import BOOKS, Subscriptions
from recio.kalshi.venue_clock import VenueClock
from recio.units import Ticker
from tests.kalshi.local_venue import SIGNER

TICKER = Ticker("KXBTC15M-26MAY130900-00")
MESSAGES = 200_000
LONE_MESSAGES = 2_000
LONE_PAUSE = 0.0005
ROUNDS = 5
GREETING = 2
"""Messages before those that are counted: the answer to the subscription and a snapshot."""
ACCEPT = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
SENT_AT_ONCE = 64 * 1024


def messages(count: int) -> list[bytes]:
    """Subscribed, a snapshot, and a walk of changes, with every field that the venue's own have."""
    dice = random.Random(1)
    levels = [[f"{cent / 100:.4f}", "500000.00"] for cent in range(1, 50)]
    head = {"market_id": "b29", "market_ticker": TICKER, "yes_dollars_fp": levels, "no_dollars_fp": levels}
    said: list[dict[str, object]] = [
        {"type": "subscribed", "id": 1, "msg": {"channel": BOOKS, "sid": 2}},
        {"type": "orderbook_snapshot", "sid": 2, "seq": 1, "msg": head},
    ]
    for seq in range(2, count + 2):
        body = {
            "delta_fp": f"{dice.choice((50, 7.25, 1, -1, -7.25)):.2f}",
            "market_id": "b2912a32-ef47-4d03-938c-9c450fb9b196",
            "market_ticker": TICKER,
            "price_dollars": f"{dice.randint(1, 49) / 100:.4f}",
            "side": dice.choice(("yes", "no")),
            "ts": "2026-05-13T12:59:43.873364Z",
            "ts_ms": 1_778_677_183_873 + seq,
        }
        if seq % 9 == 0:
            # A level of its own that comes and, with the next such message, goes.
            price, change = 0.0025 + (seq - 1) // 18 % 40 / 100, "3.00" if seq % 18 else "-3.00"
            body |= {"delta_fp": change, "price_dollars": f"{price:.4f}", "side": "yes"}
        said.append({"type": "orderbook_delta", "sid": 2, "seq": seq, "msg": body})
    return [json.dumps(each, separators=(",", ":")).encode() for each in said]


def on_the_wire(payload: bytes) -> bytes:
    """One unmasked text frame of a server."""
    size = len(payload)
    if size < 126:
        return struct.pack("!BB", 0x81, size) + payload
    if size < 1 << 16:
        return struct.pack("!BBH", 0x81, 126, size) + payload
    return struct.pack("!BBQ", 0x81, 127, size) + payload


def serve(port_to: Connection) -> None:
    """Send everything to whoever connects: as fast as it is read, or one by one on the path /lone."""

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        key = next(
            line.split(b": ")[1]
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"sec-websocket-key")
        )
        accept = base64.b64encode(hashlib.sha1(key + ACCEPT).digest())
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n")
        writer.write(b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
        await (one_by_one(writer) if b" /lone " in head else all_at_once(writer))
        await reader.read()

    async def all_at_once(writer: asyncio.StreamWriter) -> None:
        for at in range(0, len(whole), SENT_AT_ONCE):
            writer.write(whole[at : at + SENT_AT_ONCE])
            await writer.drain()

    async def one_by_one(writer: asyncio.StreamWriter) -> None:
        for each in wire[: LONE_MESSAGES + GREETING]:
            writer.write(each)
            await asyncio.sleep(LONE_PAUSE)

    async def main() -> None:
        server = await asyncio.start_server(speak, "127.0.0.1", 0)
        port_to.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    wire = [on_the_wire(each) for each in messages(MESSAGES)]
    whole = b"".join(wire)
    uvloop.run(main())


async def to_books(url: str, count: int) -> float:
    """CPU seconds of `count` changes through our own socket into a book, looked at once for each batch."""
    known = Subscriptions(indexes=())
    (command,) = known.want_books([TICKER])
    known.sent(1, command)
    seen, began = 0, 0.0
    async with aiohttp.ClientSession() as session, _socket(session, url) as socket:
        while seen < count + GREETING:
            if seen < GREETING:
                began = time.process_time()
            batch = await socket.receive()
            for frame in batch:
                assert not isinstance(frame, BadFrame), frame
                known.feed(frame)
            seen += len(batch)
            known.books.view(TICKER)
        spent = time.process_time() - began
    assert known.books.usable == {TICKER}
    assert known.books.last_seq == {2: count + 1}
    return spent


def _socket(session: aiohttp.ClientSession, url: str):
    return open_socket(session, url, SIGNER, Clock(), venue_clock=VenueClock(), idle_timeout_seconds=10)


class Counting(picows.WSListener):
    """Nothing but counting frames: what the library itself costs."""

    def __init__(self, count: int) -> None:
        self.left = count
        self.began = 0.0
        self.done = asyncio.get_running_loop().create_future()

    def on_ws_connected(self, _transport: picows.WSTransport) -> None:
        self.began = time.process_time()

    def on_ws_frame(self, _transport: picows.WSTransport, _frame: picows.WSFrame) -> None:
        self.left -= 1
        if not self.left:
            self.done.set_result(time.process_time() - self.began)


async def received_only(url: str, count: int) -> float:
    transport, listener = await picows.ws_connect(lambda: Counting(count + GREETING), url)
    assert isinstance(listener, Counting)
    spent = await listener.done
    transport.disconnect()
    return spent


async def parsed_only(_url: str, count: int) -> float:
    """parse_frame and feed, without a socket."""
    known = Subscriptions(indexes=())
    (command,) = known.want_books([TICKER])
    known.sent(1, command)
    made = messages(count)
    began = time.process_time()
    for raw in made:
        known.feed(parse_frame(raw))
    return time.process_time() - began


async def json_only(_url: str, count: int) -> float:
    made = messages(count)
    began = time.process_time()
    for raw in made:
        json.loads(raw)
    return time.process_time() - began


@asynccontextmanager
async def a_server() -> AsyncIterator[str]:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    process.start()
    try:
        port = await asyncio.get_running_loop().run_in_executor(None, ours.recv)
        yield f"ws://127.0.0.1:{port}"
    finally:
        process.kill()
        process.join()


async def line(name: str, work: Callable[[str, int], Awaitable[float]], url: str, count: int) -> None:
    spent = [await work(url, count) / count * 1e6 for _ in range(ROUNDS)]
    best = min(spent)
    print(
        f"{name:44} {best:8.2f} µs a message   {1e6 / best:12,.0f} a second   (median {statistics.median(spent):.2f} µs)"
    )


async def main() -> None:
    async with a_server() as url:
        await line("socket to book, sent as fast as read", to_books, url + "/", MESSAGES)
        await line("  picows, receiving only", received_only, url + "/", MESSAGES)
        await line("  parse and book, without a socket", parsed_only, url, MESSAGES)
        await line("  json.loads alone", json_only, url, MESSAGES)
        await line("socket to book, lone messages", to_books, url + "/lone", LONE_MESSAGES)
        await line("  picows, receiving only", received_only, url + "/lone", LONE_MESSAGES)


if __name__ == "__main__":
    uvloop.run(main())
