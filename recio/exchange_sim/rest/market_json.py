"""Markets, events, series and trades as the wire shows them; it only reads."""

from __future__ import annotations

import msgspec

from recio.exchange_sim.clock import iso
from recio.exchange_sim.events import Trade
from recio.exchange_sim.market.markets import SHARD, Market, Status, cents_text, rules_text
from recio.exchange_sim.matching.grid import STRUCTURE, wire_ranges
from recio.exchange_sim.rest.texts import book_side, count, dollars, other_side, outcome
from recio.units import ONE_DOLLAR

TITLE = "BTC price up in next 15 mins?"
EXPECTED_EXPIRATION_MS = 300_000
LATEST_EXPIRATION_MS = 7 * 86_400_000
RULES_SECONDARY = (
    "The average is rounded half up to two decimals. If the index is not available for the minute, the market "
    "resolves to No."
)
CUSTOM_STRIKE = {"round_digits": "2"}

Json = dict[str, object]

_ALWAYS: Json = {
    "market_type": "binary",
    "title": TITLE,
    "subtitle": "",
    "no_sub_title": "Target price: TBD",
    "settlement_timer_seconds": 1,
    "previous_price_dollars": "0.0000",
    "previous_yes_bid_dollars": "0.0000",
    "previous_yes_ask_dollars": "0.0000",
    "notional_value_dollars": "1.0000",
    "liquidity_dollars": "0.0000",
    "settlement_bounds_type": "default",
    "can_close_early": True,
    "rules_secondary": RULES_SECONDARY,
    "price_level_structure": STRUCTURE,
    "strike_type": "greater_or_equal",
    "custom_strike": CUSTOM_STRIKE,
    "exchange_index": SHARD,
}


def target_text(market: Market) -> str:
    """'Target Price: $83,955.99', or that it is still to come."""
    if market.strike is None:
        return "Target price: TBD"
    return f"Target Price: ${market.strike // 100:,}.{market.strike % 100:02d}"


def strike_number(market: Market) -> msgspec.Raw:
    """The strike as an exact JSON number."""
    return msgspec.Raw(cents_text(market.strike or 0).encode())


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
    }


def market_json(market: Market) -> Json:
    """The whole market object."""
    body: Json = {
        **_ALWAYS,
        **_times(market),
        **quotes(market),
        "ticker": market.ticker,
        "event_ticker": market.event_ticker,
        "yes_sub_title": target_text(market),
        "status": market.status.value,
        "no_bid_dollars": _complement(market.book.best_ask(), ONE_DOLLAR),
        "no_ask_dollars": _complement(market.book.best_bid(), 0),
        "last_price_dollars": dollars(market.last_price),
        "volume_fp": count(market.volume),
        "volume_24h_fp": count(market.volume),
        "open_interest_fp": count(market.open_interest),
        "result": market.result,
        "expiration_value": "" if market.value is None else cents_text(market.value),
        "rules_primary": rules_text(market),
        "price_ranges": wire_ranges(),
    }
    if market.strike is not None:
        body["floor_strike"] = strike_number(market)
    if market.status is Status.FINALIZED:
        body["settlement_value_dollars"] = payout_text(market)
        body["settlement_ts"] = iso(market.settled_ms)
    return body


def payout_text(market: Market) -> str:
    return "1.0000" if market.result == "yes" else "0.0000"


def event_json(market: Market, *, nested: bool) -> Json:
    """The event of a market: there is one market per event."""
    body: Json = {
        "event_ticker": market.event_ticker,
        "series_ticker": market.series,
        "title": TITLE,
        "sub_title": f"Closes {iso(market.close_ms)}",
        "collateral_return_type": "",
        "mutually_exclusive": False,
        "category": "Crypto",
        "strike_date": iso(market.close_ms),
        "strike_period": "",
        "settlement_sources": SOURCES,
        "last_updated_ts": iso(market.updated_ms),
        "product_metadata": {},
        "exchange_index": SHARD,
    }
    if nested:
        body["markets"] = [market_json(market)]
    return body


SOURCES = [{"name": "CF Benchmarks", "url": "https://www.cfbenchmarks.com/data/indices/BRTI"}]


def series_json(series: str, updated_ms: int) -> Json:
    return {
        "ticker": series,
        "frequency": "fifteen_min",
        "title": "Bitcoin price up or down in 15 minutes",
        "category": "Crypto",
        "categories": ["Crypto"],
        "tags": ["BTC", "15 min"],
        "settlement_sources": SOURCES,
        "contract_url": "https://kalshi-public-docs.s3.amazonaws.com/regulatory/product-certifications/CRYPTO15M.pdf",
        "contract_terms_url": "https://kalshi-public-docs.s3.amazonaws.com/contract_terms/CRYPTO15M.pdf",
        "product_metadata": {},
        "fee_type": "quadratic",
        "fee_multiplier": 1,
        "additional_prohibitions": None,
        "last_updated_ts": iso(updated_ms),
        "exchange_index": SHARD,
    }


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
