"""Decides the account's order requests: accept, execute, rest or refuse; it reads no body and writes no reply."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from recio.exchange_sim.market.markets import SHARD, Market, Status
from recio.exchange_sim.matching.account import collateral
from recio.exchange_sim.matching.execution import (
    cancel_order,
    order_changed,
    rest_order,
    take,
)
from recio.exchange_sim.matching.fees import ALIGNMENT, model_fee
from recio.exchange_sim.matching.grid import on_grid
from recio.exchange_sim.matching.orders import (
    INSUFFICIENT_BALANCE,
    MARKET_INACTIVE,
    MARKET_NOT_FOUND,
    NOT_FOUND,
    Order,
    OrderStatus,
    Refused,
)
from recio.exchange_sim.venue import ACCOUNT_OWNER, Venue

AUTO_ROUTE = -1


class TimeInForce(StrEnum):
    GOOD_TILL_CANCELED = "good_till_canceled"
    IMMEDIATE_OR_CANCEL = "immediate_or_cancel"
    FILL_OR_KILL = "fill_or_kill"


class SelfTradePrevention(StrEnum):
    TAKER_AT_CROSS = "taker_at_cross"
    MAKER = "maker"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOrder:
    """A create request whose fields have the right types."""

    ticker: str
    bid: bool
    price: int
    quantity: int
    time_in_force: TimeInForce
    self_trade_prevention: SelfTradePrevention
    client_order_id: str = ""
    expires_ms: int | None = None
    post_only: bool = False
    reduce_only: bool = False
    shard: int = AUTO_ROUTE


def create(venue: Venue, request: NewOrder) -> Order | Refused:
    """Accept a new order and execute it as far as it goes."""
    market = venue.markets.get(request.ticker)
    if market is None:
        return MARKET_NOT_FOUND
    refusal = _refusal(venue, market, request)
    if refusal is not None:
        return refusal
    quantity = _reducible(venue, request) if request.reduce_only else request.quantity
    order = _new_order(venue, market, request, quantity)
    if request.client_order_id:
        venue.used_client_ids.add(request.client_order_id)
    venue.orders[order.order_id] = order
    work(venue, market, order, request.time_in_force)
    return order


def cancel(
    venue: Venue, order_id: str, *, shard: int | None, market_ticker: str | None, strict: bool
) -> tuple[Order, int] | Refused:
    """Cancel one resting order; without a shard only shard 0 is searched, as on the real venue."""
    if shard is None and market_ticker is None:
        shard = 0 if strict else SHARD
    if market_ticker is not None and market_ticker not in venue.markets:
        return NOT_FOUND
    if shard not in (None, AUTO_ROUTE, SHARD):
        return NOT_FOUND
    order = venue.orders.get(order_id)
    if order is None:
        return NOT_FOUND
    market = venue.markets[order.ticker]
    if market.status is not Status.ACTIVE:
        return MARKET_INACTIVE
    if order.status is not OrderStatus.RESTING:
        return NOT_FOUND
    return order, cancel_order(venue, market, order, "")


def cancel_all(venue: Venue) -> int:
    """Cancel every resting order on every shard."""
    ended = 0
    for market in venue.active_markets():
        for order in venue.open_of(market.ticker):
            cancel_order(venue, market, order, "")
            ended += 1
    return ended


def expire(venue: Venue) -> None:
    """Cancel what has outlived its expiration time."""
    for market in venue.active_markets():
        for order in venue.open_of(market.ticker):
            if order.expires_ms is not None and order.expires_ms <= venue.now_ms:
                cancel_order(venue, market, order, "ExpiryCancel")


def _refusal(venue: Venue, market: Market, request: NewOrder) -> Refused | None:
    """The first reason against a new order, in the order the venue looks."""
    if request.client_order_id and request.client_order_id in venue.used_client_ids:
        return Refused(status=409, code="order_already_exists")
    if not on_grid(request.price):
        return Refused(status=400, code="invalid_price")
    if request.quantity <= 0:
        return Refused(status=400, code="invalid_order_size")
    if market.status is not Status.ACTIVE:
        return MARKET_INACTIVE
    flaw = _flaw(venue, request)
    if flaw is not None:
        return Refused(status=400, code="invalid_order", details=flaw)
    return _unaffordable(venue, market, request) or _unfillable(market, request)


def _flaw(venue: Venue, request: NewOrder) -> str | None:
    good_till = request.time_in_force is TimeInForce.GOOD_TILL_CANCELED
    if request.expires_ms is not None and not good_till:
        return "expiration time only with good_till_canceled"
    if request.expires_ms is not None and request.expires_ms <= venue.now_ms:
        return "expiration time must be in the future"
    if request.post_only and not good_till:
        return "post only needs good_till_canceled"
    if request.reduce_only and request.time_in_force is not TimeInForce.IMMEDIATE_OR_CANCEL:
        return "reduce only needs immediate_or_cancel"
    return None


def _unaffordable(venue: Venue, market: Market, request: NewOrder) -> Refused | None:
    """Collateral and the largest possible fee must be free on the shard the order goes to."""
    shard = SHARD if request.shard == AUTO_ROUTE else request.shard
    if _needed(venue, market, request) > venue.available(shard):
        return INSUFFICIENT_BALANCE
    return None if shard == SHARD else MARKET_NOT_FOUND


def _needed(venue: Venue, market: Market, request: NewOrder) -> int:
    """What the order would bind beyond the orders that already rest in its market."""
    if request.reduce_only:
        return 0
    resting = venue.open_of(market.ticker)
    held = venue.account.held(market.ticker)
    closing = closing_left(resting, held, bid=request.bid)
    opening = max(request.quantity - closing, 0)
    fee = 0 if request.post_only else model_fee(request.price, opening) + (ALIGNMENT if opening else 0)
    return collateral(bid=request.bid, price=request.price, quantity=opening) + fee


def closing_left(resting: list[Order], held: int, *, bid: bool) -> int:
    """How much of the opposite position no resting order closes yet."""
    closable = max(-held, 0) if bid else max(held, 0)
    return max(closable - sum(order.remaining for order in resting if order.bid == bid), 0)


def _unfillable(market: Market, request: NewOrder) -> Refused | None:
    if request.post_only and market.book.crosses(bid=request.bid, price=request.price):
        return Refused(status=400, code="invalid_order", details="post only cross")
    if request.time_in_force is TimeInForce.FILL_OR_KILL:
        found = market.book.fillable(
            owner=ACCOUNT_OWNER,
            bid=request.bid,
            limit=request.price,
            wanted=request.quantity,
            stop_at_own=request.self_trade_prevention is SelfTradePrevention.TAKER_AT_CROSS,
        )
        if found < request.quantity:
            return Refused(status=400, code="fill_or_kill_insufficient_resting_volume")
    return None


def _reducible(venue: Venue, request: NewOrder) -> int:
    held = venue.account.held(request.ticker)
    closable = max(-held, 0) if request.bid else max(held, 0)
    return min(request.quantity, closable)


def _new_order(venue: Venue, market: Market, request: NewOrder, quantity: int) -> Order:
    return Order(
        sequence=venue.next_sequence(),
        order_id=venue.new_id(),
        client_order_id=request.client_order_id,
        ticker=market.ticker,
        event_ticker=market.event_ticker,
        shard=SHARD,
        bid=request.bid,
        price=request.price,
        initial=request.quantity,
        remaining=quantity,
        self_trade_prevention=request.self_trade_prevention.value,
        created_ms=venue.now_ms,
        updated_ms=venue.now_ms,
        expires_ms=request.expires_ms,
    )


def work(venue: Venue, market: Market, order: Order, time_in_force: TimeInForce) -> None:
    """Execute, then rest or end what is left."""
    if not order.remaining:
        order.status = OrderStatus.CANCELED
        order_changed(venue, order, "ReduceOnlyCancel")
        return
    stop_at_own = order.self_trade_prevention == SelfTradePrevention.TAKER_AT_CROSS
    left, stopped = take(
        venue,
        market,
        owner=ACCOUNT_OWNER,
        bid=order.bid,
        limit=order.price,
        quantity=order.remaining,
        stop_at_own=stop_at_own,
        order=order,
    )
    if not left:
        return
    if stopped or time_in_force is not TimeInForce.GOOD_TILL_CANCELED:
        order.remaining = 0
        order.status = OrderStatus.CANCELED
        order_changed(venue, order, "SelfTradeCancel" if stopped else "")
        return
    rest_order(venue, market, order)
    if not order.filled:
        order_changed(venue, order, "")
