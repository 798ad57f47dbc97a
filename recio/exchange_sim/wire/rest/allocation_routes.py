"""How the member's free money is to be spread over the shards: asked for and told; it moves none itself."""

from __future__ import annotations

from aiohttp import web

from recio.exchange_sim.engine.allocation import allocation_of
from recio.exchange_sim.engine.execution import spread_free_money
from recio.exchange_sim.engine.orders import Refused
from recio.exchange_sim.wire.app_keys import venue_of
from recio.exchange_sim.wire.rest import order_bodies as bodies
from recio.exchange_sim.wire.rest.replies import refusal, reply
from recio.exchange_sim.wire.rest.request_body import body_of

_RESERVATIONS = ("none", "max", "sum")
UNKNOWN_RESERVATION = Refused(code="invalid_parameters", details="resting_margin_reservation")


async def get_allocation(request: web.Request) -> web.Response:
    wanted = venue_of(request).allocation
    rows = [{"exchange_index": shard, "percent": percent} for shard, percent in wanted.percents.items()]
    return reply({"allocations": rows, "resting_margin_reservation": wanted.reservation})


async def set_allocation(request: web.Request) -> web.Response:
    body = await body_of(request, bodies.SetTargetBalanceAllocationRequest)
    if body.resting_margin_reservation not in _RESERVATIONS:
        return refusal(UNKNOWN_RESERVATION)
    rows = [(row.exchange_index, row.percent) for row in body.allocations]
    wanted = allocation_of(rows, body.resting_margin_reservation)
    if isinstance(wanted, Refused):
        return refusal(wanted)
    venue = venue_of(request)
    venue.allocation = wanted
    spread_free_money(venue)
    return reply({})


_PATH = "/portfolio/target_balance_allocation"
ROUTES = [web.get(_PATH, get_allocation), web.post(_PATH, set_allocation)]
