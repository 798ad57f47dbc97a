"""Public REST endpoints: exchange state, series, events, markets, books and trades; they change nothing."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from recio.exchange_sim.clock import iso
from recio.exchange_sim.exchange import exchange_of
from recio.exchange_sim.market.markets import Market, Status
from recio.exchange_sim.matching.orders import MARKET_NOT_FOUND, NOT_FOUND
from recio.exchange_sim.rest.market_json import (
    event_json,
    market_json,
    orderbook_json,
    series_json,
    trade_json,
)
from recio.exchange_sim.rest.replies import (
    BadParameter,
    limit_of,
    names_of,
    number_of,
    page,
    refusal,
    reply,
)

SHARDS = ((0, "Default"), (1, "Combos"), (2, "Crypto"), (3, "Sports"))
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_STATUSES: dict[str, tuple[Status, ...]] = {
    "unopened": (Status.INITIALIZED,),
    "open": (Status.ACTIVE,),
    "paused": (),
    "closed": (Status.CLOSED, Status.DETERMINED),
    "settled": (Status.FINALIZED,),
}
_TIME_FILTERS: dict[str, tuple[tuple[str, ...], Callable[[Market], int]]] = {
    "created": (("", "unopened", "open"), lambda market: market.created_ms),
    "close": (("", "closed"), lambda market: market.close_ms),
    "settled": (("", "settled"), lambda market: market.settled_ms),
}
"""Which status filters each pair of time filters may go with, and the time it looks at."""


async def exchange_status(_request: web.Request) -> web.Response:
    shards = [
        {
            "exchange_index": number,
            "description": name,
            "exchange_active": True,
            "trading_active": True,
            "intra_exchange_transfers_active": True,
        }
        for number, name in SHARDS
    ]
    body = {
        "exchange_active": True,
        "trading_active": True,
        "intra_exchange_transfers_active": True,
        "exchange_estimated_resume_time": None,
        "exchange_index_statuses": shards,
    }
    return reply(body)


async def exchange_schedule(_request: web.Request) -> web.Response:
    """Open round the clock: this exchange holds no weekly pause."""
    always = [{"open_time": "00:00", "close_time": "00:00"}]
    hours: dict[str, object] = dict.fromkeys(_DAYS, always)
    hours |= {"start_time": "2024-12-01T00:00:00Z", "end_time": "2200-12-01T00:00:00Z"}
    return reply({"schedule": {"maintenance_windows": [], "standard_hours": [hours]}})


async def user_data_timestamp(request: web.Request) -> web.Response:
    """Reads are current here, so the present is the honest answer."""
    return reply({"as_of_time": iso(exchange_of(request).venue.now_ms)})


async def list_series(request: web.Request) -> web.Response:
    simulation = exchange_of(request).simulation
    return reply({"series": [series_json(simulation.series, simulation.started_ms)]})


async def get_series(request: web.Request) -> web.Response:
    simulation = exchange_of(request).simulation
    if request.match_info["series_ticker"] != simulation.series:
        return refusal(NOT_FOUND)
    return reply({"series": series_json(simulation.series, simulation.started_ms)})


async def list_events(request: web.Request) -> web.Response:
    limit = limit_of(request, "GetEvents", most=200, default=200)
    wanted = _status_filter(request, "GetEvents")
    closes_after = number_of(request, "min_close_ts", "GetEvents")
    series = request.query.get("series_ticker", "")
    tickers = names_of(request, "tickers")
    found = [
        market
        for market in exchange_of(request).venue.markets.values()
        if (wanted is None or market.status in wanted)
        and (not series or market.series == series)
        and (not tickers or market.event_ticker in tickers)
        and (closes_after is None or market.close_second >= closes_after)
    ]
    chosen, cursor = page(found, key=_opened, limit=limit, cursor=request.query.get("cursor", ""))
    nested = request.query.get("with_nested_markets") == "true"
    return reply({"events": [event_json(market, nested=nested) for market in chosen], "cursor": cursor})


async def get_event(request: web.Request) -> web.Response:
    ticker = request.match_info["event_ticker"]
    nested = request.query.get("with_nested_markets") == "true"
    for market in exchange_of(request).venue.markets.values():
        if market.event_ticker == ticker:
            return reply({"event": event_json(market, nested=nested), "markets": [market_json(market)]})
    return refusal(NOT_FOUND)


async def list_markets(request: web.Request) -> web.Response:
    limit = limit_of(request, "GetMarkets")
    wanted = _status_filter(request, "GetMarkets")
    in_time = _time_filter(request)
    event, series = request.query.get("event_ticker", ""), request.query.get("series_ticker", "")
    tickers = names_of(request, "tickers")
    found = [
        market
        for market in exchange_of(request).venue.markets.values()
        if (wanted is None or market.status in wanted)
        and (not event or market.event_ticker == event)
        and (not series or market.series == series)
        and (not tickers or market.ticker in tickers)
        and in_time(market)
    ]
    chosen, cursor = page(found, key=_opened, limit=limit, cursor=request.query.get("cursor", ""))
    return reply({"markets": [market_json(market) for market in chosen], "cursor": cursor})


async def get_market(request: web.Request) -> web.Response:
    market = exchange_of(request).venue.markets.get(request.match_info["ticker"])
    return refusal(NOT_FOUND) if market is None else reply({"market": market_json(market)})


async def get_orderbook(request: web.Request) -> web.Response:
    market = exchange_of(request).venue.markets.get(request.match_info["ticker"])
    depth = number_of(request, "depth", "GetMarketOrderbook") or 0
    if not 0 <= depth <= 100:
        raise BadParameter("GetMarketOrderbook", "Depth", "lte")
    if market is None:
        return refusal(MARKET_NOT_FOUND)
    return reply({"orderbook_fp": orderbook_json(market, depth)})


async def list_trades(request: web.Request) -> web.Response:
    limit = limit_of(request, "GetTrades")
    ticker = request.query.get("ticker", "")
    earliest = number_of(request, "min_ts", "GetTrades")
    latest = number_of(request, "max_ts", "GetTrades")
    found = [
        trade
        for trade in exchange_of(request).venue.trades
        if (not ticker or trade.market.ticker == ticker)
        and (earliest is None or trade.now_ms >= earliest * 1000)
        and (latest is None or trade.now_ms <= latest * 1000)
    ]
    cursor = request.query.get("cursor", "")
    chosen, following = page(found, key=lambda trade: trade.sequence, limit=limit, cursor=cursor)
    return reply({"trades": [trade_json(trade) for trade in chosen], "cursor": following})


def _opened(market: Market) -> int:
    return market.open_ms


def _status_filter(request: web.Request, operation: str) -> tuple[Status, ...] | None:
    named = request.query.get("status", "")
    if not named:
        return None
    if named not in _STATUSES:
        raise BadParameter(operation, "Status", "oneof")
    return _STATUSES[named]


def _time_filter(request: web.Request) -> Callable[[Market], bool]:
    """A predicate from the min_*_ts and max_*_ts parameters."""
    checks: list[tuple[Callable[[Market], int], int | None, int | None]] = []
    for name, (statuses, moment) in _TIME_FILTERS.items():
        earliest = number_of(request, f"min_{name}_ts", "GetMarkets")
        latest = number_of(request, f"max_{name}_ts", "GetMarkets")
        if earliest is None and latest is None:
            continue
        if request.query.get("status", "") not in statuses:
            raise BadParameter("GetMarkets", "Status", f"{name}_ts")
        checks.append((moment, earliest, latest))
    return lambda market: all(
        (earliest is None or moment(market) >= earliest * 1000)
        and (latest is None or moment(market) <= latest * 1000)
        for moment, earliest, latest in checks
    )


ROUTES = [
    web.get("/exchange/status", exchange_status),
    web.get("/exchange/schedule", exchange_schedule),
    web.get("/exchange/user_data_timestamp", user_data_timestamp),
    web.get("/series", list_series),
    web.get("/series/{series_ticker}", get_series),
    web.get("/events", list_events),
    web.get("/events/{event_ticker}", get_event),
    web.get("/markets", list_markets),
    web.get("/markets/trades", list_trades),
    web.get("/markets/{ticker}", get_market),
    web.get("/markets/{ticker}/orderbook", get_orderbook),
]
