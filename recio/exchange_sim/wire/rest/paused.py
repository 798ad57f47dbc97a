"""Refuses every change while the whole exchange is paused, whatever it is about; reads go on."""

from __future__ import annotations

from aiohttp import web

from recio.exchange_sim.engine.orders import EXCHANGE_PAUSED
from recio.exchange_sim.wire.app_keys import venue_of
from recio.exchange_sim.wire.rest.replies import Handler, refusal
from recio.exchange_sim.wire.rest.routing import is_api, is_write


@web.middleware
async def paused(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Orders, groups, subaccounts and transfers alike: the exchange says of itself that it takes no change of state."""
    venue = venue_of(request)
    if is_api(request) and is_write(request) and venue.exchange_paused(venue.now_ms):
        return refusal(EXCHANGE_PAUSED)
    return await handler(request)
