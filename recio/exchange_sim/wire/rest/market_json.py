"""Markets, books and trades as the wire shows them; it only reads."""

from __future__ import annotations

from recio.exchange_sim.clock import iso
from recio.exchange_sim.engine.events import Trade
from recio.exchange_sim.engine.traded_market import Status
from recio.exchange_sim.engine.units import ONE_DOLLAR
from recio.exchange_sim.market import descriptions
from recio.exchange_sim.market.markets import Market
from recio.exchange_sim.market.series import Kind
from recio.exchange_sim.wire.market_fields import EXPECTED_EXPIRATION_MS, grid_json, payout_text, strike_json
from recio.exchange_sim.wire.texts import Json, book_side, count, dollars, other_side, outcome

LATEST_EXPIRATION_MS = 7 * 86_400_000

_ALWAYS: Json = {
    "market_type": "binary",
    "previous_price_dollars": "0.0000",
    "previous_yes_bid_dollars": "0.0000",
    "previous_yes_ask_dollars": "0.0000",
    "notional_value_dollars": "1.0000",
    "settlement_bounds_type": "default",
    "can_close_early": True,
}


def quotes(market: Market) -> Json:
    """Best prices and sizes; '0.0000' and '1.0000' where nobody quotes."""
    bid, ask = market.book.best_bid(), market.book.best_ask()
    best_bid = 0 if bid is None else bid
    best_ask = ONE_DOLLAR if ask is None else ask
    return {
        "yes_bid_dollars": dollars(best_bid),
        "yes_ask_dollars": dollars(best_ask),
        "yes_bid_size_fp": count(market.book.bids.totals.get(best_bid, 0)),
        "yes_ask_size_fp": count(market.book.asks.totals.get(best_ask, 0)),
        "no_bid_dollars": _complement(ask, ONE_DOLLAR),
        "no_ask_dollars": _complement(bid, 0),
    }


def market_json(market: Market) -> Json:
    """The whole market object."""
    body: Json = {
        **_ALWAYS,
        **_texts(market),
        **_times(market),
        **quotes(market),
        **strike_json(market),
        **grid_json(market),
        "ticker": market.ticker,
        "event_ticker": market.event_ticker,
        "exchange_index": market.spec.shard,
        "settlement_timer_seconds": market.spec.settlement_timer_seconds,
        "status": market.status.value,
        "last_price_dollars": dollars(market.last_price),
        "volume_fp": count(market.volume),
        "volume_24h_fp": count(market.volume),
        "open_interest_fp": count(market.open_interest),
        "result": market.result,
        "expiration_value": "" if market.value is None else descriptions.value_text(market, market.value),
    }
    if market.status is Status.FINALIZED:
        body["settlement_value_dollars"] = payout_text(market)
        body["settlement_ts"] = iso(market.settled_ms)
    return body


def trade_json(trade: Trade) -> Json:
    taken = outcome(bid=trade.taker_bid)
    return {
        "trade_id": trade.trade_id,
        "ticker": trade.market.ticker,
        "count_fp": count(trade.quantity),
        "yes_price_dollars": dollars(trade.price),
        "no_price_dollars": other_side(trade.price),
        "taker_side": taken,
        "taker_outcome_side": taken,
        "taker_book_side": book_side(bid=trade.taker_bid),
        "created_time": iso(trade.now_ms),
        "is_block_trade": False,
    }


def orderbook_json(market: Market, depth: int) -> Json:
    """Bids of both outcomes, each ascending so that the best is last. Depth 0 is everything."""
    bids, asks = market.book.bids, market.book.asks
    yes = [[dollars(price), count(bids.totals[price])] for price in bids.prices]
    no = [[other_side(price), count(asks.totals[price])] for price in reversed(asks.prices)]
    return {"yes_dollars": yes[-depth:], "no_dollars": no[-depth:]}


def _texts(market: Market) -> Json:
    yes = descriptions.yes_sub_title(market)
    return {
        "title": descriptions.title(market),
        "subtitle": "" if market.spec.kind is Kind.WINDOW else yes,
        "yes_sub_title": yes,
        "no_sub_title": descriptions.no_sub_title(market),
        "rules_primary": descriptions.rules_primary(market),
        "rules_secondary": descriptions.rules_secondary(market.spec),
    }


def _times(market: Market) -> Json:
    expected = iso(market.close_ms + EXPECTED_EXPIRATION_MS)
    latest = iso(market.close_ms + LATEST_EXPIRATION_MS)
    return {
        "created_time": iso(market.created_ms),
        "updated_time": iso(market.updated_ms),
        "open_time": iso(market.open_ms),
        "close_time": iso(market.close_ms),
        "expected_expiration_time": expected,
        "occurrence_datetime": expected,
        "expiration_time": latest,
        "latest_expiration_time": latest,
    }


def _complement(best: int | None, empty: int) -> str:
    """The other outcome's price; where nobody quotes, a bid shows 0.0000 and an ask 1.0000."""
    return other_side(empty if best is None else best)
