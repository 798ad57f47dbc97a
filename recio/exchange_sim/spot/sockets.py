"""One connection to a spot feed, whatever its protocol: requests in, queued frames out; it makes no prices."""

from __future__ import annotations

from collections.abc import Callable

import anyio
from aiohttp import WSMsgType, web

from recio.exchange_sim.exchange import Exchange
from recio.exchange_sim.spot.feeds import Feed
from recio.exchange_sim.wire.app_keys import exchange_of
from recio.exchange_sim.wire.connections import connected, write_queue
from recio.exchange_sim.wire.outbox import Outbox

Answer = Callable[[str], None]
"""What answers one listener's requests in the feed's own words."""


async def serve_feed(
    request: web.Request, feed: Feed, answer_for: Callable[[Exchange, Feed, Outbox], Answer]
) -> web.WebSocketResponse:
    """One listener from upgrade to close."""
    exchange = exchange_of(request)
    socket = web.WebSocketResponse(compress=False)
    await socket.prepare(request)
    outbox = Outbox(feed.state)
    answer = answer_for(exchange, feed, outbox)
    async with connected(request, socket), anyio.create_task_group() as tasks:
        try:
            tasks.start_soon(write_queue, socket, outbox)
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    exchange.catch_up()
                    answer(message.data)
        finally:
            feed.forget(outbox)
            tasks.cancel_scope.cancel()
    return socket
