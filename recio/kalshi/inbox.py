"""Collects what arrives on one WebSocket until its reader takes it, together; it parses nothing and never grows without bound."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport

LARGEST_MESSAGE = 64 * 1024 * 1024
MOST_WAITING = 512 * 1024
"""Bytes that may wait for the reader; when a read brings more, no other follows until they are taken, and the venue has to wait.
Some 1,500 messages, which is five milliseconds of work: enough at once, and little in the way of anybody else."""

TEXT = WSMsgType.TEXT
CONTROLS = (WSMsgType.PING, WSMsgType.PONG, WSMsgType.CLOSE)


class Inbox(WSListener):
    """The receiving end of one connection, called by the library as bytes come; its reader is one task."""

    def __init__(self, idle_timeout_seconds: float) -> None:
        self.messages: list[bytes] = []
        self.why_ended: str | None = None
        """Set once nothing can come any more; messages that came before are still to be taken."""
        self.sign_of_life: Callable[[], None] | None = None
        """Called for each ping and pong; messages speak for themselves when they are taken."""
        self._idle_timeout_seconds = idle_timeout_seconds
        self._loop = asyncio.get_running_loop()
        self._transport: WSTransport | None = None
        self._waiting_bytes = 0
        self._is_paused = False
        self._is_abandoned = False
        self._parts: list[bytes] = []
        self._reader: asyncio.Future[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._heard_at = self._loop.time()
        self._silence: asyncio.TimerHandle | None = None

    def on_ws_connected(self, transport: WSTransport) -> None:
        if self._is_abandoned:
            transport.disconnect(graceful=False)
            return
        self._transport = transport
        self._heard_at = self._loop.time()
        self._silence = self._loop.call_later(self._idle_timeout_seconds, self._look_for_silence)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        kind = frame.msg_type
        if kind is TEXT and frame.fin and not self._parts:
            self._arrived(frame.get_payload_as_bytes())
        elif kind in CONTROLS:
            self._control(transport, frame)
        else:
            self._part(transport, frame)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.end(f"socket closed: {_why(transport)}")

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def abandon(self) -> None:
        """Nobody waits for this connection any more: it is dropped, or will be as soon as it is made."""
        self._is_abandoned = True
        if self._transport is not None:
            self._transport.disconnect(graceful=False)

    def end(self, why: str) -> None:
        """Nothing comes any more; the first reason counts."""
        if self.why_ended is None:
            self.why_ended = why
        if self._silence is not None:
            self._silence.cancel()
        self._writable.set()
        self._wake()

    async def some(self) -> None:
        """Wait until there are messages or the end."""
        while not self.messages and self.why_ended is None:
            self._reader = self._loop.create_future()
            try:
                await self._reader
            finally:
                self._reader = None

    def take(self) -> list[bytes]:
        """Everything that waits, in the order received."""
        taken, self.messages, self._waiting_bytes = self.messages, [], 0
        self._heard_at = self._loop.time()
        if self._is_paused:
            self._is_paused = False
            self._read_on(True)
        return taken

    async def writable(self) -> None:
        """Wait until the connection takes more to send, or has ended."""
        await self._writable.wait()

    def _arrived(self, message: bytes) -> None:
        messages = self.messages
        if not messages:
            self._wake()
        messages.append(message)
        self._waiting_bytes += len(message)
        if self._waiting_bytes > MOST_WAITING and not self._is_paused:
            self._is_paused = True
            self._read_on(False)

    def _control(self, transport: WSTransport, frame: WSFrame) -> None:
        self._heard_at = self._loop.time()
        if self.sign_of_life is not None:
            self.sign_of_life()
        if frame.msg_type is WSMsgType.PING:
            transport.send_pong(frame.get_payload_as_bytes())
        elif frame.msg_type is WSMsgType.CLOSE:
            self.end(f"socket closed: {_why(transport)}")
            transport.send_close(WSCloseCode.OK)
            transport.disconnect()

    def _part(self, transport: WSTransport, frame: WSFrame) -> None:
        """A message in binary, or a piece of one: the pieces are put together when the last has come."""
        if (frame.msg_type is WSMsgType.CONTINUATION) is not bool(self._parts):
            self._break_off(transport, WSCloseCode.PROTOCOL_ERROR, "pieces of messages out of order")
            return
        self._parts.append(frame.get_payload_as_bytes())
        if sum(map(len, self._parts)) > LARGEST_MESSAGE:
            self._break_off(transport, WSCloseCode.MESSAGE_TOO_BIG, "a message that is too long")
        elif frame.fin:
            whole, self._parts = b"".join(self._parts), []
            self._arrived(whole)

    def _break_off(self, transport: WSTransport, code: WSCloseCode, why: str) -> None:
        self._parts = []
        self.end(f"socket closed: {why}")
        transport.send_close(code)
        transport.disconnect()

    def _look_for_silence(self) -> None:
        """One timer for a socket, not one for each message: it looks again when there was something."""
        left = self._heard_at + self._idle_timeout_seconds - self._loop.time()
        if left <= 0 and not self.messages:
            self.end(f"no frame and no ping on the socket for {self._idle_timeout_seconds:g} s")
        else:
            self._silence = self._loop.call_later(max(left, 0.01), self._look_for_silence)

    def _read_on(self, goes_on: bool) -> None:
        if self._transport is None:
            return
        with suppress(RuntimeError):  # the connection is closing
            beneath = self._transport.underlying_transport
            beneath.resume_reading() if goes_on else beneath.pause_reading()

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)


def _why(transport: WSTransport) -> str:
    """The peer's close code, or our own reason to close, or neither."""
    handshake: Any = transport.close_handshake  # None until one of the two said that it closes
    if handshake is not None and handshake.recv is not None:
        return f"code {handshake.recv.code:d}"
    if handshake is not None:
        return f"by us, code {handshake.sent.code:d} {handshake.sent.reason}".strip()
    return f"code {WSCloseCode.ABNORMAL_CLOSURE.value}"
