"""Open sockets of any protocol: counted while they are open, written to as fast as the client reads; no messages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from aiohttp import ClientConnectionResetError, WSMsgType, web

from recio.exchange_sim.wire.app_keys import exchange_of
from recio.exchange_sim.wire.outbox import Outbox


@asynccontextmanager
async def connected(request: web.Request, socket: web.WebSocketResponse) -> AsyncGenerator[None]:
    """While this lasts the socket counts as open and can be cut."""
    exchange = exchange_of(request)
    if request.transport is not None:
        exchange.connections[socket] = request.transport
    try:
        yield
    finally:
        exchange.connections.pop(socket, None)
        exchange.touch()


async def write_queue(socket: web.WebSocketResponse, outbox: Outbox) -> None:
    """Write whatever is queued, in order, as fast as the client reads."""
    while True:
        await outbox.wake.wait()
        outbox.wake.clear()
        while outbox.frames:
            wait = outbox.waits()
            if wait:
                await asyncio.sleep(wait)
            try:
                await socket.send_frame(outbox.take(), WSMsgType.TEXT)
            except (ClientConnectionResetError, ConnectionError, RuntimeError):
                return
