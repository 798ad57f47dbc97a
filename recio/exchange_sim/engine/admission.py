"""Why an order cannot be placed, changed or ended now; it changes nothing."""

from __future__ import annotations

from itertools import accumulate

from recio.exchange_sim.clock import LATEST_MS
from recio.exchange_sim.engine.account import collateral
from recio.exchange_sim.engine.fees import model_fee
from recio.exchange_sim.engine.orders import (
    ALREADY_EXISTS,
    EXCHANGE_PAUSED,
    FORBIDDEN,
    GROUP_TRIGGERED,
    INSUFFICIENT_BALANCE,
    INVALID_SIZE,
    MARKET_INACTIVE,
    NOT_FOUND,
    TRADING_PAUSED,
    Order,
    OrderStatus,
    Refused,
    resting_collateral,
)
from recio.exchange_sim.engine.requests import NewOrder, SelfTradePrevention, TimeInForce
from recio.exchange_sim.engine.traded_market import Status, TradedMarket
from recio.exchange_sim.engine.venue import Venue


def placing_refusal(venue: Venue, market: TradedMarket) -> Refused | None:
    """Why nothing can be placed or amended in a market now."""
    if venue.exchange_paused(venue.now_ms):
        return EXCHANGE_PAUSED
    if venue.trading_paused(venue.now_ms):
        return TRADING_PAUSED
    return None if market.status is Status.ACTIVE else MARKET_INACTIVE


def refusal_of(venue: Venue, market: TradedMarket, request: NewOrder) -> Refused | None:
    """The first reason against a new order, in the order the venue looks."""
    if request.client_order_id and request.client_order_id in venue.used_client_ids:
        return ALREADY_EXISTS
    if not market.grid.holds(request.price):
        return Refused(code="invalid_price")
    if request.quantity <= 0:
        return INVALID_SIZE
    if request.subaccount not in venue.accounts:
        return FORBIDDEN
    stopped = placing_refusal(venue, market) or _group_refusal(venue, market, request)
    if stopped is not None:
        return stopped
    flaw = _flaw(venue, request)
    if flaw is not None:
        return Refused(code="invalid_order", details=flaw)
    return _unaffordable(venue, market, request) or _unfillable(venue, market, request)


def _group_refusal(venue: Venue, market: TradedMarket, request: NewOrder) -> Refused | None:
    """A group is bound to one subaccount and one shard, and takes no order once triggered."""
    if not request.group_id:
        return None
    group = venue.groups.get(request.group_id)
    if group is None or (group.subaccount, group.shard) != (request.subaccount, market.shard):
        return Refused(code="not_found", details="order group")
    return GROUP_TRIGGERED if group.triggered else None


def _flaw(venue: Venue, request: NewOrder) -> str | None:
    good_till = request.time_in_force is TimeInForce.GOOD_TILL_CANCELED
    if request.expires_ms is not None and not good_till:
        return "expiration time only with good_till_canceled"
    expiry = expiry_flaw(venue, request)
    if expiry is not None:
        return expiry
    if request.post_only and not good_till:
        return "post only needs good_till_canceled"
    if request.reduce_only and request.time_in_force is not TimeInForce.IMMEDIATE_OR_CANCEL:
        return "reduce only needs immediate_or_cancel"
    return None


def expiry_flaw(venue: Venue, request: NewOrder) -> str | None:
    """What is wrong with an expiration time; milliseconds where seconds belong are a year that nobody can write."""
    if request.expires_ms is None:
        return None
    if request.expires_ms <= venue.now_ms:
        return "expiration time must be in the future"
    return "expiration time is too far in the future" if request.expires_ms > LATEST_MS else None


def _unaffordable(venue: Venue, market: TradedMarket, request: NewOrder) -> Refused | None:
    """Collateral and the largest possible fee must be free on the market's shard."""
    free = venue.available(market.shard, request.subaccount)
    return INSUFFICIENT_BALANCE if _needed(venue, market, request) > free else None


def _needed(venue: Venue, market: TradedMarket, request: NewOrder) -> int:
    """What the order would bind beyond the orders that already rest in its market."""
    resting = venue.open_of(market.ticker, request.subaccount)
    held = venue.accounts[request.subaccount].held(market.ticker)
    if request.reduce_only:
        return _needed_to_reduce(venue, market, request, resting, held)
    closing = closing_left(resting, held, bid=request.bid)
    opening = max(request.quantity - closing, 0)
    fee = largest_fee(venue, market, request.price, opening, taker=not request.post_only)
    return collateral(bid=request.bid, price=request.price, quantity=opening) + fee


def _needed_to_reduce(
    venue: Venue, market: TradedMarket, request: NewOrder, resting: list[Order], held: int
) -> int:
    """What free money must give when a reduction takes the position away from the orders that were to close it.

    Those then bind collateral of their own. How much more that is than the reduction earns changes only where one of
    them begins to, so the largest is at one of these quantities. A better price than the limit only earns more.
    """
    closable = max(-held if request.bid else held, 0)
    whole = min(request.quantity, closable)
    same = [order.remaining for order in resting if order.bid == request.bid]
    quantities = {whole, *(closable - sum_of for sum_of in accumulate(same) if 0 < closable - sum_of < whole)}
    bound = resting_collateral(resting, held)

    def lost(quantity: int) -> int:
        left = held + quantity if request.bid else held - quantity
        earned = collateral(bid=not request.bid, price=request.price, quantity=quantity)
        fee = largest_fee(venue, market, request.price, quantity, taker=True)
        return resting_collateral(resting, left) - bound - earned + fee

    return max(map(lost, quantities))


def largest_fee(venue: Venue, market: TradedMarket, price: int, opening: int, *, taker: bool) -> int:
    """The fee an order must be able to pay; a resting fee never is above a taker's."""
    if not opening:
        return 0
    fee = model_fee(price, opening, market.fees, taker=taker)
    return fee + venue.floor.alignment if fee else 0


def closing_left(resting: list[Order], held: int, *, bid: bool) -> int:
    """How much of the opposite position no resting order closes yet."""
    closable = max(-held, 0) if bid else max(held, 0)
    return max(closable - sum(order.remaining for order in resting if order.bid == bid), 0)


def _unfillable(venue: Venue, market: TradedMarket, request: NewOrder) -> Refused | None:
    if request.post_only and market.book.crosses(bid=request.bid, price=request.price):
        return Refused(code="invalid_order", details="post only cross")
    if request.time_in_force is TimeInForce.FILL_OR_KILL:
        found = market.book.fillable(
            owner=venue.owner,
            bid=request.bid,
            limit=request.price,
            wanted=request.quantity,
            stop_at_own=request.self_trade_prevention is SelfTradePrevention.TAKER_AT_CROSS,
        )
        if found < request.quantity:
            return Refused(code="fill_or_kill_insufficient_resting_volume")
    return None


def reducing_refusal(venue: Venue, market: TradedMarket, order: Order) -> Refused | None:
    """Why an order cannot be made smaller or cancelled now; a trading pause is no reason."""
    if venue.exchange_paused(venue.now_ms):
        return EXCHANGE_PAUSED
    if market.status not in (Status.ACTIVE, Status.INACTIVE):
        return MARKET_INACTIVE
    return None if order.status is OrderStatus.RESTING else NOT_FOUND
