"""A key that is locked to one subaccount: whoever names none means that one, and another is refused; it reads no money.

Such a key sees and trades that subaccount alone: it opens no subaccount and moves no money between them.
"""

from __future__ import annotations

from typing import cast

from aiohttp import web

from recio.exchange_sim.engine.orders import FORBIDDEN, Refused
from recio.exchange_sim.wire.rest.rules import RULES

PRIVATE = ("/portfolio/", "/historical/fills", "/historical/orders", "/historical/positions")
_NAME = "subaccount"


class NotItsSubaccount(Exception):
    """The request names a subaccount that the key may not act on."""


def locked_to(request: web.Request) -> int | None:
    return request.app[RULES].locked_to


def may_see(request: web.Request, subaccount: int) -> bool:
    return locked_to(request) in (None, subaccount)


def refuse_if_locked(request: web.Request) -> None:
    """What concerns several subaccounts is not for such a key. Raises NotItsSubaccount."""
    if locked_to(request) is not None:
        raise NotItsSubaccount


def refuse_others(request: web.Request, *numbers: int) -> None:
    """Raises NotItsSubaccount unless all of these are the key's own."""
    own = locked_to(request)
    if own is not None and set(numbers) != {own}:
        raise NotItsSubaccount


def as_locked(request: web.Request) -> web.Request | Refused:
    """The request as the venue carries it out for this key."""
    number = locked_to(request)
    if number is None or not any(path in request.rel_url.raw_path for path in PRIVATE):
        return request
    if request.query.get(_NAME, str(number)) != str(number):
        return FORBIDDEN
    return request.clone(rel_url=request.rel_url.update_query({_NAME: str(number)}))


def body_as_locked(request: web.Request, body: object) -> object:
    """A body, or each order of a batch, that names no subaccount means the key's own. Raises NotItsSubaccount."""
    number = locked_to(request)
    if number is None or not isinstance(body, dict):
        return body
    fields = cast("dict[str, object]", body)
    orders = fields.get("orders")
    if isinstance(orders, list):
        inside = [body_as_locked(request, each) for each in cast("list[object]", orders)]
        return fields | {"orders": inside}
    if fields.get(_NAME, number) != number:
        raise NotItsSubaccount
    return {_NAME: number} | fields
