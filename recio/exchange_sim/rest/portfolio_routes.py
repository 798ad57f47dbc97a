"""Private REST reads: balance, positions, fills, settlements, orders, limits; they change nothing."""

from __future__ import annotations

from aiohttp import web

from recio.exchange_sim.exchange import exchange_of
from recio.exchange_sim.matching.account import Position
from recio.exchange_sim.matching.orders import NOT_FOUND, Order, OrderStatus
from recio.exchange_sim.rest.market_json import Json
from recio.exchange_sim.rest.portfolio_json import (
    event_position_json,
    fill_json,
    order_json,
    position_json,
    settlement_json,
)
from recio.exchange_sim.rest.replies import BadParameter, limit_of, names_of, number_of, page, refusal, reply
from recio.exchange_sim.rest.texts import balance
from recio.exchange_sim.venue import Venue
from recio.units import ONE_DOLLAR

_CENT = 10_000
_COSTS: tuple[tuple[str, str, int], ...] = (
    ("DELETE", "/portfolio/events/orders/{order_id}", 2),
    ("DELETE", "/portfolio/events/orders", 2),
    ("DELETE", "/portfolio/events/orders/batched", 2),
    ("GET", "/portfolio/orders/{order_id}", 2),
)


async def get_balance(request: web.Request) -> web.Response:
    venue = exchange_of(request).venue
    only = number_of(request, "exchange_index", "GetBalance")
    shards = [shard for shard in sorted(venue.account.cash) if only in (None, shard)]
    free = {shard: venue.available(shard) for shard in shards}
    total = sum(free.values())
    body: Json = {
        "balance": total // _CENT,
        "balance_dollars": balance(total),
        "balance_breakdown": [{"exchange_index": shard, "balance": balance(free[shard])} for shard in shards],
        "portfolio_value": _portfolio_value(venue) // _CENT,
        "updated_ts": venue.now_ms // 1000,
    }
    return reply(body)


async def list_positions(request: web.Request) -> web.Response:
    limit = limit_of(request, "GetPositions")
    venue = exchange_of(request).venue
    found = [position for position in venue.account.positions.values() if _position_wanted(request, position)]
    keys = {ticker: number for number, ticker in enumerate(venue.account.positions)}
    cursor = request.query.get("cursor", "")
    chosen, following = page(found, key=lambda position: keys[position.ticker], limit=limit, cursor=cursor)
    body = {
        "market_positions": [position_json(position) for position in chosen],
        "event_positions": [event_position_json(position) for position in chosen],
        "cursor": following,
    }
    return reply(body)


async def list_fills(request: web.Request) -> web.Response:
    limit = limit_of(request, "GetFills")
    tickers, order_id = names_of(request, "ticker"), request.query.get("order_id", "")
    earliest = number_of(request, "min_ts", "GetFills")
    latest = number_of(request, "max_ts", "GetFills")
    found = [
        fill
        for fill in exchange_of(request).venue.fills
        if (not tickers or fill.order.ticker in tickers)
        and (not order_id or fill.order.order_id == order_id)
        and _within(fill.now_ms, earliest, latest)
    ]
    cursor = request.query.get("cursor", "")
    chosen, following = page(found, key=lambda fill: fill.sequence, limit=limit, cursor=cursor)
    return reply({"fills": [fill_json(fill) for fill in chosen], "cursor": following})


async def list_settlements(request: web.Request) -> web.Response:
    limit = limit_of(request, "GetSettlements")
    ticker, event = request.query.get("ticker", ""), request.query.get("event_ticker", "")
    earliest = number_of(request, "min_ts", "GetSettlements")
    latest = number_of(request, "max_ts", "GetSettlements")
    found = [
        row
        for row in exchange_of(request).venue.account.settlements
        if (not ticker or row.ticker == ticker)
        and (not event or row.event_ticker == event)
        and _within(row.settled_ms, earliest, latest)
    ]
    cursor = request.query.get("cursor", "")
    chosen, following = page(found, key=lambda row: row.sequence, limit=limit, cursor=cursor)
    return reply({"settlements": [settlement_json(row) for row in chosen], "cursor": following})


async def list_orders(request: web.Request) -> web.Response:
    limit = limit_of(request, "GetOrders")
    status = request.query.get("status", "")
    if status and status not in tuple(OrderStatus):
        raise BadParameter("GetOrders", "Status", "oneof")
    earliest = number_of(request, "min_ts", "GetOrders")
    latest = number_of(request, "max_ts", "GetOrders")
    venue = exchange_of(request).venue
    found = [
        order
        for order in venue.orders.values()
        if _order_wanted(request, order, status) and _within(order.created_ms, earliest, latest)
    ]
    cursor = request.query.get("cursor", "")
    chosen, following = page(found, key=lambda order: order.sequence, limit=limit, cursor=cursor)
    user = venue.account.user_id
    return reply({"orders": [order_json(order, user) for order in chosen], "cursor": following})


async def get_order(request: web.Request) -> web.Response:
    venue = exchange_of(request).venue
    order = venue.orders.get(request.match_info["order_id"])
    return refusal(NOT_FOUND) if order is None else reply({"order": order_json(order, venue.account.user_id)})


async def account_limits(_request: web.Request) -> web.Response:
    body: Json = {
        "usage_tier": "basic",
        "read": {"refill_rate": 200, "bucket_capacity": 600},
        "write": {"refill_rate": 100, "bucket_capacity": 100},
        "grants": [],
    }
    return reply(body)


async def endpoint_costs(_request: web.Request) -> web.Response:
    costs = [
        {"method": method, "path": f"/trade-api/v2{path}", "cost": tokens} for method, path, tokens in _COSTS
    ]
    return reply({"default_cost": 10, "endpoint_costs": costs})


def _within(moment_ms: int, earliest: int | None, latest: int | None) -> bool:
    return (earliest is None or moment_ms >= earliest * 1000) and (
        latest is None or moment_ms < (latest + 1) * 1000
    )


def _order_wanted(request: web.Request, order: Order, status: str) -> bool:
    ticker, events = request.query.get("ticker", ""), names_of(request, "event_ticker")
    shard = number_of(request, "exchange_index", "GetOrders")
    return (
        (not ticker or order.ticker == ticker)
        and (not events or order.event_ticker in events)
        and (not status or order.status.value == status)
        and shard in (None, order.shard)
    )


def _position_wanted(request: web.Request, position: Position) -> bool:
    ticker, events = request.query.get("ticker", ""), names_of(request, "event_ticker")
    state = request.query.get("settlement_status", "unsettled")
    shard = number_of(request, "exchange_index", "GetPositions")
    counted = names_of(request, "count_filter")
    return (
        (not ticker or position.ticker == ticker)
        and (not events or position.event_ticker in events)
        and (state == "all" or (state == "settled") == position.settled)
        and shard in (None, position.shard)
        and (not counted or _counts(position, counted))
    )


def _counts(position: Position, counted: set[str]) -> bool:
    """Whether any of the named counts is not zero."""
    return ("position" in counted and position.quantity != 0) or (
        "total_traded" in counted and position.traded != 0
    )


def _portfolio_value(venue: Venue) -> int:
    """Open positions at what the book would pay for them, or at cost where nobody bids."""
    return sum(_worth(venue, position) for position in venue.account.positions.values() if position.quantity)


def _worth(venue: Venue, position: Position) -> int:
    book = venue.markets[position.ticker].book
    best = book.best_bid() if position.quantity > 0 else book.best_ask()
    if best is None:
        return position.cost
    price = best if position.quantity > 0 else ONE_DOLLAR - best
    return price * abs(position.quantity)


ROUTES = [
    web.get("/portfolio/balance", get_balance),
    web.get("/portfolio/positions", list_positions),
    web.get("/portfolio/fills", list_fills),
    web.get("/portfolio/settlements", list_settlements),
    web.get("/portfolio/orders", list_orders),
    web.get("/portfolio/orders/{order_id}", get_order),
    web.get("/account/limits", account_limits),
    web.get("/account/endpoint_costs", endpoint_costs),
]
