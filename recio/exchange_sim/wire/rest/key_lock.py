"""A key that is locked to one subaccount: whoever names none means that one, and another is refused; it reads no money."""

from __future__ import annotations

from typing import cast

from aiohttp import web

from recio.exchange_sim.engine.orders import FORBIDDEN, Refused
from recio.exchange_sim.wire.rest.rules import RULES

PRIVATE = "/portfolio/"
_NAME = "subaccount"


def as_locked(request: web.Request) -> web.Request | Refused:
    """The request as the venue carries it out for this key."""
    number = request.app[RULES].locked_to
    if number is None or PRIVATE not in request.rel_url.raw_path:
        return request
    if request.query.get(_NAME, str(number)) != str(number):
        return FORBIDDEN
    return request.clone(rel_url=request.rel_url.update_query({_NAME: str(number)}))


def body_as_locked(request: web.Request, body: object) -> object:
    """A body, or each order of a batch, that names no subaccount means the key's own."""
    number = request.app[RULES].locked_to
    if number is None or not isinstance(body, dict):
        return body
    fields = cast("dict[str, object]", body)
    orders = fields.get("orders")
    if isinstance(orders, list):
        inside = [body_as_locked(request, each) for each in cast("list[object]", orders)]
        return fields | {"orders": inside}
    return {_NAME: number} | fields
