"""Lets a request through while its account's buckets hold enough, else answers 429; it counts and decides no more."""

from __future__ import annotations

import time

from aiohttp import web

from recio.exchange_sim.wire.auth import VERIFIER
from recio.exchange_sim.wire.rest.rate_limits import COSTS, DEFAULT_COST, LIMITS, RateLimits, Tier
from recio.exchange_sim.wire.rest.replies import Handler, reply
from recio.exchange_sim.wire.rest.routing import PREFIX, endpoint_of, is_api, is_write, shard_and_items
from recio.exchange_sim.wire.too_many import too_many_requests

BALANCE = "/portfolio/balance"


@web.middleware
async def metered(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Charge the member whose key it names. Requests without a key have no account and are free."""
    member = request.app[VERIFIER].member_of(request.headers)
    if member is None or not is_api(request):
        return await handler(request)
    limits = request.app[LIMITS][member]
    free = limits.tier is None or await _allowed(request, limits)
    return await handler(request) if free else too_many_requests()


async def account_limits(request: web.Request) -> web.Response:
    """What is enforced; where nothing is, more than anybody can send."""
    tier = request.app[LIMITS][0].published()
    return reply({"usage_tier": tier.name, **_buckets(tier), "grants": []})


async def endpoint_costs(_request: web.Request) -> web.Response:
    costs = [
        {"method": method, "path": PREFIX + path, "cost": tokens} for (method, path), tokens in COSTS.items()
    ]
    return reply({"default_cost": DEFAULT_COST, "endpoint_costs": costs})


async def _allowed(request: web.Request, limits: RateLimits) -> bool:
    cost = COSTS.get((request.method, endpoint_of(request)), DEFAULT_COST)
    if not is_write(request) and endpoint_of(request) == BALANCE:
        return limits.allow_balance(time.monotonic())
    if not is_write(request):
        return limits.allow_read(cost, time.monotonic())
    shard, items = await shard_and_items(request)
    return limits.allow_write(cost * items, time.monotonic(), shard=shard)


def _buckets(tier: Tier) -> dict[str, dict[str, int]]:
    return {
        name: {"refill_rate": limit.rate, "bucket_capacity": limit.capacity}
        for name, limit in (("read", tier.read), ("write", tier.write))
    }


ROUTES = [
    web.get("/account/limits", account_limits),
    web.get("/account/endpoint_costs", endpoint_costs),
]
