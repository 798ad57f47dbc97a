"""Counts how often each order was asked for, whatever became of the request; it answers and changes nothing.

An order that a client sends twice is refused as a duplicate, so the books alone cannot distinguish it from one sent once.
"""

from __future__ import annotations

from collections import Counter

import msgspec
from aiohttp import web

from recio.exchange_sim.wire.app_keys import member_of
from recio.exchange_sim.wire.rest.replies import Handler
from recio.exchange_sim.wire.rest.request_body import decoded_body
from recio.exchange_sim.wire.rest.routing import endpoint_of

ASKED_FOR = web.AppKey("asked_for", dict[int, Counter[str]])
"""By member, from 0: how often he asked for each client order id, carried out or not."""
_CREATE = ("/portfolio/events/orders", "/portfolio/orders")
_BATCH = tuple(f"{path}/batched" for path in _CREATE)


class _Order(msgspec.Struct):
    client_order_id: str = ""


class _Batch(msgspec.Struct):
    orders: list[_Order] = []


@web.middleware
async def counted(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Note every order of a request before anything can go wrong with it."""
    if request.method == "POST" and endpoint_of(request) in (*_CREATE, *_BATCH):
        request.app[ASKED_FOR].setdefault(member_of(request), Counter()).update(await _asked_for(request))
    return await handler(request)


async def _asked_for(request: web.Request) -> list[str]:
    body = (await decoded_body(request)).value
    try:
        if endpoint_of(request) in _BATCH:
            orders = msgspec.convert(body, _Batch).orders
        else:
            orders = [msgspec.convert(body, _Order)]
    except msgspec.ValidationError:
        return []
    return [order.client_order_id for order in orders if order.client_order_id]
