"""Order endpoints: create, cancel, cancel all, amend, decrease, batches; every answer leaves through here."""

from __future__ import annotations

from aiohttp import web

from recio.exchange_sim.engine.order_change import amend, decrease
from recio.exchange_sim.engine.order_entry import cancel, cancel_all, create, found_order
from recio.exchange_sim.engine.orders import EXCHANGE_PAUSED, INVALID_SIZE, NOT_FOUND, Order, Refused
from recio.exchange_sim.engine.units import UnitError
from recio.exchange_sim.engine.venue import Venue
from recio.exchange_sim.exchange import Exchange
from recio.exchange_sim.wire.app_keys import exchange_of, venue_of
from recio.exchange_sim.wire.rest import order_bodies as bodies
from recio.exchange_sim.wire.rest.replies import number_of, refusal, reply
from recio.exchange_sim.wire.rest.request_body import body_of
from recio.exchange_sim.wire.texts import Json, count, dollars

RETIRED = Refused(
    code="deprecated_v1_order_endpoint",
    message="Please switch to the V2 endpoints",
    details="https://docs.kalshi.com/api-reference/orders/create-order-v2",
)


async def create_order(request: web.Request) -> web.Response:
    exchange = exchange_of(request)
    body = await body_of(request, bodies.CreateOrderV2Request)
    made = _create(venue_of(request), body)
    exchange.publish()
    return refusal(made) if isinstance(made, Refused) else reply(_executed(exchange.venue.now_ms, made), 201)


async def create_batch(request: web.Request) -> web.Response:
    exchange = exchange_of(request)
    batch = await body_of(request, bodies.BatchCreateV2Request)
    results: list[Json] = []
    for body in batch.orders:
        made = _create(venue_of(request), body)
        if isinstance(made, Refused):
            results.append({"client_order_id": body.client_order_id, "error": _error(made)})
        else:
            results.append(_executed(exchange.venue.now_ms, made))
    exchange.publish()
    return reply({"orders": results}, 201)


async def cancel_order(request: web.Request) -> web.Response:
    exchange = exchange_of(request)
    item = bodies.BatchCancelItem(
        order_id=request.match_info["order_id"],
        subaccount=number_of(request, "subaccount", "CancelOrder") or 0,
        exchange_index=number_of(request, "exchange_index", "CancelOrder"),
        market_ticker=request.query.get("market_ticker") or None,
    )
    ended = _cancel(exchange, venue_of(request), item)
    return refusal(ended) if isinstance(ended, Refused) else reply(ended)


async def cancel_batch(request: web.Request) -> web.Response:
    exchange = exchange_of(request)
    batch = await body_of(request, bodies.BatchCancelV2Request)
    results: list[Json] = []
    for item in batch.orders:
        ended = _cancel(exchange, venue_of(request), item)
        if isinstance(ended, Refused):
            results.append({"order_id": item.order_id, "reduced_by": "0.00", "error": _error(ended)})
        else:
            results.append(ended)
    return reply({"orders": results})


async def cancel_every_order(request: web.Request) -> web.Response:
    exchange = exchange_of(request)
    venue = venue_of(request)
    if venue.exchange_paused(venue.now_ms):
        return refusal(EXCHANGE_PAUSED)
    cancel_all(venue, number_of(request, "subaccount", "CancelAllOrders"))
    exchange.publish()
    return web.Response(status=204)


async def amend_order(request: web.Request) -> web.Response:
    exchange = exchange_of(request)
    body = await body_of(request, bodies.AmendOrderV2Request)
    asked = bodies.amended(body, number_of(request, "subaccount", "AmendOrder") or 0)
    if isinstance(asked, Refused):
        return refusal(asked)
    changed = amend(
        venue_of(request),
        request.match_info["order_id"],
        asked,
        new_client_id=body.updated_client_order_id,
        keep_expiry=body.expiration_time is None,
    )
    exchange.publish()
    return (
        refusal(changed) if isinstance(changed, Refused) else reply(_executed(exchange.venue.now_ms, changed))
    )


async def decrease_order(request: web.Request) -> web.Response:
    exchange, venue = exchange_of(request), venue_of(request)
    body = await body_of(request, bodies.DecreaseOrderV2Request)
    order = found_order(
        venue,
        request.match_info["order_id"],
        shard=body.exchange_index,
        market_ticker=body.market_ticker,
        strict=exchange.strict_shards,
        subaccount=number_of(request, "subaccount", "DecreaseOrder") or 0,
    )
    if order is None:
        return refusal(NOT_FOUND)
    try:
        by, to = bodies.size(body.reduce_by), bodies.size(body.reduce_to)
    except UnitError:
        return refusal(INVALID_SIZE)
    if (by is None) == (to is None):
        return refusal(Refused(code="invalid_order", details="exactly one of reduce_by, reduce_to"))
    changed = decrease(venue, order, reduce_by=by, reduce_to=to)
    exchange.publish()
    if isinstance(changed, Refused):
        return refusal(changed)
    shown = _executed(exchange.venue.now_ms, changed)
    kept = ("order_id", "client_order_id", "remaining_count", "ts_ms")
    return reply({key: value for key, value in shown.items() if key in kept})


async def retired(_request: web.Request) -> web.Response:
    """The old mutations are gone for good."""
    return refusal(RETIRED)


def _create(venue: Venue, body: bodies.CreateOrderV2Request) -> Order | Refused:
    asked = bodies.new_order(body)
    return asked if isinstance(asked, Refused) else create(venue, asked)


def _cancel(exchange: Exchange, venue: Venue, item: bodies.BatchCancelItem) -> Json | Refused:
    ended = cancel(
        venue,
        item.order_id,
        shard=item.exchange_index,
        market_ticker=item.market_ticker,
        strict=exchange.strict_shards,
        subaccount=item.subaccount,
    )
    exchange.publish()
    if isinstance(ended, Refused):
        return ended
    order, left = ended
    return {"order_id": order.order_id, "reduced_by": count(left), "ts_ms": venue.now_ms}


def _executed(now_ms: int, order: Order) -> Json:
    """What create and amend answer; the averages only once something filled."""
    body: Json = {
        "order_id": order.order_id,
        "client_order_id": order.client_order_id,
        "fill_count": count(order.filled),
        "remaining_count": count(order.remaining),
        "ts_ms": now_ms,
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
    web.post("/portfolio/events/orders", create_order),
    web.post("/portfolio/events/orders/batched", create_batch),
    web.delete("/portfolio/events/orders", cancel_every_order),
    web.delete("/portfolio/events/orders/batched", cancel_batch),
    web.delete("/portfolio/events/orders/{order_id}", cancel_order),
    web.post("/portfolio/events/orders/{order_id}/amend", amend_order),
    web.post("/portfolio/events/orders/{order_id}/decrease", decrease_order),
    web.post("/portfolio/orders", retired),
    web.post("/portfolio/orders/batched", retired),
    web.delete("/portfolio/orders/batched", retired),
    web.delete("/portfolio/orders/{order_id}", retired),
    web.post("/portfolio/orders/{order_id}/amend", retired),
    web.post("/portfolio/orders/{order_id}/decrease", retired),
]
