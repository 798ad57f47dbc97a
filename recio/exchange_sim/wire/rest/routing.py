"""What a request is before anybody carries it out: order or read, its shard and its size; it answers nothing."""

from __future__ import annotations

import msgspec
from aiohttp import web

from recio.exchange_sim.engine.requests import AUTO_ROUTE
from recio.exchange_sim.market.series import SHARD
from recio.exchange_sim.wire.rest.replies import whole_number
from recio.exchange_sim.wire.rest.request_body import decoded_body

PREFIX = "/trade-api/v2"
UNSCOPED = 0
_ORDERS = "/portfolio/events/orders"
_ON_EVERY_SHARD = {
    ("DELETE", _ORDERS),
    ("DELETE", f"{_ORDERS}/batched"),
    ("POST", f"{_ORDERS}/batched"),
}


_ON_ONE_SHARD = (
    "/portfolio/order_groups",
    "/portfolio/intra_exchange_instance_transfer",
    "/portfolio/subaccounts",
)
"""Writes that end where they name a shard."""


class _Named(msgspec.Struct):
    """The few fields of any order body that say where it goes."""

    ticker: str | None = None
    market_ticker: str | None = None
    exchange_index: int | None = None
    source_exchange_shard: int | None = None
    destination_exchange_shard: int | None = None
    orders: list[object] | None = None


def is_api(request: web.Request) -> bool:
    return request.path.startswith(PREFIX + "/")


def is_write(request: web.Request) -> bool:
    return request.method != "GET"


def endpoint_of(request: web.Request) -> str:
    """'/portfolio/orders/{order_id}': the path as the documents name it, '' for an unknown one."""
    resource = request.match_info.route.resource
    return "" if resource is None else resource.canonical.removeprefix(PREFIX)


async def shard_and_items(request: web.Request) -> tuple[int, int]:
    """The shard a write names, -1 for one that the venue must find, 0 for unscoped; and how many items it has."""
    named = await _named(request)
    if named.orders is not None:
        return UNSCOPED, max(len(named.orders), 1)
    if named.exchange_index is not None:
        return named.exchange_index, 1
    return (AUTO_ROUTE if named.ticker or named.market_ticker else UNSCOPED), 1


async def reaches_crypto(request: web.Request) -> bool:
    """Whether a write ends at the crypto shard's engine."""
    endpoint = endpoint_of(request)
    if not is_write(request):
        return False
    if not endpoint.startswith(_ORDERS):
        return endpoint.startswith(_ON_ONE_SHARD) and SHARD in await _named_shards(request)
    if (request.method, endpoint) in _ON_EVERY_SHARD:
        return True
    shard, _ = await shard_and_items(request)
    return shard in (AUTO_ROUTE, SHARD)


async def _named_shards(request: web.Request) -> set[int | None]:
    found = await _named(request)
    return {found.exchange_index, found.source_exchange_shard, found.destination_exchange_shard}


async def _named(request: web.Request) -> _Named:
    body, found = await decoded_body(request), _Named()
    if not body.empty:
        try:
            found = msgspec.convert(body.value, _Named)
        except msgspec.ValidationError:
            return found
    query = request.query
    if found.exchange_index is None:
        found.exchange_index = whole_number(query.get("exchange_index", ""))
    if found.market_ticker is None:
        found.market_ticker = query.get("market_ticker")
    return found
