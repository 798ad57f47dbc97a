"""The settlement index over REST: live data of an event for everybody, its history for who may read it; it keeps nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
from aiohttp import web

from recio.exchange_sim.clock import iso
from recio.exchange_sim.engine.orders import FORBIDDEN, NOT_FOUND
from recio.exchange_sim.engine.traded_market import Status
from recio.exchange_sim.engine.units import fixed_text
from recio.exchange_sim.exchange import Exchange
from recio.exchange_sim.market.index import IndexPath
from recio.exchange_sim.market.markets import Market
from recio.exchange_sim.market.naming import short_text
from recio.exchange_sim.market.series import Kind
from recio.exchange_sim.wire.app_keys import exchange_of
from recio.exchange_sim.wire.rest.market_filters import live_markets
from recio.exchange_sim.wire.rest.replies import BadParameter, refusal, reply
from recio.exchange_sim.wire.rest.rules import RULES
from recio.exchange_sim.wire.texts import Json

RANGES = {"15min": 900, "1h": 3_600, "1d": 86_400}
_RECENT_SECONDS = 600
_SPANS = {"HOUR": timedelta(hours=1), "DAY": timedelta(days=1)}


async def event_live_data(request: web.Request) -> web.Response:
    """One point a second of the index that an event settles on, up to now or to the event's close."""
    exchange, ticker = exchange_of(request), request.match_info["event_ticker"]
    market = next((each for each in live_markets(exchange) if each.event_ticker == ticker), None)
    index = None if market is None else exchange.listings.indices.get(market.spec.asset.index_id)
    if market is None or index is None or not request.app[RULES].live_data:
        return refusal(NOT_FOUND)
    usual = "15min" if market.spec.kind is Kind.WINDOW else "1h"
    seconds = RANGES.get(request.query.get("range", ""), RANGES[usual])
    last = min(index.last_second, market.close_second)
    points = [
        {"t": second * 1000, "v": msgspec.Raw(short_text(value, index.asset.digits).encode())}
        for second, value in index.prints(last - seconds + 1, last)
    ]
    body: Json = {
        "type": "crypto",
        "details": {"timeseries": points},
        "is_historical": _is_over(exchange, market),
        "default_range": usual,
        "range_options": list(RANGES),
    }
    return reply({"live_data": body})


async def index_values(request: web.Request) -> web.Response:
    """The last ten minutes of an index."""
    index = _readable(request)
    if index is None:
        return refusal(FORBIDDEN)
    return _payload(request, index, index.last_second - _RECENT_SECONDS + 1, index.last_second)


async def index_history(request: web.Request) -> web.Response:
    """The prints of one hour or day that a moment lies in, as far as they are known."""
    index = _readable(request)
    if index is None:
        return refusal(FORBIDDEN)
    span = _SPANS.get(request.query.get("timespan", "HOUR"))
    if span is None:
        raise BadParameter("GetHistoryValues", "Timespan", "oneof")
    begin = _begin(request.query.get("timestamp", ""), span)
    return _payload(request, index, begin, begin + int(span.total_seconds()) - 1)


def _begin(text: str, span: timedelta) -> int:
    """The second at which the hour or day of a moment begins."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadParameter("GetHistoryValues", "Timestamp", "datetime") from error
    stamp = int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp())
    return stamp - stamp % int(span.total_seconds())


def _readable(request: web.Request) -> IndexPath | None:
    """The index, if it is there and the account may read it."""
    if not request.app[RULES].index_history:
        return None
    return exchange_of(request).listings.indices.get(request.query.get("id", ""))


def _payload(request: web.Request, index: IndexPath, first: int, last: int) -> web.Response:
    rows = [
        {"time": second * 1000, "value": fixed_text(value, index.asset.digits)}
        for second, value in index.prints(first, last)
    ]
    return reply({"data": {"serverTime": iso(exchange_of(request).venue.now_ms), "payload": rows}})


def _is_over(exchange: Exchange, market: Market) -> bool:
    return market.status is Status.FINALIZED or exchange.venue.now_ms >= market.close_ms


PUBLIC = [web.get("/live_data/events/{event_ticker}", event_live_data)]
ROUTES = [
    web.get("/cfbenchmarks/values", index_values),
    web.get("/cfbenchmarks/history/values", index_history),
]
