"""Decides changes of resting orders: amend and decrease, with the queue place they keep or lose; no wire."""

from __future__ import annotations

from recio.exchange_sim.engine.account import collateral
from recio.exchange_sim.engine.admission import (
    closing_left,
    expiry_flaw,
    largest_fee,
    placing_refusal,
    reducing_refusal,
)
from recio.exchange_sim.engine.execution import (
    cancel_order,
    cancel_remainder,
    order_changed,
    publish_book,
    remove_from_book,
)
from recio.exchange_sim.engine.order_entry import execute_and_rest
from recio.exchange_sim.engine.orders import (
    ALREADY_EXISTS,
    INSUFFICIENT_BALANCE,
    INVALID_SIZE,
    NOT_FOUND,
    Order,
    OrderStatus,
    Refused,
    resting_collateral,
)
from recio.exchange_sim.engine.requests import AUTO_ROUTE, NewOrder, TimeInForce
from recio.exchange_sim.engine.traded_market import TradedMarket
from recio.exchange_sim.engine.venue import Venue


def amend(
    venue: Venue, order_id: str, request: NewOrder, *, new_client_id: str, keep_expiry: bool
) -> Order | Refused:
    """Change price, total count or expiry. Only a smaller count or another expiry keeps the place in the queue."""
    order = venue.orders.get(order_id)
    if order is None or order.subaccount != request.subaccount:
        return NOT_FOUND
    if request.shard not in (AUTO_ROUTE, order.shard):
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
    order.initial = request.quantity
    if request.price == order.price and remaining <= order.remaining:
        _shrink(venue, market, order, remaining, "Amend")
    else:
        _replace(venue, market, order, request.price, remaining)
    return order


def decrease(venue: Venue, order: Order, *, reduce_by: int | None, reduce_to: int | None) -> Order | Refused:
    """Make a resting order smaller; down to nothing means cancelled."""
    market = venue.markets[order.ticker]
    refusal = reducing_refusal(venue, market, order)
    if refusal is not None:
        return refusal
    target = reduce_to if reduce_to is not None else order.remaining - (reduce_by or 0)
    target = max(target, 0)
    if target > order.remaining:
        return INVALID_SIZE
    _shrink(venue, market, order, target, "Decrease")
    return order


def _amend_refusal(
    venue: Venue, market: TradedMarket, order: Order, request: NewOrder, new_client_id: str
) -> Refused | None:
    stopped = placing_refusal(venue, market)
    if stopped is not None:
        return stopped
    if order.status is not OrderStatus.RESTING:
        return NOT_FOUND
    return (
        _mismatch(order, request)
        or (ALREADY_EXISTS if new_client_id and new_client_id in venue.used_client_ids else None)
        or (None if market.grid.holds(request.price) else Refused(code="invalid_price"))
        or (INVALID_SIZE if request.quantity <= order.filled else None)
        or _expired(venue, request)
        or _amend_unaffordable(venue, market, order, request)
    )


def _mismatch(order: Order, request: NewOrder) -> Refused | None:
    """The request must know the order it means."""
    if request.ticker != order.ticker:
        return Refused(code="order_ticker_mismatch")
    if request.bid != order.bid:
        return Refused(code="order_side_mismatch")
    if request.client_order_id and request.client_order_id != order.client_order_id:
        return Refused(code="order_id_and_client_order_id_mismatch")
    return None


def _expired(venue: Venue, request: NewOrder) -> Refused | None:
    flaw = expiry_flaw(venue, request)
    return None if flaw is None else Refused(code="invalid_order", details=flaw)


def _amend_unaffordable(
    venue: Venue, market: TradedMarket, order: Order, request: NewOrder
) -> Refused | None:
    held = venue.accounts[order.subaccount].held(market.ticker)
    resting = venue.open_of(market.ticker, order.subaccount)
    others = [other for other in resting if other is not order]
    freed = resting_collateral(resting, held) - resting_collateral(others, held)
    remaining = request.quantity - order.filled
    opening = max(remaining - closing_left(others, held, bid=order.bid), 0)
    needed = collateral(bid=order.bid, price=request.price, quantity=opening)
    needed += largest_fee(venue, market, request.price, opening, taker=not order.post_only)
    return INSUFFICIENT_BALANCE if needed > venue.available(order.shard, order.subaccount) + freed else None


def _shrink(venue: Venue, market: TradedMarket, order: Order, remaining: int, reason: str) -> None:
    if not remaining:
        cancel_order(venue, market, order, reason)
        return
    if order.resting is not None and remaining < order.remaining:
        market.book.reduce(order.resting, order.remaining - remaining)
        publish_book(venue, market)
    order.remaining = remaining
    order_changed(venue, order, reason)


def _replace(venue: Venue, market: TradedMarket, order: Order, price: int, remaining: int) -> None:
    """Leave the queue and come in again as a new arrival."""
    remove_from_book(venue, market, order)
    order.price = price
    order.remaining = remaining
    order_changed(venue, order, "Amend")
    if order.post_only and market.book.crosses(bid=order.bid, price=price):
        cancel_remainder(venue, order, "PostOnlyCrossCancel")
        return
    execute_and_rest(venue, market, order, TimeInForce.GOOD_TILL_CANCELED)
