"""Serves lists of markets again for a while, as the cache before the real venue does; what it serves it says the age of."""

from __future__ import annotations

import time
from functools import wraps
from typing import NamedTuple

from aiohttp import web

from recio.exchange_sim.wire.rest.replies import DATE, Handler
from recio.exchange_sim.wire.rest.rules import RULES

_MOST = 200


class Kept(NamedTuple):
    body: bytes
    at: float
    date: str
    """Of the answer when it was made: a cache sends it as it was."""


KEPT = web.AppKey("kept_lists", dict[str, Kept])
"""By the whole path with its query, what was answered and when by the host's clock."""


def cached(handler: Handler) -> Handler:
    """A list that may be as old as the rules of the exchange allow."""

    @wraps(handler)
    async def answered(request: web.Request) -> web.StreamResponse:
        longest = request.app[RULES].list_cache_seconds
        if not longest:
            return await handler(request)
        kept, now = request.app[KEPT], time.monotonic()
        found = kept.get(request.path_qs)
        if found is None or now - found.at >= longest:
            fresh = await handler(request)
            if (
                not isinstance(fresh, web.Response)
                or fresh.status != 200
                or not isinstance(fresh.body, bytes)
            ):
                return fresh
            if len(kept) >= _MOST:
                kept.clear()
            found = kept[request.path_qs] = Kept(fresh.body, now, request[DATE])
        request[DATE] = found.date
        headers = {"Cache-Control": f"max-age={longest:.0f}", "Age": str(int(now - found.at))}
        return web.Response(body=found.body, content_type="application/json", headers=headers)

    return answered
