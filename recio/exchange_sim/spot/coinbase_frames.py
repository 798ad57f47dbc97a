"""The Coinbase Exchange feed's messages about its markets; it knows no socket and no fault."""

from __future__ import annotations

from uuid import UUID, uuid5

import msgspec

from recio.exchange_sim.clock import iso_micros
from recio.exchange_sim.engine.units import fixed_text
from recio.exchange_sim.spot.decimals import trimmed
from recio.exchange_sim.spot.feeds import Feed
from recio.exchange_sim.spot.spot_market import Listing, SpotMarket, SpotTrade, Step
from recio.exchange_sim.wire.texts import Json

NAME = "coinbase"
BOOK = "level2_batch"
LISTINGS = (
    Listing(name="BTC-USD", index_id="BRTI", decimals=2, trades_per_second=7.0),
    Listing(name="ETH-USD", index_id="ETHUSD_RTI", decimals=2, trades_per_second=5.0),
    Listing(name="SOL-USD", index_id="SOLUSD_RTI", decimals=2, trades_per_second=3.0),
    Listing(name="XRP-USD", index_id="XRPUSD_RTI", decimals=4, trades_per_second=2.0),
    Listing(name="DOGE-USD", index_id="DOGEUSD_RTI", decimals=5, trades_per_second=1.0),
    Listing(name="SHIB-USD", index_id="SHIBUSD_RTI", decimals=8, trades_per_second=0.5),
)
_SIZE_DECIMALS = 8
_ORDER_IDS = UUID("5d1c0f5e-0a86-4c52-8f0a-6f2f3c1f7a11")
_encode = msgspec.json.Encoder().encode


def publish(feed: Feed, market: SpotMarket, step: Step) -> None:
    """What one step means on every channel."""
    product = market.listing.name
    for trade in step.trades:
        feed.send("matches", product, lambda one=trade: _encode(match_message(market, one, one.kind)))
        feed.send("ticker", product, lambda one=trade: _encode(ticker_message(market, one)))
    if step.changes:
        feed.send(BOOK, product, lambda: _encode(update_message(market, step)))


def heartbeat(feed: Feed, market: SpotMarket) -> None:
    feed.send("heartbeat", market.listing.name, lambda: _encode(heartbeat_message(market)))


def match_message(market: SpotMarket, trade: SpotTrade, kind: str) -> Json:
    return {
        "type": kind,
        "trade_id": trade.trade_id,
        "maker_order_id": str(uuid5(_ORDER_IDS, f"maker {trade.trade_id}")),
        "taker_order_id": str(uuid5(_ORDER_IDS, f"taker {trade.trade_id}")),
        "side": _maker_side(trade),
        "size": trimmed(trade.size, _SIZE_DECIMALS),
        "price": trimmed(trade.price, market.listing.decimals),
        "product_id": market.listing.name,
        "sequence": trade.sequence,
        "time": trade.stamp or iso_micros(trade.now_ms, trade.trade_id % 1000),
    }


def ticker_message(market: SpotMarket, trade: SpotTrade) -> Json:
    decimals = market.listing.decimals
    day = market.day
    return {
        "type": "ticker",
        "sequence": trade.sequence,
        "product_id": market.listing.name,
        "price": trimmed(trade.price, decimals),
        "open_24h": trimmed(day.open, decimals),
        "volume_24h": fixed_text(day.volume, _SIZE_DECIMALS),
        "low_24h": trimmed(day.low, decimals),
        "high_24h": trimmed(day.high, decimals),
        "volume_30d": fixed_text(day.volume, _SIZE_DECIMALS),
        "best_bid": trimmed(market.bid, decimals),
        "best_bid_size": fixed_text(market.bids.get(market.bid, 10**7), _SIZE_DECIMALS),
        "best_ask": trimmed(market.ask, decimals),
        "best_ask_size": fixed_text(market.asks.get(market.ask, 10**7), _SIZE_DECIMALS),
        "side": "sell" if trade.buyer_is_maker else "buy",
        "time": iso_micros(trade.now_ms, trade.trade_id % 1000),
        "trade_id": trade.trade_id,
        "last_size": trimmed(trade.size, _SIZE_DECIMALS),
    }


def heartbeat_message(market: SpotMarket) -> Json:
    return {
        "type": "heartbeat",
        "last_trade_id": market.last.trade_id,
        "product_id": market.listing.name,
        "sequence": market.next_sequence(),
        "time": iso_micros(market.now_ms, 0),
    }


def snapshot_message(market: SpotMarket) -> Json:
    return {
        "type": "snapshot",
        "product_id": market.listing.name,
        "asks": _levels(market, sorted(market.asks.items())),
        "bids": _levels(market, sorted(market.bids.items(), reverse=True)),
        "time": iso_micros(market.now_ms, 0),
    }


def update_message(market: SpotMarket, step: Step) -> Json:
    decimals = market.listing.decimals
    changes = [
        ["buy" if bid else "sell", fixed_text(price, decimals), fixed_text(size, _SIZE_DECIMALS)]
        for bid, price, size in step.changes
    ]
    time = iso_micros(market.now_ms, 0)
    return {"type": "l2update", "product_id": market.listing.name, "changes": changes, "time": time}


def _levels(market: SpotMarket, levels: list[tuple[int, int]]) -> list[list[str]]:
    decimals = market.listing.decimals
    return [[fixed_text(price, decimals), fixed_text(size, _SIZE_DECIMALS)] for price, size in levels]


def _maker_side(trade: SpotTrade) -> str:
    """The feed names the maker's side: a buy is a resting bid that was hit."""
    return "buy" if trade.buyer_is_maker else "sell"
