"""The trading WebSocket: authenticated upgrade, heartbeats, a bounded queue per client; it reads no market."""

from __future__ import annotations

import asyncio

import anyio
from aiohttp import ClientConnectionResetError, WSMsgType, web

from recio.exchange_sim.exchange import Exchange
from recio.exchange_sim.wire.app_keys import exchange_of
from recio.exchange_sim.wire.connections import connected, write_queue
from recio.exchange_sim.wire.ws.commands import COMMANDS, SessionCommands
from recio.exchange_sim.wire.ws.hub import HUB
from recio.exchange_sim.wire.ws.subscriptions import Session

HEARTBEAT_SECONDS = 10.0
HEARTBEAT = b"heartbeat"
LARGEST_MESSAGE = 64 * 1024 * 1024


async def trading_socket(request: web.Request) -> web.WebSocketResponse:
    """One client from upgrade to close."""
    exchange = exchange_of(request)
    hub = request.app[HUB]
    socket = web.WebSocketResponse(compress=hub.rules.compression, max_msg_size=LARGEST_MESSAGE)
    await socket.prepare(request)
    session = hub.join()
    async with connected(request, socket), anyio.create_task_group() as tasks:
        try:
            tasks.start_soon(write_queue, socket, session.outbox)
            tasks.start_soon(_heartbeat, socket)
            await _read(exchange, request.app[COMMANDS], socket, session)
        finally:
            hub.leave(session)
            tasks.cancel_scope.cancel()
    return socket


async def _heartbeat(socket: web.WebSocketResponse) -> None:
    while True:
        await asyncio.sleep(HEARTBEAT_SECONDS)
        try:
            await socket.ping(HEARTBEAT)
        except (ClientConnectionResetError, ConnectionError, RuntimeError):
            return


async def _read(
    exchange: Exchange, commands: SessionCommands, socket: web.WebSocketResponse, session: Session
) -> None:
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            exchange.catch_up()
            commands.answer(session, message.data)
