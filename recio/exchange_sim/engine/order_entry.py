"""Decides the account's order requests: accept, execute, rest or refuse; it reads no body and writes no reply."""

from __future__ import annotations

from recio.exchange_sim.engine.admission import reducing_refusal, refusal_of
from recio.exchange_sim.engine.execution import (
    cancel_order,
    cancel_remainder,
    order_changed,
    rest_order,
    take,
)
from recio.exchange_sim.engine.orders import MARKET_NOT_FOUND, NOT_FOUND, Order, Refused
from recio.exchange_sim.engine.requests import AUTO_ROUTE, NewOrder, SelfTradePrevention, TimeInForce
from recio.exchange_sim.engine.traded_market import Status, TradedMarket
from recio.exchange_sim.engine.venue import Venue


def create(venue: Venue, request: NewOrder) -> Order | Refused:
    """Accept a new order and execute it as far as it goes."""
    market = venue.markets.get(request.ticker)
    if market is None or request.shard not in (AUTO_ROUTE, market.shard):
        return MARKET_NOT_FOUND
    refusal = refusal_of(venue, market, request)
    if refusal is not None:
        return refusal
    quantity = _reducible(venue, request) if request.reduce_only else request.quantity
    order = _new_order(venue, market, request, quantity)
    if request.client_order_id:
        venue.used_client_ids.add(request.client_order_id)
    venue.orders[order.order_id] = order
    execute_and_rest(venue, market, order, request.time_in_force)
    return order


def found_order(
    venue: Venue,
    order_id: str,
    *,
    shard: int | None,
    market_ticker: str | None,
    strict: bool,
    subaccount: int = 0,
) -> Order | None:
    """The order a request means; without a shard only shard 0 is searched, as on the real venue."""
    order = venue.orders.get(order_id)
    if order is None or order.subaccount != subaccount:
        return None
    if shard is None and market_ticker is None:
        return order if not strict or order.shard == 0 else None
    if shard not in (None, AUTO_ROUTE):
        return order if shard == order.shard else None
    routed = venue.markets.get(market_ticker or order.ticker)
    return order if routed is not None and routed.shard == order.shard else None


def cancel(
    venue: Venue,
    order_id: str,
    *,
    shard: int | None,
    market_ticker: str | None,
    strict: bool,
    subaccount: int = 0,
) -> tuple[Order, int] | Refused:
    """Cancel one resting order."""
    order = found_order(
        venue, order_id, shard=shard, market_ticker=market_ticker, strict=strict, subaccount=subaccount
    )
    if order is None:
        return NOT_FOUND
    market = venue.markets[order.ticker]
    refusal = reducing_refusal(venue, market, order)
    if refusal is not None:
        return refusal
    return order, cancel_order(venue, market, order, "")


def cancel_all(venue: Venue, subaccount: int | None = None) -> int:
    """Cancel every resting order on every shard, of every subaccount unless one is named."""
    ended = 0
    for ticker in list(venue.open_orders):
        market = venue.markets[ticker]
        if market.status not in (Status.ACTIVE, Status.INACTIVE):
            continue
        for order in venue.open_of(ticker):
            if subaccount in (None, order.subaccount):
                cancel_order(venue, market, order, "")
                ended += 1
    return ended


def expire(venue: Venue) -> None:
    """Cancel what has outlived its expiration time, and what did not want to wait through a pause, of all members."""
    for member in venue.members:
        if member.open_orders:
            _expire(member)


def _expire(venue: Venue) -> None:
    paused = venue.trading_paused(venue.now_ms) or venue.exchange_paused(venue.now_ms)
    for ticker in list(venue.open_orders):
        market = venue.markets[ticker]
        if market.status not in (Status.ACTIVE, Status.INACTIVE):
            continue
        halted = paused or market.status is Status.INACTIVE
        for order in venue.open_of(ticker):
            if order.expires_ms is not None and order.expires_ms <= venue.now_ms:
                cancel_order(venue, market, order, "ExpiryCancel")
            elif halted and order.cancel_on_pause:
                cancel_order(venue, market, order, "HaltCancel")


def _reducible(venue: Venue, request: NewOrder) -> int:
    held = venue.accounts[request.subaccount].held(request.ticker)
    closable = max(-held, 0) if request.bid else max(held, 0)
    return min(request.quantity, closable)


def _new_order(venue: Venue, market: TradedMarket, request: NewOrder, quantity: int) -> Order:
    return Order(
        sequence=venue.next_sequence(),
        order_id=venue.new_id(),
        client_order_id=request.client_order_id,
        ticker=market.ticker,
        event_ticker=market.event_ticker,
        shard=market.shard,
        bid=request.bid,
        price=request.price,
        initial=request.quantity,
        remaining=quantity,
        self_trade_prevention=request.self_trade_prevention.value,
        created_ms=venue.now_ms,
        updated_ms=venue.now_ms,
        expires_ms=request.expires_ms,
        subaccount=request.subaccount,
        owner=venue.owner,
        group_id=request.group_id,
        post_only=request.post_only,
        cancel_on_pause=request.cancel_on_pause,
    )


def execute_and_rest(venue: Venue, market: TradedMarket, order: Order, time_in_force: TimeInForce) -> None:
    """Execute, then rest or end what is left."""
    if not order.remaining:
        cancel_remainder(venue, order, "ReduceOnlyCancel")
        return
    stop_at_own = order.self_trade_prevention == SelfTradePrevention.TAKER_AT_CROSS
    left, stopped = take(
        venue,
        market,
        owner=venue.owner,
        bid=order.bid,
        limit=order.price,
        quantity=order.remaining,
        stop_at_own=stop_at_own,
        order=order,
    )
    if not left:
        return
    group = venue.groups.get(order.group_id)
    if stopped or time_in_force is not TimeInForce.GOOD_TILL_CANCELED or (group and group.triggered):
        cancel_remainder(venue, order, "SelfTradeCancel" if stopped else "")
        return
    rest_order(venue, market, order)
    if not order.filled:
        order_changed(venue, order, "")
