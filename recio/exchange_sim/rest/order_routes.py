"""Order endpoints: create, cancel, cancel all, amend, decrease, batches, and the faults armed against them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from recio.exchange_sim.exchange import Exchange, exchange_of
from recio.exchange_sim.faults.faults import Fault, FaultKind, On
from recio.exchange_sim.matching.order_change import amend, decrease
from recio.exchange_sim.matching.order_entry import cancel, cancel_all, create
from recio.exchange_sim.matching.orders import NOT_FOUND, Order, Refused
from recio.exchange_sim.rest import order_bodies as bodies
from recio.exchange_sim.rest.market_json import Json
from recio.exchange_sim.rest.replies import number_of, refusal, reply
from recio.exchange_sim.rest.texts import count, dollars
from recio.units import UnitError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

RETIRED = Refused(
    status=410,
    code="deprecated_v1_order_endpoint",
    message="Please switch to the V2 endpoints",
    details="https://docs.kalshi.com/api-reference/orders/create-order-v2",
)
INTERNAL_ERROR = Refused(status=500, code="internal_server_error")


async def create_order(request: web.Request) -> web.Response:
    exchange = exchange_of(request)
    body = bodies.decode(await request.read(), bodies.CreateOrderV2Request)
    made = _create(exchange, body)
    exchange.publish()
    return refusal(made) if isinstance(made, Refused) else reply(_executed(exchange, made), 201)


async def create_batch(request: web.Request) -> web.Response:
    exchange = exchange_of(request)
    batch = bodies.decode(await request.read(), bodies.BatchCreateV2Request)
    results: list[Json] = []
    for body in batch.orders:
        made = _create(exchange, body)
        if isinstance(made, Refused):
            results.append({"client_order_id": body.client_order_id, "error": _error(made)})
        else:
            results.append(_executed(exchange, made))
    exchange.publish()
    return reply({"orders": results}, 201)


async def cancel_order(request: web.Request) -> web.Response:
    exchange = exchange_of(request)
    shard = number_of(request, "exchange_index", "CancelOrder")
    ended = _cancel(
        exchange, request.match_info["order_id"], shard, request.query.get("market_ticker") or None
    )
    return refusal(ended) if isinstance(ended, Refused) else reply(ended)


async def cancel_batch(request: web.Request) -> web.Response:
    exchange = exchange_of(request)
    batch = bodies.decode(await request.read(), bodies.BatchCancelV2Request)
    results: list[Json] = []
    for item in batch.orders:
        ended = _cancel(exchange, item.order_id, item.exchange_index, item.market_ticker)
        if isinstance(ended, Refused):
            results.append({"order_id": item.order_id, "reduced_by": "0.00", "error": _error(ended)})
        else:
            results.append(ended)
    return reply({"orders": results})


async def cancel_every_order(request: web.Request) -> web.Response:
    exchange = exchange_of(request)
    cancel_all(exchange.venue)
    exchange.publish()
    return web.Response(status=204)


async def amend_order(request: web.Request) -> web.Response:
    exchange = exchange_of(request)
    body = bodies.decode(await request.read(), bodies.AmendOrderV2Request)
    asked = bodies.amended(body)
    if isinstance(asked, Refused):
        return refusal(asked)
    changed = amend(
        exchange.venue,
        request.match_info["order_id"],
        asked,
        new_client_id=body.updated_client_order_id,
        keep_expiry=body.expiration_time is None,
    )
    exchange.publish()
    return refusal(changed) if isinstance(changed, Refused) else reply(_executed(exchange, changed))


async def decrease_order(request: web.Request) -> web.Response:
    exchange = exchange_of(request)
    body = bodies.decode(await request.read(), bodies.DecreaseOrderV2Request)
    if not _routed(exchange, body.exchange_index, body.market_ticker):
        return refusal(NOT_FOUND)
    try:
        by, to = bodies.size(body.reduce_by), bodies.size(body.reduce_to)
    except UnitError:
        return refusal(Refused(status=400, code="invalid_order_size"))
    if (by is None) == (to is None):
        return refusal(
            Refused(status=400, code="invalid_order", details="exactly one of reduce_by, reduce_to")
        )
    changed = decrease(exchange.venue, request.match_info["order_id"], reduce_by=by, reduce_to=to)
    exchange.publish()
    if isinstance(changed, Refused):
        return refusal(changed)
    shown = _executed(exchange, changed)
    kept = ("order_id", "client_order_id", "remaining_count", "ts_ms")
    return reply({key: value for key, value in shown.items() if key in kept})


async def retired(_request: web.Request) -> web.Response:
    """The old mutations are gone for good."""
    return refusal(RETIRED)


def with_faults(handler: Handler) -> Handler:
    """An order endpoint that meets the next armed fault."""

    async def faulty(request: web.Request) -> web.StreamResponse:
        fault = exchange_of(request).faults.next_for_request((On.ORDERS, On.ALL))
        if fault is None:
            return await handler(request)
        return await _fail(request, handler, fault)

    return faulty


async def _fail(request: web.Request, handler: Handler, fault: Fault) -> web.StreamResponse:
    match fault.kind:
        case FaultKind.LOSE_REQUEST:
            _cut(request)
            return refusal(INTERNAL_ERROR)
        case FaultKind.ERROR_500:
            return refusal(INTERNAL_ERROR)
        case FaultKind.LOSE_REPLY:
            answer = await handler(request)
            _cut(request)
            return answer
        case _:
            answer = await handler(request)
            await asyncio.sleep(fault.seconds)
            return answer


def _cut(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


def _create(exchange: Exchange, body: bodies.CreateOrderV2Request) -> Order | Refused:
    asked = bodies.new_order(body)
    return asked if isinstance(asked, Refused) else create(exchange.venue, asked)


def _cancel(exchange: Exchange, order_id: str, shard: int | None, ticker: str | None) -> Json | Refused:
    ended = cancel(exchange.venue, order_id, shard=shard, market_ticker=ticker, strict=exchange.strict_shards)
    exchange.publish()
    if isinstance(ended, Refused):
        return ended
    order, left = ended
    return {"order_id": order.order_id, "reduced_by": count(left), "ts_ms": exchange.venue.now_ms}


def _routed(exchange: Exchange, shard: int | None, ticker: str | None) -> bool:
    """Whether a request that names only an order id reaches the shard where the orders are."""
    if shard is None and ticker is None:
        return not exchange.strict_shards
    return shard in (None, -1, 2) and (ticker is None or ticker in exchange.venue.markets)


def _executed(exchange: Exchange, order: Order) -> Json:
    """What create and amend answer; the averages only once something filled."""
    body: Json = {
        "order_id": order.order_id,
        "client_order_id": order.client_order_id,
        "fill_count": count(order.filled),
        "remaining_count": count(order.remaining),
        "ts_ms": exchange.venue.now_ms,
    }
    if order.filled:
        fees = order.taker_fees + order.maker_fees
        body["average_fill_price"] = dollars(_half_up(order.value, order.filled))
        body["average_fee_paid"] = dollars(_half_up(fees, order.filled))
    if not order.client_order_id:
        del body["client_order_id"]
    return body


def _half_up(total: int, parts: int) -> int:
    return (2 * total + parts) // (2 * parts)


def _error(refused: Refused) -> Json:
    return {
        "code": refused.code,
        "message": refused.message or refused.code.replace("_", " "),
        "details": refused.details or "",
    }


ROUTES = [
    web.post("/portfolio/events/orders", with_faults(create_order)),
    web.post("/portfolio/events/orders/batched", with_faults(create_batch)),
    web.delete("/portfolio/events/orders", with_faults(cancel_every_order)),
    web.delete("/portfolio/events/orders/batched", with_faults(cancel_batch)),
    web.delete("/portfolio/events/orders/{order_id}", with_faults(cancel_order)),
    web.post("/portfolio/events/orders/{order_id}/amend", with_faults(amend_order)),
    web.post("/portfolio/events/orders/{order_id}/decrease", with_faults(decrease_order)),
    web.post("/portfolio/orders", retired),
    web.post("/portfolio/orders/batched", retired),
    web.delete("/portfolio/orders/batched", retired),
    web.delete("/portfolio/orders/{order_id}", retired),
    web.post("/portfolio/orders/{order_id}/amend", retired),
    web.post("/portfolio/orders/{order_id}/decrease", retired),
]
