"""Candlesticks as the wire shows them, in the live and in the historical format; it only reads."""

from __future__ import annotations

from recio.exchange_sim.market.candles import Candle, Span
from recio.exchange_sim.wire.texts import Json, count, dollars


def candle_json(candle: Candle) -> Json:
    low = None if candle.price is None else dollars(candle.price.low)
    high = None if candle.price is None else dollars(candle.price.high)
    return {
        "end_period_ts": candle.end_ms // 1000,
        "yes_bid": _span(candle.bid, "_dollars"),
        "yes_ask": _span(candle.ask, "_dollars"),
        "price": _price(candle, "_dollars") | {"min_dollars": low, "max_dollars": high},
        "volume_fp": count(candle.volume),
        "open_interest_fp": count(candle.open_interest),
    }


def historical_candle_json(candle: Candle) -> Json:
    return {
        "end_period_ts": candle.end_ms // 1000,
        "yes_bid": _span(candle.bid, ""),
        "yes_ask": _span(candle.ask, ""),
        "price": _price(candle, ""),
        "volume": count(candle.volume),
        "open_interest": count(candle.open_interest),
    }


def _span(span: Span, suffix: str) -> Json:
    return {
        f"open{suffix}": dollars(span.first),
        f"low{suffix}": dollars(span.low),
        f"high{suffix}": dollars(span.high),
        f"close{suffix}": dollars(span.last),
    }


def _price(candle: Candle, suffix: str) -> Json:
    """What was traded; all null but the price before it where nothing was."""
    previous = None if candle.previous is None else dollars(candle.previous)
    if candle.price is None:
        empty: Json = {f"{name}{suffix}": None for name in ("open", "low", "high", "close", "mean")}
        return empty | {f"previous{suffix}": previous}
    mean = (2 * candle.value + candle.volume) // (2 * candle.volume)
    return {
        **_span(candle.price, suffix),
        f"mean{suffix}": dollars(mean),
        f"previous{suffix}": previous,
    }
