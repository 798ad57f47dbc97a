"""The span of time that a candlestick request asks for, and a market's candles in it; it writes no answer."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from recio.exchange_sim.exchange import Exchange
from recio.exchange_sim.market.candles import MINUTE_MS, Candle
from recio.exchange_sim.market.markets import Market
from recio.exchange_sim.wire.rest.replies import BadParameter, field_name, flag_of, number_of

PERIODS = (1, 60, 1440)
MOST_CANDLES = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CandleSpan:
    first_ms: int
    last_ms: int
    period_ms: int
    with_latest_before: bool

    @property
    def most(self) -> int:
        """How many candles of one market could end in it."""
        return (self.last_ms - self.first_ms) // self.period_ms + 1

    def ending(self, last_ms: int) -> CandleSpan:
        return CandleSpan(
            first_ms=self.first_ms,
            last_ms=last_ms,
            period_ms=self.period_ms,
            with_latest_before=self.with_latest_before,
        )


def read_span(request: web.Request, operation: str) -> CandleSpan:
    """Raises BadParameter for a span that the venue refuses."""
    first, last = _required(request, "start_ts", operation), _required(request, "end_ts", operation)
    minutes = _required(request, "period_interval", operation)
    if minutes not in PERIODS:
        raise BadParameter(operation, "PeriodInterval", "oneof")
    if last < first:
        raise BadParameter(operation, "EndTs", "gtefield")
    return CandleSpan(
        first_ms=first * 1000,
        last_ms=last * 1000,
        period_ms=minutes * MINUTE_MS,
        with_latest_before=flag_of(request, "include_latest_before_start", operation),
    )


def candles_of(exchange: Exchange, market: Market, span: CandleSpan) -> list[Candle]:
    """No candle lies in the future or after the market's close."""
    exchange.run.candle_recorder.catch_up()
    over_ms = min(exchange.venue.now_ms, market.close_ms)
    last_ms = min(span.last_ms, -(-over_ms // span.period_ms) * span.period_ms)
    found = list(market.candles.between(span.first_ms, last_ms, span.period_ms))
    if span.with_latest_before:
        before = market.candles.as_of(span.first_ms)
        if before is not None and (not found or found[0].end_ms > span.first_ms):
            found.insert(0, before)
    return found


def _required(request: web.Request, name: str, operation: str) -> int:
    value = number_of(request, name, operation)
    if value is None:
        raise BadParameter(operation, field_name(name), "required")
    return value
