"""Order group endpoints: create, list, read, reset, trigger, limit and delete; they match nothing."""

from __future__ import annotations

from aiohttp import web

from recio.exchange_sim.engine import group_entry
from recio.exchange_sim.engine.groups import OrderGroup
from recio.exchange_sim.engine.orders import Refused
from recio.exchange_sim.wire.app_keys import exchange_of, venue_of
from recio.exchange_sim.wire.rest import order_bodies as bodies
from recio.exchange_sim.wire.rest.replies import number_of, refusal, reply
from recio.exchange_sim.wire.rest.request_body import body_of
from recio.exchange_sim.wire.texts import Json, count

BAD_LIMIT = Refused(code="invalid_parameters", details="contracts_limit or contracts_limit_fp, equal if both")


async def create_group(request: web.Request) -> web.Response:
    exchange = exchange_of(request)
    body = await body_of(request, bodies.OrderGroupRequest)
    limit = bodies.group_limit(body)
    if limit is None:
        return refusal(BAD_LIMIT)
    group = group_entry.create_group(
        venue_of(request), limit=limit, subaccount=body.subaccount, shard=body.exchange_index or 0
    )
    exchange.publish()
    if isinstance(group, Refused):
        return refusal(group)
    shown: Json = {
        "order_group_id": group.group_id,
        "subaccount": group.subaccount,
        "exchange_index": group.shard,
    }
    return reply(shown, 201)


async def list_groups(request: web.Request) -> web.Response:
    """Without a subaccount those of all."""
    number = number_of(request, "subaccount", "GetOrderGroups")
    groups = venue_of(request).groups.values()
    rows = [{"id": group.group_id, **_state(group)} for group in groups if number in (None, group.subaccount)]
    return reply({"order_groups": rows})


async def get_group(request: web.Request) -> web.Response:
    group = _found(request)
    if isinstance(group, Refused):
        return refusal(group)
    resting = venue_of(request).open_in_group(group.group_id)
    return reply({**_state(group), "orders": [order.order_id for order in resting]})


async def reset_group(request: web.Request) -> web.Response:
    group = _found(request)
    if isinstance(group, Refused):
        return refusal(group)
    group_entry.reset_group(venue_of(request), group)
    return _done(request, None)


async def trigger_group(request: web.Request) -> web.Response:
    group = _found(request)
    if isinstance(group, Refused):
        return refusal(group)
    return _done(request, group_entry.trigger_group(venue_of(request), group))


async def limit_group(request: web.Request) -> web.Response:
    group = _found(request)
    if isinstance(group, Refused):
        return refusal(group)
    limit = bodies.group_limit(await body_of(request, bodies.OrderGroupRequest))
    if limit is None:
        return refusal(BAD_LIMIT)
    group_entry.limit_group(venue_of(request), group, limit)
    return _done(request, None)


async def delete_group(request: web.Request) -> web.Response:
    group = _found(request)
    if isinstance(group, Refused):
        return refusal(group)
    return _done(request, group_entry.delete_group(venue_of(request), group))


def _found(request: web.Request) -> OrderGroup | Refused:
    """A group of the subaccount that is named, the primary one unless it is."""
    subaccount = number_of(request, "subaccount", "OrderGroup") or 0
    return group_entry.find_group(venue_of(request), request.match_info["order_group_id"], subaccount)


def _done(request: web.Request, refused: Refused | None) -> web.Response:
    exchange_of(request).publish()
    return reply({}) if refused is None else refusal(refused)


def _state(group: OrderGroup) -> Json:
    return {
        "is_auto_cancel_enabled": True,
        "contracts_limit_fp": count(group.limit),
        "exchange_index": group.shard,
    }


_ONE = "/portfolio/order_groups/{order_group_id}"
ROUTES = [
    web.post("/portfolio/order_groups/create", create_group),
    web.get("/portfolio/order_groups", list_groups),
    web.get(_ONE, get_group),
    web.put(_ONE + "/reset", reset_group),
    web.put(_ONE + "/trigger", trigger_group),
    web.put(_ONE + "/limit", limit_group),
    web.delete(_ONE, delete_group),
]
