"""The trading WebSocket: authenticated upgrade, heartbeats, a bounded queue per client; it reads no market."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
from aiohttp import ClientConnectionResetError, WSMsgType, web

from recio.exchange_sim.exchange import Exchange, exchange_of
from recio.exchange_sim.wire.ws.subscriptions import Outbox, Session

HEARTBEAT_SECONDS = 10.0
HEARTBEAT = b"heartbeat"
LARGEST_MESSAGE = 64 * 1024 * 1024


async def trading_socket(request: web.Request) -> web.WebSocketResponse:
    """One client from upgrade to close."""
    exchange = exchange_of(request)
    rules = exchange.hub.rules
    socket = web.WebSocketResponse(compress=rules.compression, max_msg_size=LARGEST_MESSAGE)
    await socket.prepare(request)
    session = exchange.hub.join()
    async with connected(request, socket), anyio.create_task_group() as tasks:
        try:
            tasks.start_soon(write_queue, socket, session.outbox)
            tasks.start_soon(_heartbeat, socket)
            await _read(exchange, socket, session)
        finally:
            exchange.hub.leave(session)
            tasks.cancel_scope.cancel()
    return socket


@asynccontextmanager
async def connected(request: web.Request, socket: web.WebSocketResponse) -> AsyncGenerator[None]:
    """While this lasts the socket counts as open and can be cut."""
    exchange = exchange_of(request)
    if request.transport is not None:
        exchange.transports[socket] = request.transport
    try:
        yield
    finally:
        exchange.transports.pop(socket, None)
        exchange.touch()


async def write_queue(socket: web.WebSocketResponse, outbox: Outbox) -> None:
    """Write whatever is queued, in order, as fast as the client reads."""
    while True:
        await outbox.wake.wait()
        outbox.wake.clear()
        while outbox.frames:
            try:
                await socket.send_frame(outbox.take(), WSMsgType.TEXT)
            except (ClientConnectionResetError, ConnectionError, RuntimeError):
                return


async def _heartbeat(socket: web.WebSocketResponse) -> None:
    while True:
        await asyncio.sleep(HEARTBEAT_SECONDS)
        try:
            await socket.ping(HEARTBEAT)
        except (ClientConnectionResetError, ConnectionError, RuntimeError):
            return


async def _read(exchange: Exchange, socket: web.WebSocketResponse, session: Session) -> None:
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            exchange.catch_up()
            exchange.desk.answer(session, message.data)
