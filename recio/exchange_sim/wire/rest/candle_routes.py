"""Public REST endpoints of candlesticks: of one market, of several, and of an event; they change nothing."""

from __future__ import annotations

from aiohttp import web

from recio.exchange_sim.engine.orders import NOT_FOUND
from recio.exchange_sim.market.markets import Market
from recio.exchange_sim.wire.app_keys import exchange_of
from recio.exchange_sim.wire.rest.candle_json import candle_json
from recio.exchange_sim.wire.rest.candle_query import MOST_CANDLES, CandleSpan, candles_of, read_span
from recio.exchange_sim.wire.rest.market_filters import is_past, live_markets
from recio.exchange_sim.wire.rest.replies import BadParameter, few_names_of, refusal, reply
from recio.exchange_sim.wire.texts import Json

MOST_MARKETS = 100


async def market_candles(request: web.Request) -> web.Response:
    span = read_span(request, "GetMarketCandlesticks")
    exchange = exchange_of(request)
    market = exchange.listings.markets.get(request.match_info["ticker"])
    if (
        market is None
        or is_past(exchange.venue, market)
        or market.series != request.match_info["series_ticker"]
    ):
        return refusal(NOT_FOUND)
    if span.most > MOST_CANDLES:
        raise BadParameter("GetMarketCandlesticks", "EndTs", "lte")
    return reply({"ticker": market.ticker, "candlesticks": _shown(request, market, span)})


async def batch_candles(request: web.Request) -> web.Response:
    operation = "BatchGetMarketCandlesticks"
    span = read_span(request, operation)
    named = few_names_of(request, "market_tickers", operation, most=MOST_MARKETS)
    if not named:
        raise BadParameter(operation, "MarketTickers", "required")
    if span.most * len(named) > MOST_CANDLES:
        raise BadParameter(operation, "EndTs", "lte")
    found = [market for market in live_markets(exchange_of(request)) if market.ticker in named]
    shown = [
        {"market_ticker": market.ticker, "candlesticks": _shown(request, market, span)} for market in found
    ]
    return reply({"markets": shown})


async def event_candles(request: web.Request) -> web.Response:
    """All markets of an event; where that would be too much, up to an earlier end."""
    span = read_span(request, "GetEventCandlesticks")
    event, series = request.match_info["ticker"], request.match_info["series_ticker"]
    found = [
        market
        for market in live_markets(exchange_of(request))
        if market.event_ticker == event and market.series == series
    ]
    if not found:
        return refusal(NOT_FOUND)
    fit = max(1, MOST_CANDLES // len(found))
    if span.most > fit:
        span = span.ending(span.first_ms + (fit - 1) * span.period_ms)
    body: Json = {
        "market_tickers": [market.ticker for market in found],
        "market_candlesticks": [_shown(request, market, span) for market in found],
        "adjusted_end_ts": span.last_ms // 1000,
    }
    return reply(body)


def _shown(request: web.Request, market: Market, span: CandleSpan) -> list[Json]:
    return [candle_json(candle) for candle in candles_of(exchange_of(request), market, span)]


ROUTES = [
    web.get("/series/{series_ticker}/markets/{ticker}/candlesticks", market_candles),
    web.get("/series/{series_ticker}/events/{ticker}/candlesticks", event_candles),
    web.get("/markets/candlesticks", batch_candles),
]
