"""Public REST endpoints of the historical tier: what has left the live endpoints for good; they change nothing."""

from __future__ import annotations

from aiohttp import web

from recio.exchange_sim.clock import iso
from recio.exchange_sim.engine.orders import NOT_FOUND
from recio.exchange_sim.market.markets import Market
from recio.exchange_sim.wire.app_keys import exchange_of
from recio.exchange_sim.wire.rest.candle_json import historical_candle_json
from recio.exchange_sim.wire.rest.candle_query import candles_of, read_span
from recio.exchange_sim.wire.rest.market_filters import chosen_markets, is_past, past_markets
from recio.exchange_sim.wire.rest.market_json import market_json
from recio.exchange_sim.wire.rest.replies import limit_of, page, refusal, reply
from recio.exchange_sim.wire.rest.trade_pages import trade_page


async def cutoff(request: web.Request) -> web.Response:
    """One border for everything: what last moved before it is historical."""
    border = iso(exchange_of(request).venue.floor.historical_cutoff_ms // 1000 * 1000)
    names = (
        "market_settled_ts",
        "trades_created_ts",
        "orders_updated_ts",
        "market_positions_last_updated_ts",
    )
    return reply(dict.fromkeys(names, border))


async def list_markets(request: web.Request) -> web.Response:
    limit = limit_of(request, "GetHistoricalMarkets")
    found = chosen_markets(request, "GetHistoricalMarkets", past_markets(exchange_of(request)))
    chosen, following = page(request, found, key=lambda market: market.number, limit=limit)
    return reply({"markets": [market_json(market) for market in chosen], "cursor": following})


async def get_market(request: web.Request) -> web.Response:
    market = _past_market(request)
    return refusal(NOT_FOUND) if market is None else reply({"market": market_json(market)})


async def get_candles(request: web.Request) -> web.Response:
    span = read_span(request, "GetMarketCandlesticksHistorical")
    market = _past_market(request)
    if market is None:
        return refusal(NOT_FOUND)
    found = [historical_candle_json(candle) for candle in candles_of(exchange_of(request), market, span)]
    return reply({"ticker": market.ticker, "candlesticks": found})


async def list_trades(request: web.Request) -> web.Response:
    return trade_page(request, "GetHistoricalTrades", historical=True)


def _past_market(request: web.Request) -> Market | None:
    exchange = exchange_of(request)
    market = exchange.listings.markets.get(request.match_info["ticker"])
    return market if market is not None and is_past(exchange.venue, market) else None


ROUTES = [
    web.get("/historical/cutoff", cutoff),
    web.get("/historical/markets", list_markets),
    web.get("/historical/markets/{ticker}", get_market),
    web.get("/historical/markets/{ticker}/candlesticks", get_candles),
    web.get("/historical/trades", list_trades),
]
