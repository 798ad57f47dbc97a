"""Public REST endpoints about markets, their books and trades, and the list of all public ones; they change nothing."""

from __future__ import annotations

from aiohttp import web

from recio.exchange_sim.engine.orders import MARKET_NOT_FOUND, NOT_FOUND
from recio.exchange_sim.wire.app_keys import exchange_of
from recio.exchange_sim.wire.rest import (
    candle_routes,
    event_routes,
    exchange_routes,
    history_routes,
    incentive_routes,
    index_routes,
)
from recio.exchange_sim.wire.rest.list_cache import cached
from recio.exchange_sim.wire.rest.market_filters import chosen_markets, is_past, live_markets
from recio.exchange_sim.wire.rest.market_json import market_json, orderbook_json
from recio.exchange_sim.wire.rest.replies import BadParameter, limit_of, number_of, page, refusal, reply
from recio.exchange_sim.wire.rest.trade_pages import trade_page

MOST_BOOKS = 100
MOST_LEVELS = 100


async def list_markets(request: web.Request) -> web.Response:
    limit = limit_of(request, "GetMarkets")
    found = chosen_markets(request, "GetMarkets", live_markets(exchange_of(request)))
    chosen, following = page(request, found, key=lambda market: market.number, limit=limit)
    return reply({"markets": [market_json(market) for market in chosen], "cursor": following})


async def get_market(request: web.Request) -> web.Response:
    exchange = exchange_of(request)
    market = exchange.listings.markets.get(request.match_info["ticker"])
    if market is None or is_past(exchange.venue, market):
        return refusal(NOT_FOUND)
    return reply({"market": market_json(market)})


async def get_orderbook(request: web.Request) -> web.Response:
    market = exchange_of(request).listings.markets.get(request.match_info["ticker"])
    depth = _depth(request, "GetMarketOrderbook")
    if market is None:
        return refusal(MARKET_NOT_FOUND)
    return reply({"orderbook_fp": orderbook_json(market, depth)})


async def list_orderbooks(request: web.Request) -> web.Response:
    """The books of the markets that are named and known."""
    named = [ticker for part in request.query.getall("tickers", []) for ticker in part.split(",") if ticker]
    if not named:
        raise BadParameter("GetMarketOrderbooks", "Tickers", "required")
    if len(named) > MOST_BOOKS:
        raise BadParameter("GetMarketOrderbooks", "Tickers", "max")
    depth = _depth(request, "GetMarketOrderbooks")
    markets = exchange_of(request).listings.markets
    books = [
        {"ticker": ticker, "orderbook_fp": orderbook_json(markets[ticker], depth)}
        for ticker in dict.fromkeys(named)
        if ticker in markets
    ]
    return reply({"orderbooks": books})


async def list_trades(request: web.Request) -> web.Response:
    return trade_page(request, "GetTrades", historical=False)


def _depth(request: web.Request, operation: str) -> int:
    depth = number_of(request, "depth", operation) or 0
    if depth < 0:
        raise BadParameter(operation, "Depth", "gte")
    if depth > MOST_LEVELS:
        raise BadParameter(operation, "Depth", "lte")
    return depth


ROUTES = [
    *exchange_routes.ROUTES,
    *event_routes.ROUTES,
    *candle_routes.ROUTES,
    *history_routes.ROUTES,
    *index_routes.PUBLIC,
    *incentive_routes.ROUTES,
    web.get("/markets", cached(list_markets)),
    web.get("/markets/trades", list_trades),
    web.get("/markets/orderbooks", list_orderbooks),
    web.get("/markets/{ticker}", get_market),
    web.get("/markets/{ticker}/orderbook", get_orderbook),
]
