"""Kraken's version 2 messages about its markets, with the book's checksum; it knows no socket and no fault."""

from __future__ import annotations

from collections.abc import Iterable
from zlib import crc32

from recio.exchange_sim.clock import iso_micros
from recio.exchange_sim.engine.units import fixed_text
from recio.exchange_sim.spot.feeds import Feed
from recio.exchange_sim.spot.spot_market import Listing, SpotMarket, SpotTrade, Step

NAME = "kraken"
LISTINGS = (
    Listing(name="BTC/USD", index_id="BRTI", decimals=1, trades_per_second=2.0),
    Listing(name="ETH/USD", index_id="ETHUSD_RTI", decimals=2, trades_per_second=1.5),
    Listing(name="SOL/USD", index_id="SOLUSD_RTI", decimals=2, trades_per_second=1.0),
    Listing(name="XRP/USD", index_id="XRPUSD_RTI", decimals=5, trades_per_second=1.0),
    Listing(name="DOGE/USD", index_id="DOGEUSD_RTI", decimals=7, trades_per_second=0.5),
    Listing(name="SHIB/USD", index_id="SHIBUSD_RTI", decimals=8, trades_per_second=0.25),
)
DEPTHS = (10, 25, 100, 500, 1000)
_SIZE_DECIMALS = 8
_CHECKED = 10
HEARTBEAT = b'{"channel":"heartbeat"}'

SpotLevel = tuple[int, int]
Top = tuple[list[SpotLevel], list[SpotLevel]]
"""Best asks and best bids, the best first."""


def checksum(asks: Iterable[SpotLevel], bids: Iterable[SpotLevel]) -> int:
    """CRC32 over the digits of the ten best asks and bids, best first, without points and leading zeros.

    An integer of the smallest decimal already is those digits.
    """
    digits = "".join(f"{price}{size}" for side in (asks, bids) for price, size in side)
    return crc32(digits.encode())


def book_channel(depth: int) -> str:
    return f"book:{depth}"


BOOKS = frozenset(book_channel(depth) for depth in DEPTHS)


def top(bids: dict[int, int], asks: dict[int, int], depth: int) -> Top:
    return sorted(asks.items())[:depth], sorted(bids.items(), reverse=True)[:depth]


def publish(feed: Feed, market: SpotMarket, step: Step) -> None:
    """What one step means on every channel."""
    symbol = market.listing.name
    if step.trades:
        feed.send("trade", symbol, lambda: trades(market, step.trades))
        feed.send("ticker:trades", symbol, lambda: ticker(market, "update"))
    if step.quote_moved:
        feed.send("ticker:bbo", symbol, lambda: ticker(market, "update"))
    if step.changes:
        for depth in DEPTHS:
            _publish_book(feed, market, step, depth)


def _publish_book(feed: Feed, market: SpotMarket, step: Step, depth: int) -> None:
    channel, symbol = book_channel(depth), market.listing.name
    if feed.has_listeners(channel, symbol):
        old = top(step.bids_before, step.asks_before, depth)
        new = top(market.bids, market.asks, depth)
        if old != new:
            feed.send(channel, symbol, lambda: book_update(market, old, new))


def heartbeat(feed: Feed, market: SpotMarket) -> None:
    feed.send("heartbeat", market.listing.name, lambda: HEARTBEAT)


def book_snapshot(market: SpotMarket, depth: int) -> bytes:
    asks, bids = top(market.bids, market.asks, depth)
    return _book(market, "snapshot", asks, bids, (asks, bids))


def book_update(market: SpotMarket, old: Top, new: Top) -> bytes:
    """What turns the old top of the book into the new one for a client that cuts it to its depth."""
    asks = _changes(old[0], new[0], market.asks)
    bids = _changes(old[1], new[1], market.bids)
    return _book(market, "update", asks, bids, new)


def _changes(old: list[SpotLevel], new: list[SpotLevel], resting: dict[int, int]) -> list[SpotLevel]:
    """Levels that are gone, then levels that are new. Those that only fell out of sight are not named."""
    before = dict(old)
    gone = [(price, 0) for price, _ in old if price not in resting]
    return gone + [level for level in new if before.get(level[0]) != level[1]]


def _book(market: SpotMarket, kind: str, asks: list[SpotLevel], bids: list[SpotLevel], shown: Top) -> bytes:
    value = checksum(shown[0][:_CHECKED], shown[1][:_CHECKED])
    text = (
        f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"{market.listing.name}",'
        f'"bids":[{_levels(market, bids)}],"asks":[{_levels(market, asks)}],'
        f'"checksum":{value},"timestamp":"{iso_micros(market.now_ms, 0)}"}}]}}'
    )
    return text.encode()


def _levels(market: SpotMarket, levels: list[SpotLevel]) -> str:
    decimals = market.listing.decimals
    return ",".join(
        f'{{"price":{fixed_text(price, decimals)},"qty":{fixed_text(size, _SIZE_DECIMALS)}}}'
        for price, size in levels
    )


def trades(market: SpotMarket, made: list[SpotTrade], kind: str = "update") -> bytes:
    shown = ",".join(_trade(market, trade) for trade in made)
    return f'{{"channel":"trade","type":"{kind}","data":[{shown}]}}'.encode()


def _trade(market: SpotMarket, trade: SpotTrade) -> str:
    side = "sell" if trade.buyer_is_maker else "buy"
    ordered = "limit" if trade.trade_id % 3 else "market"
    return (
        f'{{"symbol":"{market.listing.name}","side":"{side}",'
        f'"price":{fixed_text(trade.price, market.listing.decimals)},"qty":{fixed_text(trade.size, _SIZE_DECIMALS)},'
        f'"ord_type":"{ordered}","trade_id":{trade.trade_id},'
        f'"timestamp":"{iso_micros(trade.now_ms, trade.trade_id % 1000)}"}}'
    )


def ticker(market: SpotMarket, kind: str) -> bytes:
    decimals, day, last = market.listing.decimals, market.day, market.last
    mean = day.value // day.volume if day.volume else last.price
    change = last.price - day.open
    percent = 10_000 * change // day.open
    figures = {
        "bid": fixed_text(market.bid, decimals),
        "bid_qty": fixed_text(market.bids.get(market.bid, 10**7), _SIZE_DECIMALS),
        "ask": fixed_text(market.ask, decimals),
        "ask_qty": fixed_text(market.asks.get(market.ask, 10**7), _SIZE_DECIMALS),
        "last": fixed_text(last.price, decimals),
        "volume": fixed_text(day.volume, _SIZE_DECIMALS),
        "vwap": fixed_text(mean, decimals),
        "low": fixed_text(day.low, decimals),
        "high": fixed_text(day.high, decimals),
        "change": fixed_text(change, decimals),
        "change_pct": fixed_text(percent, 2),
    }
    shown = ",".join(f'"{name}":{value}' for name, value in figures.items())
    stamp = iso_micros(market.now_ms, 0)
    return (
        f'{{"channel":"ticker","type":"{kind}","data":[{{"symbol":"{market.listing.name}",{shown},'
        f'"timestamp":"{stamp}"}}]}}'
    ).encode()
