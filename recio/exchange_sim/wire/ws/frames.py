"""The bodies of messages about books, quotes and trades; they address nobody and number nothing."""

from __future__ import annotations

from recio.exchange_sim.clock import iso
from recio.exchange_sim.engine.events import BookChanged, TickerChanged, Trade
from recio.exchange_sim.engine.traded_market import TradedMarket
from recio.exchange_sim.engine.units import ONE_DOLLAR
from recio.exchange_sim.wire.texts import Json, book_side, count, dollars, other_side, outcome


def snapshot(market: TradedMarket, *, yes_price: bool) -> Json:
    """The whole book; an empty side is left out."""
    body = empty_snapshot(market)
    bids, asks = market.book.bids, market.book.asks
    if bids.prices:
        body["yes_dollars_fp"] = [[dollars(price), count(bids.totals[price])] for price in bids.prices]
    if asks.prices:
        shown = dollars if yes_price else other_side
        ordered = asks.prices if yes_price else asks.prices[::-1]
        body["no_dollars_fp"] = [[shown(price), count(asks.totals[price])] for price in ordered]
    return body


def empty_snapshot(market: TradedMarket) -> Json:
    return {"market_ticker": market.ticker, "market_id": market.market_id, "clock": market.clock}


def delta(event: BookChanged, *, yes_price: bool, own: bool) -> Json:
    """One level's change. `own`: to the member whose order it was."""
    body: Json = {
        "market_ticker": event.market.ticker,
        "market_id": event.market.market_id,
        "clock": event.clock,
        "price_dollars": dollars(event.price) if event.bid or yes_price else other_side(event.price),
        "delta_fp": count(event.delta),
        "side": outcome(bid=event.bid),
        "ts": iso(event.now_ms),
        "ts_ms": event.now_ms,
    }
    if own and event.order is not None:
        if event.order.client_order_id:
            body["client_order_id"] = event.order.client_order_id
        body["subaccount"] = event.order.subaccount
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
