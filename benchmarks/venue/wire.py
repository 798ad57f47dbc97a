"""HTTP/1.1 and WebSocket by hand, so that a request's first byte and a frame's last are stamped where they happen; it knows no venue."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from urllib.parse import parse_qsl, urlsplit

ACCEPT = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    method: str
    path: str
    query: dict[str, str]
    body: bytes
    first_byte: float
    """time.perf_counter() when its first byte was read."""


Answer = tuple[int, bytes]
Answers = Callable[[Request], Answer]
Accepts = Callable[["Socket", str], Callable[[str], None]]
"""A socket that was opened, and its path; what is returned takes each text that comes."""


class Socket:
    """An upgraded connection. Frames leave whole and unmasked."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        self.room = asyncio.Event()
        self.room.set()
        self.pongs: dict[bytes, asyncio.Future[float]] = {}
        self.take: Callable[[str], None] = lambda _text: None
        self._unread = b""

    @property
    def is_open(self) -> bool:
        return not self.transport.is_closing()

    def text(self, frame: bytes) -> None:
        self.transport.write(framed(frame))

    def ping(self, payload: bytes) -> asyncio.Future[float]:
        """When the pong came: everything that was sent before had been read by then."""
        answered: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self.pongs[payload] = answered
        self.transport.write(framed(payload, PING))
        return answered

    def feed(self, chunk: bytes) -> None:
        self._unread += chunk
        while (found := _unframed(self._unread)) is not None:
            kind, payload, used = found
            self._unread = self._unread[used:]
            self._hear(kind, payload)

    def _hear(self, kind: int, payload: bytes) -> None:
        if kind == TEXT:
            self.take(payload.decode())
        elif kind == PING:
            self.transport.write(framed(payload, PONG))
        elif kind == PONG and (waiting := self.pongs.pop(payload, None)) is not None:
            waiting.set_result(time.perf_counter())
        elif kind == CLOSE:
            self.transport.write(framed(payload, CLOSE))
            self.transport.close()


def framed(payload: bytes, kind: int = TEXT) -> bytes:
    size, first = len(payload), bytes([0x80 | kind])
    if size < 126:
        return first + bytes([size]) + payload
    if size < 65_536:
        return first + b"\x7e" + size.to_bytes(2) + payload
    return first + b"\x7f" + size.to_bytes(8) + payload


def _unframed(data: bytes) -> tuple[int, bytes, int] | None:
    """Kind, payload and length of the first frame of a client, which masks; None while it is not whole."""
    if len(data) < 2:
        return None
    size, at = data[1] & 0x7F, 2
    if size >= 126:
        width = 2 if size == 126 else 8
        size, at = int.from_bytes(data[2 : 2 + width]), 2 + width
    if len(data) < at + 4 + size:
        return None
    mask, masked = data[at : at + 4], data[at + 4 : at + 4 + size]
    whole = int.from_bytes(masked) ^ int.from_bytes((mask * (size // 4 + 1))[:size])
    return data[0] & 0x0F, whole.to_bytes(size), at + 4 + size


class Connection(asyncio.Protocol):
    """One connection: requests one after another, or a socket once it was upgraded."""

    def __init__(self, answers: Answers, accepts: Accepts) -> None:
        self._answers, self._accepts = answers, accepts
        self._unread, self._first_byte = b"", 0.0
        self._socket: Socket | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        if self._socket is not None:
            self._socket.feed(data)
            return
        if not self._unread:
            self._first_byte = now
        self._unread += data
        while self._socket is None and self._serve_one():
            self._first_byte = now

    def pause_writing(self) -> None:
        if self._socket is not None:
            self._socket.room.clear()

    def resume_writing(self) -> None:
        if self._socket is not None:
            self._socket.room.set()

    def connection_lost(self, _exc: Exception | None) -> None:
        if self._socket is not None:
            self._socket.room.set()

    def _serve_one(self) -> bool:
        head, found, rest = self._unread.partition(b"\r\n\r\n")
        if not found:
            return False
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        size = int(headers.get("content-length", "0"))
        if len(rest) < size:
            return False
        method, target, _ = first.split(" ")
        address = urlsplit(target)
        self._unread = rest[size:]
        if headers.get("upgrade", "").lower() == "websocket":
            self._upgrade(address.path, headers["sec-websocket-key"])
            return True
        status, body = self._answers(
            Request(
                method=method,
                path=address.path,
                query=dict(parse_qsl(address.query)),
                body=rest[:size],
                first_byte=self._first_byte,
            )
        )
        self._transport.write(_response(status, body))
        return bool(self._unread)

    def _upgrade(self, path: str, key: str) -> None:
        accept = base64.b64encode(hashlib.sha1(key.encode() + ACCEPT, usedforsecurity=False).digest())
        self._transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        self._socket = Socket(self._transport)
        self._socket.take = self._accepts(self._socket, path)
        if self._unread:
            self._socket.feed(self._unread)
            self._unread = b""


def _response(status: int, body: bytes) -> bytes:
    head = (
        f"HTTP/1.1 {status} X\r\nDate: {formatdate(usegmt=True)}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
