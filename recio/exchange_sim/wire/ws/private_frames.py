"""The bodies of messages about a member's own orders, fills and positions; they go to nobody else."""

from __future__ import annotations

from recio.exchange_sim.clock import iso
from recio.exchange_sim.engine.account import Position
from recio.exchange_sim.engine.events import Filled, OrderChanged, OrderGroupChanged, PositionChanged
from recio.exchange_sim.engine.orders import Fill, Order
from recio.exchange_sim.wire.texts import Json, book_side, cost, count, dollars, outcome

PrivateEvent = Filled | OrderChanged | PositionChanged | OrderGroupChanged


def owner_of(event: PrivateEvent) -> int:
    """The number among the participants of the member whose it is."""
    match event:
        case Filled():
            return event.fill.order.owner
        case OrderChanged():
            return event.order.owner
        case PositionChanged():
            return event.position.owner
        case OrderGroupChanged():
            return event.owner


def message(event: PrivateEvent, user_id: str) -> tuple[str, bytes, str | None, Json]:
    """Channel, type, market, if it is about one, and body of a private message."""
    match event:
        case Filled():
            return "fill", b"fill", event.fill.order.ticker, fill(event.fill)
        case OrderChanged():
            body = user_order(event.order, user_id, event.reason, event.now_ms)
            return "user_orders", b"user_order", event.order.ticker, body
        case PositionChanged():
            body = market_position(user_id, event.position)
            return "market_positions", b"market_position", event.position.ticker, body
        case OrderGroupChanged():
            return "order_group_updates", b"order_group_updates", None, order_group(event)


def subaccount_of(event: PrivateEvent) -> int | None:
    """Whose order, fill or position it is; None of what does not say so."""
    match event:
        case Filled():
            return event.fill.order.subaccount
        case OrderChanged():
            return event.order.subaccount
        case PositionChanged():
            return event.position.subaccount
        case OrderGroupChanged():
            return None


def fill(filled: Fill) -> Json:
    order = filled.order
    taken = outcome(bid=order.bid)
    body: Json = {
        "trade_id": filled.trade_id,
        "order_id": order.order_id,
        "market_ticker": order.ticker,
        "exchange_index": order.shard,
        "is_taker": filled.taker,
        "side": taken,
        "action": "buy",
        "outcome_side": taken,
        "book_side": book_side(bid=order.bid),
        "purchased_side": taken,
        "yes_price_dollars": dollars(filled.price),
        "count_fp": count(filled.quantity),
        "fee_cost": cost(filled.fee),
        "post_position_fp": count(filled.post_position),
        "ts": filled.now_ms // 1000,
        "ts_ms": filled.now_ms,
        "subaccount": order.subaccount,
    }
    if order.client_order_id:
        body["client_order_id"] = order.client_order_id
    return body


def user_order(order: Order, user_id: str, reason: str, now_ms: int) -> Json:
    body: Json = {
        "order_id": order.order_id,
        "user_id": user_id,
        "client_order_id": order.client_order_id,
        "ticker": order.ticker,
        "exchange_index": order.shard,
        "status": order.status.value,
        "side": outcome(bid=order.bid),
        "is_yes": order.bid,
        "outcome_side": outcome(bid=order.bid),
        "book_side": book_side(bid=order.bid),
        "yes_price_dollars": dollars(order.price),
        "initial_count_fp": count(order.initial),
        "remaining_count_fp": count(order.remaining),
        "fill_count_fp": count(order.filled),
        "taker_fill_cost_dollars": cost(order.taker_cost),
        "maker_fill_cost_dollars": cost(order.maker_cost),
        "taker_fees_dollars": cost(order.taker_fees),
        "maker_fees_dollars": cost(order.maker_fees),
        "self_trade_prevention_type": order.self_trade_prevention,
        "created_time": iso(order.created_ms),
        "created_ts_ms": order.created_ms,
        "last_update_time": iso(now_ms),
        "last_updated_ts_ms": now_ms,
        "subaccount_number": order.subaccount,
    }
    if order.expires_ms is not None:
        body["expiration_time"] = iso(order.expires_ms)
        body["expiration_ts_ms"] = order.expires_ms
    if order.group_id:
        body["order_group_id"] = order.group_id
    if reason:
        body["last_update_reason"] = reason
    return body


def market_position(user_id: str, position: Position) -> Json:
    return {
        "user_id": user_id,
        "market_ticker": position.ticker,
        "position_fp": count(position.quantity),
        "position_cost_dollars": cost(position.cost),
        "realized_pnl_dollars": cost(position.realized),
        "fees_paid_dollars": cost(position.fees),
        "position_fee_cost_dollars": cost(position.fees),
        "volume_fp": count(position.volume),
        "subaccount": position.subaccount,
    }


def order_group(event: OrderGroupChanged) -> Json:
    body: Json = {
        "event_type": event.event_type,
        "order_group_id": event.order_group_id,
        "ts_ms": event.now_ms,
    }
    if event.contracts_limit is not None:
        body["contracts_limit_fp"] = count(event.contracts_limit)
    return body
