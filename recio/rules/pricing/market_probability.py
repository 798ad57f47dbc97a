"""P(YES) of one market by the settlement average, or the reason why it is unknown; it never guesses."""

from __future__ import annotations

from datetime import datetime

from recio.messages.markets import Market
from recio.messages.prices import PriceView
from recio.rules.pricing.average_fit import FITTED, Fit
from recio.rules.pricing.probability import Span, prints_made, thresholds, within
from recio.rules.pricing.settlement_average import SettlementForecast, forecast
from recio.rules.pricing.time_of_day import growth
from recio.units import Ticker

MOST_SPANS = 2_048
_SPANS: dict[Ticker, tuple[Market, Span | None]] = {}


def forecast_of(
    market: Market, price: PriceView, now: datetime, fit: Fit = FITTED
) -> SettlementForecast | str:
    """What all strikes of a coin that close together share, or the reason why it is unknown."""
    if price.volatility is None:
        return "volatility is not known yet"
    if price.volatility <= 0:
        return "the price has not moved: its volatility cannot be zero"
    unix = now.timestamp()
    closes_at = market.close_time.timestamp()
    prints = prints_made(price.last_minute, int(closes_at), unix)
    if prints is None:
        return "prices of the closing minute are missing"
    remaining = max(0.0, closes_at - unix)
    to_come = price.volatility * growth(fit.time_of_day, unix, unix + remaining)
    return forecast(float(price.tick.price), to_come, remaining, prints, fit)


def yes_probability(market: Market, seen: SettlementForecast) -> float | str:
    """P(YES) of one of those strikes, or the reason why it is unknown."""
    span = span_of(market)
    if span is None:
        return "the strike is not known yet"
    least, beyond = span
    if least is not None and beyond is None:
        return seen.above(least)
    return within(span, seen.above)


def span_of(market: Market) -> Span | None:
    """Its thresholds. A market is the same object cycle after cycle, and comparing identities is all that a cycle needs."""
    known = _SPANS.get(market.ticker)
    if known is not None and known[0] is market:
        return known[1]
    if len(_SPANS) >= MOST_SPANS:
        _SPANS.clear()
    span = thresholds(market.strike_type, market.floor_strike, market.cap_strike)
    _SPANS[market.ticker] = (market, span)
    return span


def probability(market: Market, price: PriceView, now: datetime, fit: Fit = FITTED) -> float | str:
    """P(YES) by the settlement average, or the reason why it is unknown."""
    seen = forecast_of(market, price, now, fit)
    return seen if isinstance(seen, str) else yes_probability(market, seen)
