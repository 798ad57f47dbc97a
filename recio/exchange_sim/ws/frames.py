"""The bodies of WebSocket messages, one function per kind of event; it addresses nobody and numbers nothing."""

from __future__ import annotations

import msgspec

from recio.exchange_sim.clock import iso
from recio.exchange_sim.events import BookChanged, TickerChanged, Trade
from recio.exchange_sim.market.fair import PRINTS
from recio.exchange_sim.market.index import IndexPath
from recio.exchange_sim.market.markets import SHARD, Market, cents_text, rules_text
from recio.exchange_sim.matching.account import Position
from recio.exchange_sim.matching.grid import STRUCTURE
from recio.exchange_sim.matching.orders import Fill, Order
from recio.exchange_sim.rest.market_json import (
    CUSTOM_STRIKE,
    EXPECTED_EXPIRATION_MS,
    RULES_SECONDARY,
    SOURCES,
    TITLE,
    Json,
    payout_text,
    strike_number,
    target_text,
)
from recio.exchange_sim.rest.texts import book_side, cost, count, dollars, other_side, outcome
from recio.units import ONE_DOLLAR

INDEX_ID = "BRTI"
_QUARTER_HOUR = 900


def snapshot(market: Market, *, yes_price: bool) -> Json:
    """The whole book; an empty side is left out."""
    body: Json = {"market_ticker": market.ticker, "market_id": market.market_id}
    bids, asks = market.book.bids, market.book.asks
    if bids.prices:
        body["yes_dollars_fp"] = [[dollars(price), count(bids.totals[price])] for price in bids.prices]
    if asks.prices:
        shown = dollars if yes_price else other_side
        ordered = asks.prices if yes_price else asks.prices[::-1]
        body["no_dollars_fp"] = [[shown(price), count(asks.totals[price])] for price in ordered]
    return body


def empty_snapshot(market: Market) -> Json:
    return {"market_ticker": market.ticker, "market_id": market.market_id}


def delta(event: BookChanged, *, yes_price: bool) -> Json:
    body: Json = {
        "market_ticker": event.market.ticker,
        "market_id": event.market.market_id,
        "price_dollars": dollars(event.price) if event.bid or yes_price else other_side(event.price),
        "delta_fp": count(event.delta),
        "side": outcome(bid=event.bid),
        "ts": iso(event.now_ms),
        "ts_ms": event.now_ms,
    }
    if event.order is not None:
        body["client_order_id"] = event.order.client_order_id
        body["subaccount"] = 0
    return body


def ticker(event: TickerChanged) -> Json:
    return {
        "market_ticker": event.market.ticker,
        "market_id": event.market.market_id,
        "price_dollars": dollars(event.last_price),
        "yes_bid_dollars": dollars(0 if event.best_bid is None else event.best_bid),
        "yes_ask_dollars": dollars(ONE_DOLLAR if event.best_ask is None else event.best_ask),
        "yes_bid_size_fp": count(event.bid_size),
        "yes_ask_size_fp": count(event.ask_size),
        "last_trade_size_fp": count(event.last_size),
        "volume_fp": count(event.volume),
        "open_interest_fp": count(event.open_interest),
        "dollar_volume": event.volume // 200,
        "dollar_open_interest": event.open_interest // 200,
        "ts": event.now_ms // 1000,
        "ts_ms": event.now_ms,
        "time": iso(event.now_ms),
    }


def trade(event: Trade) -> Json:
    taken = outcome(bid=event.taker_bid)
    return {
        "trade_id": event.trade_id,
        "market_ticker": event.market.ticker,
        "yes_price_dollars": dollars(event.price),
        "no_price_dollars": other_side(event.price),
        "count_fp": count(event.quantity),
        "taker_side": taken,
        "taker_outcome_side": taken,
        "taker_book_side": book_side(bid=event.taker_bid),
        "is_block_trade": False,
        "ts": event.now_ms // 1000,
        "ts_ms": event.now_ms,
    }


def fill(filled: Fill) -> Json:
    order = filled.order
    taken = outcome(bid=order.bid)
    body: Json = {
        "trade_id": filled.trade_id,
        "order_id": order.order_id,
        "market_ticker": order.ticker,
        "exchange_index": SHARD,
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
        "subaccount": 0,
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
        "exchange_index": SHARD,
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
        "subaccount_number": 0,
    }
    if order.expires_ms is not None:
        body["expiration_time"] = iso(order.expires_ms)
        body["expiration_ts_ms"] = order.expires_ms
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
        "subaccount": 0,
    }


def market_created(market: Market) -> Json:
    return {
        "market_ticker": market.ticker,
        "event_type": "created",
        "exchange_index": SHARD,
        "open_ts": market.open_ms // 1000,
        "close_ts": market.close_ms // 1000,
        "price_level_structure": STRUCTURE,
        "additional_metadata": {
            "name": TITLE,
            "title": TITLE,
            "yes_sub_title": target_text(market),
            "no_sub_title": "Target price: TBD",
            "rules_primary": rules_text(market),
            "rules_secondary": RULES_SECONDARY,
            "can_close_early": True,
            "event_ticker": market.event_ticker,
            "expected_expiration_ts": (market.close_ms + EXPECTED_EXPIRATION_MS) // 1000,
            "strike_type": "greater_or_equal",
            "custom_strike": CUSTOM_STRIKE,
        },
    }


def event_created(market: Market) -> Json:
    return {
        "event_ticker": market.event_ticker,
        "exchange_index": SHARD,
        "title": TITLE,
        "subtitle": "",
        "collateral_return_type": "",
        "series_ticker": market.series,
        "strike_date": market.close_ms // 1000,
        "settlement_sources": SOURCES,
    }


def strike_set(market: Market) -> Json:
    return {
        "market_ticker": market.ticker,
        "event_type": "metadata_updated",
        "exchange_index": SHARD,
        "strike_type": "greater_or_equal",
        "floor_strike": strike_number(market),
        "custom_strike": CUSTOM_STRIKE,
        "yes_sub_title": target_text(market),
    }


def determined(market: Market) -> Json:
    return {
        "market_ticker": market.ticker,
        "event_type": "determined",
        "exchange_index": SHARD,
        "determination_ts": market.determined_ms // 1000,
        "result": market.result,
        "settlement_value": payout_text(market),
    }


def settled(market: Market) -> Json:
    return {
        "market_ticker": market.ticker,
        "event_type": "settled",
        "exchange_index": SHARD,
        "settled_ts": market.settled_ms // 1000,
    }


def index_value(index: IndexPath, second: int, cents: int) -> Json:
    """One print with the mean of the last sixty, and in the last minute of a quarter hour the mean so far."""
    raw = {"type": "value", "id": INDEX_ID, "time": second * 1000, "value": cents_text(cents)}
    body: Json = {
        "index_id": INDEX_ID,
        "received_at": iso(second * 1000),
        "data": msgspec.json.encode(raw).decode(),
        "avg_60s_data": _window(index, second - PRINTS + 1, second + 1),
    }
    quarter = -(-second // _QUARTER_HOUR) * _QUARTER_HOUR
    if quarter - PRINTS < second <= quarter:
        body["last_60s_windowed_average_15min"] = _window(index, quarter - PRINTS + 1, second + 1)
    return body


def _window(index: IndexPath, first: int, end: int) -> Json:
    total = sum(index.print_at(second) for second in range(first, end))
    mean = total * 10**6 // (end - first)
    return {
        "value": f"{mean // 10**8}.{mean % 10**8:08d}",
        "window_size": end - first,
        "window_start_ts_ms": first * 1000,
        "window_end_ts_exclusive": end * 1000,
    }
