"""P(YES) of one market by the settlement average, or the reason why it is unknown; it never guesses."""

from __future__ import annotations

import math
from datetime import datetime

import msgspec

from recio.messages.markets import Market
from recio.messages.prices import PriceView
from recio.rules.price.volatility import MEASURED_SECONDS
from recio.rules.pricing.average_fit import FITTED, Fit
from recio.rules.pricing.closing_minute import ClosingMinute, closing_minute
from recio.rules.pricing.probability import Span, thresholds, within
from recio.rules.pricing.settlement_average import SettlementForecast, forecast
from recio.rules.pricing.time_of_day import growth
from recio.units import Ticker


class ForecastInputs(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    minute: ClosingMinute
    volatility: float
    """Of the time to come, relative per square-root second."""
    seconds_to_close: float


MOST_SPANS = 2_048
_SPANS: dict[Ticker, tuple[Market, Span | None]] = {}


def forecast_of(
    market: Market, price: PriceView, now: datetime, fit: Fit = FITTED
) -> SettlementForecast | str:
    """What all strikes of a coin that close together share, or the reason why it is unknown."""
    seen = inputs_of(market, price, now, fit)
    if isinstance(seen, str):
        return seen
    return forecast(seen.minute, seen.volatility, seen.seconds_to_close, fit)


def inputs_of(market: Market, price: PriceView, now: datetime, fit: Fit) -> ForecastInputs | str:
    """What a forecast is made of, or the reason why it is unknown."""
    if price.volatility is None:
        return "volatility is not known yet"
    if price.volatility <= 0:
        return "the price has not moved: its volatility cannot be zero"
    unix, closes_at = now.timestamp(), market.close_time.timestamp()
    remaining = max(0.0, closes_at - unix)
    change = growth(fit.time_of_day, unix, unix + remaining, price.unmeasured)
    return ForecastInputs(
        minute=closing_minute(price, int(closes_at), price.volatility, unix),
        volatility=price.volatility * change,
        seconds_to_close=remaining,
    )


def measured_seconds(price: PriceView, now: datetime) -> float:
    """Of the half hour that the volatility looks back on."""
    until = now.timestamp()
    since = until - MEASURED_SECONDS
    return MEASURED_SECONDS - math.fsum(
        max(0.0, min(end, until) - max(first, since)) for first, end in price.unmeasured
    )


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
