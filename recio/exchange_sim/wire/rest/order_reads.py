"""Private REST reads of orders: lists, single orders and their place in the queue; they change nothing."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from recio.exchange_sim.engine.orders import NOT_FOUND, Order, OrderStatus
from recio.exchange_sim.engine.venue import Venue
from recio.exchange_sim.wire.app_keys import venue_of
from recio.exchange_sim.wire.rest import reading
from recio.exchange_sim.wire.rest.key_lock import may_see
from recio.exchange_sim.wire.rest.portfolio_json import order_json
from recio.exchange_sim.wire.rest.portfolio_routes import MOST_EVENTS, within
from recio.exchange_sim.wire.rest.replies import (
    BadParameter,
    few_names_of,
    limit_of,
    names_of,
    number_of,
    one_of,
    page,
    refusal,
    reply,
)
from recio.exchange_sim.wire.texts import count


async def list_orders(request: web.Request) -> web.Response:
    return _orders(request, "GetOrders", historical=False)


async def list_historical_orders(request: web.Request) -> web.Response:
    return _orders(request, "GetHistoricalOrders", historical=True)


async def get_order(request: web.Request) -> web.Response:
    venue = venue_of(request)
    order = reading.shown_order(venue, request.match_info["order_id"])
    if order is None or _is_old(venue, order) or not may_see(request, order.subaccount):
        return refusal(NOT_FOUND)
    return reply({"order": order_json(order, venue.account.user_id)})


async def queue_position(request: web.Request) -> web.Response:
    venue = venue_of(request)
    order = venue.orders.get(request.match_info["order_id"])
    if order is None or order.resting is None or not may_see(request, order.subaccount):
        return refusal(NOT_FOUND)
    return reply({"queue_position_fp": count(_ahead(venue, order))})


async def queue_positions(request: web.Request) -> web.Response:
    venue = venue_of(request)
    tickers, event = names_of(request, "market_tickers"), request.query.get("event_ticker", "")
    if not tickers and not event:
        raise BadParameter("GetOrderQueuePositions", "MarketTickers", "required_without")
    subaccount = number_of(request, "subaccount", "GetOrderQueuePositions") or 0
    rows = [
        {
            "order_id": order.order_id,
            "market_ticker": order.ticker,
            "queue_position_fp": count(_ahead(venue, order)),
        }
        for ticker in venue.open_orders
        for order in venue.open_of(ticker, subaccount)
        if order.ticker in tickers or order.event_ticker == event
    ]
    return reply({"queue_positions": rows})


def _ahead(venue: Venue, order: Order) -> int:
    """Contracts that match before this order by price, then time."""
    book_side = venue.markets[order.ticker].book.side(bid=order.bid)
    better = sum(
        total
        for price, total in book_side.totals.items()
        if (price > order.price if order.bid else price < order.price)
    )
    for resting in book_side.levels[order.price].values():
        if resting is order.resting:
            break
        better += resting.remaining
    return better


def _orders(request: web.Request, operation: str, *, historical: bool) -> web.Response:
    limit = limit_of(request, operation)
    venue = venue_of(request)
    wanted = _filter(request, operation)
    found = [
        order
        for order in reading.shown_orders(venue)
        if wanted(order) and _is_old(venue, order) == historical
    ]
    chosen, following = page(request, found, key=lambda order: order.sequence, limit=limit)
    user = venue.account.user_id
    return reply({"orders": [order_json(order, user) for order in chosen], "cursor": following})


def _is_old(venue: Venue, order: Order) -> bool:
    """A resting order never leaves the live endpoints."""
    return order.status is not OrderStatus.RESTING and reading.is_historical(venue, order.updated_ms)


def _filter(request: web.Request, operation: str) -> Callable[[Order], bool]:
    status = one_of(request, "status", operation, known=tuple(OrderStatus))
    ticker = request.query.get("ticker", "")
    events = few_names_of(request, "event_ticker", operation, most=MOST_EVENTS)
    shard = number_of(request, "exchange_index", operation)
    number = number_of(request, "subaccount", operation)
    in_time = within(request, operation)

    def wanted(order: Order) -> bool:
        return (
            (not ticker or order.ticker == ticker)
            and (not events or order.event_ticker in events)
            and (not status or order.status.value == status)
            and shard in (None, order.shard)
            and number in (None, order.subaccount)
            and in_time(order.created_ms)
        )

    return wanted


ROUTES = [
    web.get("/portfolio/orders", list_orders),
    web.get("/portfolio/orders/queue_positions", queue_positions),
    web.get("/portfolio/orders/{order_id}", get_order),
    web.get("/portfolio/orders/{order_id}/queue_position", queue_position),
    web.get("/historical/orders", list_historical_orders),
]
