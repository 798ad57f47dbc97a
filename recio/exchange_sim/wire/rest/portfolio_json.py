"""Orders, fills, positions and settlements as the REST wire shows them; it only reads."""

from __future__ import annotations

from collections.abc import Iterable

from recio.exchange_sim.clock import iso
from recio.exchange_sim.engine.account import Position, Settlement
from recio.exchange_sim.engine.orders import Fill, Order
from recio.exchange_sim.engine.units import PAYOUT_PER_UNIT
from recio.exchange_sim.wire.texts import Json, book_side, cost, count, dollars, other_side, outcome

_CENT = 100
"""Of a price."""


def order_json(order: Order, user_id: str) -> Json:
    body: Json = {
        "order_id": order.order_id,
        "user_id": user_id,
        "client_order_id": order.client_order_id,
        "ticker": order.ticker,
        "side": outcome(bid=order.bid),
        "action": "buy",
        "outcome_side": outcome(bid=order.bid),
        "book_side": book_side(bid=order.bid),
        "type": "limit",
        "status": order.status.value,
        "yes_price_dollars": dollars(order.price),
        "no_price_dollars": other_side(order.price),
        "fill_count_fp": count(order.filled),
        "remaining_count_fp": count(order.remaining),
        "initial_count_fp": count(order.initial),
        "taker_fill_cost_dollars": cost(order.taker_cost),
        "maker_fill_cost_dollars": cost(order.maker_cost),
        "taker_fees_dollars": cost(order.taker_fees),
        "maker_fees_dollars": cost(order.maker_fees),
        "created_time": iso(order.created_ms),
        "last_update_time": iso(order.updated_ms),
        "self_trade_prevention_type": order.self_trade_prevention,
        "subaccount_number": order.subaccount,
        "exchange_index": order.shard,
    }
    if order.expires_ms is not None:
        body["expiration_time"] = iso(order.expires_ms)
    if order.group_id:
        body["order_group_id"] = order.group_id
    if order.cancel_on_pause:
        body["cancel_order_on_pause"] = True
    return body


def fill_json(fill: Fill) -> Json:
    order = fill.order
    taken = outcome(bid=order.bid)
    return {
        "fill_id": fill.trade_id,
        "trade_id": fill.trade_id,
        "order_id": order.order_id,
        "ticker": order.ticker,
        "market_ticker": order.ticker,
        "exchange_index": order.shard,
        "side": taken,
        "action": "buy",
        "outcome_side": taken,
        "book_side": book_side(bid=order.bid),
        "count_fp": count(fill.quantity),
        "yes_price_dollars": dollars(fill.price),
        "no_price_dollars": other_side(fill.price),
        "is_taker": fill.taker,
        "fee_cost": cost(fill.fee),
        "created_time": iso(fill.now_ms),
        "ts": fill.now_ms // 1000,
        "subaccount_number": order.subaccount,
    }


def position_json(position: Position) -> Json:
    return {
        "ticker": position.ticker,
        "exchange_index": position.shard,
        "position_fp": count(position.quantity),
        "total_traded_dollars": cost(position.traded),
        "market_exposure_dollars": cost(position.cost),
        "realized_pnl_dollars": cost(position.realized),
        "fees_paid_dollars": cost(position.fees),
        "last_updated_ts": iso(position.updated_ms),
    }


def event_positions_json(positions: Iterable[Position]) -> list[Json]:
    """The sums over each event's markets, in the order of their first appearance."""
    events: dict[str, list[Position]] = {}
    for position in positions:
        events.setdefault(position.event_ticker, []).append(position)
    return [
        {
            "event_ticker": event_ticker,
            "total_cost_dollars": cost(sum(one.traded for one in markets)),
            "total_cost_shares_fp": count(sum(one.volume for one in markets)),
            "event_exposure_dollars": cost(sum(one.cost for one in markets)),
            "realized_pnl_dollars": cost(sum(one.realized for one in markets)),
            "fees_paid_dollars": cost(sum(one.fees for one in markets)),
        }
        for event_ticker, markets in events.items()
    ]


def settlement_json(row: Settlement) -> Json:
    return {
        "ticker": row.ticker,
        "exchange_index": row.shard,
        "event_ticker": row.event_ticker,
        "market_result": row.result,
        "yes_count_fp": count(row.yes_count),
        "yes_total_cost_dollars": cost(row.yes_cost),
        "no_count_fp": count(row.no_count),
        "no_total_cost_dollars": cost(row.no_cost),
        "revenue": row.revenue // PAYOUT_PER_UNIT,
        "settled_time": iso(row.settled_ms),
        "fee_cost": cost(row.fees),
        "value": row.payout // _CENT,
    }
