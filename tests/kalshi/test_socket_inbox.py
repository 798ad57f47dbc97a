"""The socket's receiving end against a peer that writes each byte itself: nothing lost, nothing without bound."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import struct
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
import anyio
import pytest
from aiohttp import web

from recio.clock import Clock
from recio.errors import Transient
from recio.kalshi import inbox
from recio.kalshi.commands import list_subscriptions
from recio.kalshi.frame_kinds import BadFrame, Frame
from recio.kalshi.socket import KalshiSocket, open_socket
from recio.kalshi.venue_clock import VenueClock
from recio.rules.market.order_book import BookDeltaSeen, BookSnapshotSeen
from tests.kalshi.local_venue import SIGNER, answers, local_venue

TEXT, CONTINUATION, BINARY, CLOSE, PING, PONG = 0x1, 0x0, 0x2, 0x8, 0x9, 0xA
Speak = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def delta(seq: int, **more: object) -> bytes:
    body = {"market_ticker": "K", "price_dollars": "0.2600", "delta_fp": "1.00", "side": "no", "ts_ms": 5}
    return json.dumps({"type": "orderbook_delta", "sid": 2, "seq": seq, "msg": body | more}).encode()


def wire(payload: bytes, opcode: int = TEXT, *, last: bool = True) -> bytes:
    """One frame of a server."""
    head, size = opcode | (0x80 if last else 0), len(payload)
    if size < 126:
        return struct.pack("!BB", head, size) + payload
    if size < 1 << 16:
        return struct.pack("!BBH", head, 126, size) + payload
    return struct.pack("!BBQ", head, 127, size) + payload


async def upgraded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, also: bytes = b"") -> None:
    """Answer the upgrade, with `also` in the same packet."""
    head = await reader.readuntil(b"\r\n\r\n")
    lines = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:] if line)
    key = lines[b"Sec-WebSocket-Key"] + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    accept = base64.b64encode(hashlib.sha1(key).digest())
    writer.write(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n" + also
    )


@asynccontextmanager
async def peer(speak: Speak) -> AsyncGenerator[str]:
    """A server of bytes; its URL."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await speak(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/trade-api/ws/v2"


@asynccontextmanager
async def connected(url: str, limit: float = 5.0) -> AsyncGenerator[KalshiSocket]:
    async with (
        aiohttp.ClientSession() as session,
        open_socket(
            session, url, SIGNER, Clock(), venue_clock=VenueClock(), idle_timeout_seconds=limit
        ) as socket,
    ):
        yield socket


def says(*frames: bytes) -> Speak:
    """The upgrade and these frames in one packet; then it waits for the client to leave."""

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await upgraded(reader, writer, b"".join(frames))
        await reader.read()

    return speak


async def all_of(socket: KalshiSocket, count: int) -> list[Frame]:
    frames: list[Frame] = []
    with anyio.fail_after(20):
        while len(frames) < count:
            frames += await socket.receive()
    return frames


def numbers(frames: list[Frame]) -> list[int]:
    return [frame.seq for frame in frames if isinstance(frame, BookDeltaSeen)]


async def test_what_came_together_is_handed_over_together_and_in_order():
    frames = [wire(delta(seq)) for seq in range(1, 6)]
    async with peer(says(*frames)) as url, connected(url) as socket:
        with anyio.fail_after(5):
            batch = await socket.receive()
        assert numbers(list(batch)) == [1, 2, 3, 4, 5]


async def test_a_message_in_pieces_is_one_message_whatever_stands_between_them():
    whole = delta(1)
    pieces = (
        wire(whole[:10], last=False),
        wire(b"alive?", PING),
        wire(whole[10:50], CONTINUATION, last=False),
        wire(whole[50:], CONTINUATION),
        wire(delta(2), BINARY),
    )
    async with peer(says(*pieces)) as url, connected(url) as socket:
        assert numbers(await all_of(socket, 2)) == [1, 2]


async def test_a_snapshot_of_megabytes_arrives_whole():
    levels = [[f"0.{cent:04d}", "1.00"] for cent in range(1, 10_000)] * 10
    body = {"market_ticker": "K", "yes_dollars_fp": levels}
    large = json.dumps({"type": "orderbook_snapshot", "sid": 2, "seq": 1, "msg": body}).encode()
    assert len(large) > 1 << 20
    async with peer(says(wire(large), wire(delta(2)))) as url, connected(url) as socket:
        snapshot, change = await all_of(socket, 2)
    assert isinstance(snapshot, BookSnapshotSeen)
    assert len(snapshot.yes) == len(levels)
    assert numbers([change]) == [2]


@pytest.mark.parametrize(
    ("last", "why"),
    [
        (wire(struct.pack("!H", 1001), CLOSE), "code 1001"),
        (wire(struct.pack("!H", 4001), CLOSE), "code 4001"),
        (wire(b"", CLOSE), "code 0"),
        (wire(b"x", 0x3), "invalid opcode"),
        (wire(b"x", CONTINUATION), "pieces of messages out of order"),
        (wire(b"x", TEXT, last=False) + wire(b"y", TEXT), "pieces of messages out of order"),
        (b"\x81\x81mask!", "masked frame"),
        (struct.pack("!BBQ", 0x81, 127, inbox.LARGEST_MESSAGE + 1), "exceeding max allowed size"),
    ],
)
async def test_what_came_before_the_end_is_still_read_and_the_end_says_why(last: bytes, why: str):
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await upgraded(reader, writer)
        writer.write(wire(delta(1)))
        await asyncio.sleep(0.05)
        writer.write(last)
        await reader.read()

    async with peer(speak) as url, connected(url) as socket:
        assert numbers(await all_of(socket, 1)) == [1]
        with anyio.fail_after(5), pytest.raises(Transient, match=f"socket closed: .*{why}"):
            await socket.receive()
        with anyio.fail_after(5), pytest.raises(Transient, match="socket closed"):
            await socket.receive()


async def test_frames_that_came_together_with_the_close_are_read_before_it():
    closing = wire(struct.pack("!H", 1000), CLOSE)
    async with peer(says(wire(delta(1)), wire(delta(2)), closing)) as url, connected(url) as socket:
        assert numbers(await all_of(socket, 2)) == [1, 2]
        with anyio.fail_after(5), pytest.raises(Transient, match="code 1000"):
            await socket.receive()


async def test_a_connection_that_is_cut_is_told_from_one_that_is_closed():
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await upgraded(reader, writer)
        writer.transport.abort()

    async with peer(cut) as url, connected(url) as socket:
        with anyio.fail_after(5), pytest.raises(Transient, match="socket closed: code 1006"):
            await socket.receive()


async def test_a_text_that_is_none_is_refused_even_where_nobody_reads_it():
    broken = delta(1, note="x").replace(b'"x"', b'"\xff"')
    async with peer(says(wire(broken))) as url, connected(url) as socket:
        (frame,) = await all_of(socket, 1)
    assert isinstance(frame, BadFrame)
    assert "utf-8" in frame.why


async def test_a_reader_that_lags_holds_up_the_venue_and_no_memory_and_loses_nothing():
    count = 4_000
    sent = 0

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await upgraded(reader, writer)
        for seq in range(1, count + 1):
            writer.write(wire(delta(seq, note="x" * 16_000)))
            await writer.drain()
            sent = seq
        await reader.read()

    async with peer(flood) as url, connected(url, 0.5) as socket:
        stood = -1
        while stood != sent or not sent:
            stood = sent
            await asyncio.sleep(0.3)
        assert sent < count
        held = sum(map(len, socket.inbox.messages))
        assert inbox.MOST_WAITING < held < 16 * inbox.MOST_WAITING < count * 16_000 // 4
        # Longer than the silence that would be a fault: what waits here is no silence of the venue.
        assert numbers(await all_of(socket, count)) == list(range(1, count + 1))


async def test_a_redirect_of_the_upgrade_is_refused_and_not_followed():
    async def elsewhere(request: web.Request) -> web.StreamResponse:
        return web.Response(status=307, headers={"Location": "/other"})

    async with local_venue(elsewhere) as venue:
        with pytest.raises(Transient, match="307"):
            async with connected(venue.base_url.replace("http", "ws") + "/trade-api/ws/v2"):
                pass
        assert [path for _, path in venue.requests] == ["/trade-api/ws/v2"]


async def test_no_proxy_of_the_environment_stands_between(monkeypatch: pytest.MonkeyPatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with peer(says(wire(delta(1)))) as url, connected(url) as socket:
        assert numbers(await all_of(socket, 1)) == [1]


async def test_an_address_of_the_host_that_refuses_does_not_stand_in_the_way_of_another():
    """`localhost` is ::1 as well where there is IPv6, and nobody listens there."""
    async with peer(says(wire(delta(1)))) as url, connected(url.replace("127.0.0.1", "localhost")) as socket:
        assert numbers(await all_of(socket, 1)) == [1]


async def test_a_host_without_a_name_is_transient():
    with pytest.raises(Transient, match="cannot connect"):
        async with connected("ws://no-such-host.invalid/"):
            pass


async def test_a_peer_that_leaves_before_it_answers_is_transient():
    async def leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")

    async with peer(leave) as url:
        with pytest.raises(Transient, match="ended before the upgrade"):
            async with connected(url):
                pass


async def test_a_venue_that_speaks_no_websocket_is_transient():
    async with local_venue(answers(200, "hello")) as venue:
        with pytest.raises(Transient, match="200"):
            async with connected(venue.base_url.replace("http", "ws")):
                pass


async def test_an_upgrade_that_nobody_waits_for_any_more_is_dropped_when_it_comes():
    asked, may_answer, left = anyio.Event(), anyio.Event(), anyio.Event()

    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await may_answer.wait()
        again = asyncio.StreamReader()
        again.feed_data(head)
        await upgraded(again, writer)
        try:
            await reader.read()
        finally:
            left.set()

    async with peer(late) as url:
        async with anyio.create_task_group() as group:

            async def connect() -> None:
                async with connected(url):
                    raise AssertionError("nobody answered")

            group.start_soon(connect)
            await asked.wait()
            group.cancel_scope.cancel()
        may_answer.set()
        with anyio.fail_after(5):
            await left.wait()


async def test_a_command_after_the_end_is_a_fault():
    closing = wire(struct.pack("!H", 1000), CLOSE)
    async with peer(says(closing)) as url, connected(url) as socket:
        with anyio.fail_after(5), pytest.raises(Transient, match="code 1000"):
            await socket.receive()
        with pytest.raises(Transient, match=r"list_subscriptions could not be sent: socket closed"):
            await socket.send(list_subscriptions())
