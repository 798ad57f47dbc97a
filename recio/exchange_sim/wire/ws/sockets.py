"""The trading WebSocket: authenticated upgrade, heartbeats, a bounded queue per client; it reads no market."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

import anyio
from aiohttp import ClientConnectionResetError, WSMsgType, web

from recio.exchange_sim.exchange import Exchange
from recio.exchange_sim.wire.app_keys import exchange_of, member_of
from recio.exchange_sim.wire.connections import connected, write_queue
from recio.exchange_sim.wire.too_many import too_many_requests
from recio.exchange_sim.wire.ws.commands import COMMANDS, SessionCommands
from recio.exchange_sim.wire.ws.hub import HUB
from recio.exchange_sim.wire.ws.subscriptions import Session

HEARTBEAT_SECONDS = 10.0
HEARTBEAT = b"heartbeat"
LARGEST_MESSAGE = 64 * 1024 * 1024


@dataclass(slots=True)
class Pulse:
    """Since which moment of the host's clock a ping has not been answered; None while all are."""

    unanswered_since: float | None = None


async def trading_socket(request: web.Request) -> web.StreamResponse:
    """One client from upgrade to close."""
    exchange = exchange_of(request)
    hub = request.app[HUB]
    member = member_of(request)
    if hub.open_of(member) >= hub.rules.most_connections:
        return too_many_requests()
    socket = web.WebSocketResponse(
        compress=hub.rules.compression, max_msg_size=LARGEST_MESSAGE, autoping=False
    )
    await socket.prepare(request)
    session, pulse = hub.join(member), Pulse()
    async with connected(request, socket), anyio.create_task_group() as tasks:
        try:
            tasks.start_soon(write_queue, socket, session.outbox)
            tasks.start_soon(_heartbeat, request, socket, pulse, hub.rules.pong_seconds)
            await _read(exchange, request.app[COMMANDS], socket, session, pulse)
        finally:
            hub.leave(session)
            tasks.cancel_scope.cancel()
    return socket


async def _heartbeat(
    request: web.Request, socket: web.WebSocketResponse, pulse: Pulse, pong_seconds: float | None
) -> None:
    """Ping, and cut the connection of a client that does not answer."""
    while True:
        await asyncio.sleep(HEARTBEAT_SECONDS)
        since = pulse.unanswered_since
        if since is not None and pong_seconds is not None and time.monotonic() - since >= pong_seconds:
            if request.transport is not None:
                request.transport.abort()
            return
        try:
            await socket.ping(HEARTBEAT)
        except (ClientConnectionResetError, ConnectionError, RuntimeError):
            return
        if since is None:
            pulse.unanswered_since = time.monotonic()


async def _read(
    exchange: Exchange,
    commands: SessionCommands,
    socket: web.WebSocketResponse,
    session: Session,
    pulse: Pulse,
) -> None:
    async for message in socket:
        match message.type:
            case WSMsgType.TEXT:
                exchange.catch_up()
                commands.answer(session, message.data)
            case WSMsgType.PING:
                await socket.pong(message.data)
            case WSMsgType.PONG:
                pulse.unanswered_since = None
            case _:
                pass
