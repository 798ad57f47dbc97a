"""Decides changes of resting orders: amend and decrease, with the queue place they keep or lose; no wire."""

from __future__ import annotations

from recio.exchange_sim.market.markets import SHARD, Market, Status
from recio.exchange_sim.matching.account import collateral
from recio.exchange_sim.matching.execution import cancel_order, order_changed, publish_book, unrest
from recio.exchange_sim.matching.fees import model_fee
from recio.exchange_sim.matching.grid import on_grid
from recio.exchange_sim.matching.order_entry import NewOrder, TimeInForce, closing_left, work
from recio.exchange_sim.matching.orders import (
    INSUFFICIENT_BALANCE,
    MARKET_INACTIVE,
    NOT_FOUND,
    Order,
    OrderStatus,
    Refused,
    bound,
)
from recio.exchange_sim.venue import Venue


def amend(
    venue: Venue, order_id: str, request: NewOrder, *, new_client_id: str, keep_expiry: bool
) -> Order | Refused:
    """Change price, total count or expiry. Only a smaller count or another expiry keeps the place in the queue."""
    order = venue.orders.get(order_id)
    if order is None:
        return NOT_FOUND
    market = venue.markets[order.ticker]
    refusal = _amend_refusal(venue, market, order, request, new_client_id)
    if refusal is not None:
        return refusal
    if new_client_id:
        venue.used_client_ids.add(new_client_id)
        order.client_order_id = new_client_id
    if not keep_expiry:
        order.expires_ms = request.expires_ms
    remaining = request.quantity - order.filled
    if request.price == order.price and remaining <= order.remaining:
        _shrink(venue, market, order, remaining, "Amend")
    else:
        _replace(venue, market, order, request.price, request.quantity)
    return order


def decrease(venue: Venue, order_id: str, *, reduce_by: int | None, reduce_to: int | None) -> Order | Refused:
    """Make a resting order smaller; down to nothing means cancelled."""
    order = venue.orders.get(order_id)
    if order is None or (order.status is not OrderStatus.RESTING):
        return NOT_FOUND
    market = venue.markets[order.ticker]
    if market.status is not Status.ACTIVE:
        return MARKET_INACTIVE
    target = reduce_to if reduce_to is not None else order.remaining - (reduce_by or 0)
    target = max(target, 0)
    if target > order.remaining:
        return Refused(status=400, code="invalid_order_size")
    _shrink(venue, market, order, target, "Decrease")
    return order


def _amend_refusal(
    venue: Venue, market: Market, order: Order, request: NewOrder, new_client_id: str
) -> Refused | None:
    if market.status is not Status.ACTIVE:
        return MARKET_INACTIVE
    if order.status is not OrderStatus.RESTING:
        return NOT_FOUND
    if request.ticker != order.ticker:
        return Refused(status=400, code="order_ticker_mismatch")
    if request.bid != order.bid:
        return Refused(status=400, code="order_side_mismatch")
    if request.client_order_id and request.client_order_id != order.client_order_id:
        return Refused(status=400, code="order_id_and_client_order_id_mismatch")
    if new_client_id and new_client_id in venue.used_client_ids:
        return Refused(status=409, code="order_already_exists")
    if not on_grid(request.price):
        return Refused(status=400, code="invalid_price")
    if request.quantity <= order.filled:
        return Refused(status=400, code="invalid_order_size")
    return _amend_unaffordable(venue, market, order, request)


def _amend_unaffordable(venue: Venue, market: Market, order: Order, request: NewOrder) -> Refused | None:
    held = venue.account.held(market.ticker)
    others = [other for other in venue.open_of(market.ticker) if other is not order]
    freed = bound(venue.open_of(market.ticker), held) - bound(others, held)
    remaining = request.quantity - order.filled
    opening = max(remaining - closing_left(others, held, bid=order.bid), 0)
    needed = collateral(bid=order.bid, price=request.price, quantity=opening) + model_fee(
        request.price, opening
    )
    return INSUFFICIENT_BALANCE if needed > venue.available(SHARD) + freed else None


def _shrink(venue: Venue, market: Market, order: Order, remaining: int, reason: str) -> None:
    if not remaining:
        cancel_order(venue, market, order, reason)
        return
    if order.resting is not None and remaining < order.remaining:
        market.book.reduce(order.resting, order.remaining - remaining)
        publish_book(venue, market)
    order.remaining = remaining
    order_changed(venue, order, reason)


def _replace(venue: Venue, market: Market, order: Order, price: int, total: int) -> None:
    """Leave the queue and come in again as a new arrival."""
    unrest(venue, market, order)
    order.price = price
    order.initial = total
    order.remaining = total - order.filled
    order_changed(venue, order, "Amend")
    work(venue, market, order, TimeInForce.GOOD_TILL_CANCELED)
