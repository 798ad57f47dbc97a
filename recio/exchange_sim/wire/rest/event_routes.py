"""Public REST endpoints about series and events; they change nothing."""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import web

from recio.exchange_sim.engine.orders import NOT_FOUND
from recio.exchange_sim.exchange import Run
from recio.exchange_sim.market.markets import Market
from recio.exchange_sim.market.series import SeriesSpec
from recio.exchange_sim.wire.app_keys import exchange_of
from recio.exchange_sim.wire.rest.event_json import event_json, event_metadata_json, series_json, tags
from recio.exchange_sim.wire.rest.market_filters import live_markets, status_check
from recio.exchange_sim.wire.rest.market_json import market_json
from recio.exchange_sim.wire.rest.replies import flag_of, limit_of, names_of, number_of, page, refusal, reply
from recio.exchange_sim.wire.texts import Json


async def list_series(request: web.Request) -> web.Response:
    run = exchange_of(request).run
    category, tagged = request.query.get("category", "Crypto"), names_of(request, "tags")
    updated = number_of(request, "min_updated_ts", "GetSeriesList") or 0
    found = [
        spec
        for spec in run.specs
        if category == "Crypto"
        and (not tagged or tagged & set(tags(spec)))
        and run.started_ms >= updated * 1000
    ]
    return reply({"series": [_series(request, "GetSeriesList", run, spec) for spec in found]})


async def get_series(request: web.Request) -> web.Response:
    run = exchange_of(request).run
    for spec in run.specs:
        if spec.ticker == request.match_info["series_ticker"]:
            return reply({"series": _series(request, "GetSeries", run, spec)})
    return refusal(NOT_FOUND)


async def series_fee_changes(_request: web.Request) -> web.Response:
    """No fee of a series changes here."""
    return reply({"series_fee_change_arr": []})


async def event_fee_changes(request: web.Request) -> web.Response:
    """No event overrides its series' fees here."""
    limit_of(request, "GetEventFeeChanges")
    return reply({"event_fee_changes": [], "cursor": ""})


async def list_events(request: web.Request) -> web.Response:
    limit = limit_of(request, "GetEvents", most=200, default=200)
    found = _chosen(request, _events(live_markets(exchange_of(request))))
    chosen, following = page(request, found, key=lambda markets: markets[0].number, limit=limit)
    nested = flag_of(request, "with_nested_markets", "GetEvents")
    body: Json = {"events": [event_json(markets, nested=nested) for markets in chosen], "cursor": following}
    if flag_of(request, "with_milestones", "GetEvents"):
        body["milestones"] = []
    return reply(body)


async def get_event(request: web.Request) -> web.Response:
    markets = _event(request)
    if not markets:
        return refusal(NOT_FOUND)
    event = event_json(markets, nested=flag_of(request, "with_nested_markets", "GetEvent"))
    return reply({"event": event, "markets": [market_json(market) for market in markets]})


async def get_event_metadata(request: web.Request) -> web.Response:
    markets = _event(request)
    return reply(event_metadata_json(markets)) if markets else refusal(NOT_FOUND)


def _series(request: web.Request, operation: str, run: Run, spec: SeriesSpec) -> Json:
    volume = None
    if flag_of(request, "include_volume", operation):
        every = run.listings.markets.values()
        volume = sum(market.volume for market in every if market.series == spec.ticker)
    return series_json(spec, run.started_ms, volume)


def _events(markets: Iterable[Market]) -> list[list[Market]]:
    """The markets by their events."""
    found: dict[str, list[Market]] = {}
    for market in markets:
        found.setdefault(market.event_ticker, []).append(market)
    return list(found.values())


def _event(request: web.Request) -> list[Market]:
    ticker = request.match_info["event_ticker"]
    return [market for market in live_markets(exchange_of(request)) if market.event_ticker == ticker]


def _chosen(request: web.Request, events: list[list[Market]]) -> list[list[Market]]:
    """The events of which any market is as the query asks."""
    in_state = status_check(request, "GetEvents")
    closes = (number_of(request, "min_close_ts", "GetEvents") or 0) * 1000
    updated = (number_of(request, "min_updated_ts", "GetEvents") or 0) * 1000
    series, tickers = request.query.get("series_ticker", ""), names_of(request, "tickers")
    return [
        markets
        for markets in events
        if (not series or markets[0].series == series)
        and (not tickers or markets[0].event_ticker in tickers)
        and any(
            market.close_ms >= closes
            and market.updated_ms >= updated
            and all(check(market) for check in in_state)
            for market in markets
        )
    ]


ROUTES = [
    web.get("/series", list_series),
    web.get("/series/fee_changes", series_fee_changes),
    web.get("/series/{series_ticker}", get_series),
    web.get("/events", list_events),
    web.get("/events/fee_changes", event_fee_changes),
    web.get("/events/{event_ticker}", get_event),
    web.get("/events/{event_ticker}/metadata", get_event_metadata),
]
