"""What the query of a market list asks for, and the combinations that the venue refuses; it reads no book."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from aiohttp import web

from recio.exchange_sim.engine.traded_market import Status
from recio.exchange_sim.engine.venue import Venue
from recio.exchange_sim.exchange import Exchange
from recio.exchange_sim.market.markets import Market
from recio.exchange_sim.wire.rest.reading import is_historical
from recio.exchange_sim.wire.rest.replies import BadParameter, field_name, names_of, number_of, one_of

Wanted = Callable[[Market], bool]

_STATUSES: dict[str, tuple[Status, ...]] = {
    "unopened": (Status.INITIALIZED,),
    "open": (Status.ACTIVE,),
    "paused": (Status.INACTIVE,),
    "closed": (Status.CLOSED, Status.DETERMINED, Status.DISPUTED, Status.AMENDED),
    "settled": (Status.FINALIZED,),
}
_MOMENTS: dict[str, tuple[tuple[str, ...], Callable[[Market], int]]] = {
    "created": (("", "unopened", "open"), lambda market: market.created_ms),
    "close": (("", "closed"), lambda market: market.close_ms),
    "settled": (("", "settled"), lambda market: market.settled_ms),
}
"""Which status filters each pair of time filters may go with, and the time it looks at."""
_NOT_WITH_UPDATED = ("status", "event_ticker", "tickers")
_TIMES = (*_MOMENTS, "updated")
"""What a list can be filtered by in time, one of them in one query."""


def live_markets(exchange: Exchange) -> Iterator[Market]:
    """What has not gone to the historical tier."""
    return (market for market in exchange.listings.markets.values() if not is_past(exchange.venue, market))


def past_markets(exchange: Exchange) -> Iterator[Market]:
    return (market for market in exchange.listings.markets.values() if is_past(exchange.venue, market))


def is_past(venue: Venue, market: Market) -> bool:
    return market.status is Status.FINALIZED and is_historical(venue, market.settled_ms)


def chosen_markets(request: web.Request, operation: str, markets: Iterable[Market]) -> list[Market]:
    """The markets that the query asks for. Raises BadParameter for a query that the venue refuses."""
    _one_time(request, operation)
    checks = [
        *status_check(request, operation),
        *_name_checks(request),
        *_moment_checks(request, operation),
        *_updated_checks(request, operation),
    ]
    none = combos_only(request, operation)
    return [] if none else [market for market in markets if all(check(market) for check in checks)]


def status_check(request: web.Request, operation: str) -> list[Wanted]:
    named = one_of(request, "status", operation, known=_STATUSES)
    if not named:
        return []
    wanted = _STATUSES[named]
    return [lambda market: market.status in wanted]


def combos_only(request: web.Request, operation: str) -> bool:
    """Whether only combination markets are asked for, of which there are none here."""
    return one_of(request, "mve_filter", operation, known=("only", "exclude")) == "only"


def _name_checks(request: web.Request) -> list[Wanted]:
    event, series = request.query.get("event_ticker", ""), request.query.get("series_ticker", "")
    tickers = names_of(request, "tickers")
    checks: list[Wanted] = []
    if event:
        checks.append(lambda market: market.event_ticker == event)
    if series:
        checks.append(lambda market: market.series == series)
    if tickers:
        checks.append(lambda market: market.ticker in tickers)
    return checks


def _one_time(request: web.Request, operation: str) -> None:
    """Filters of different times exclude each other."""
    named = [name for name in _TIMES if any(request.query.get(f"{end}_{name}_ts") for end in ("min", "max"))]
    if len(named) > 1:
        raise BadParameter(operation, f"{named[1].title()}Ts", f"{named[0]}_ts")


def _moment_checks(request: web.Request, operation: str) -> list[Wanted]:
    """The min_*_ts and max_*_ts filters, each only beside the status that it belongs to."""
    checks: list[Wanted] = []
    for name, (statuses, moment) in _MOMENTS.items():
        found = _between(request, name, operation, moment)
        if found and request.query.get("status", "") not in statuses:
            raise BadParameter(operation, "Status", f"{name}_ts")
        checks += found
    return checks


def _updated_checks(request: web.Request, operation: str) -> list[Wanted]:
    """Only alone, with a series at most, and only with combinations left out."""
    found = _between(request, "updated", operation, lambda market: market.updated_ms)
    if found and request.query.get("mve_filter", "") != "exclude":
        raise BadParameter(operation, "MveFilter", "updated_ts")
    for name in _NOT_WITH_UPDATED if found else ():
        if request.query.get(name, ""):
            raise BadParameter(operation, field_name(name), "updated_ts")
    return found


def _between(
    request: web.Request, name: str, operation: str, moment: Callable[[Market], int]
) -> list[Wanted]:
    earliest = number_of(request, f"min_{name}_ts", operation)
    latest = number_of(request, f"max_{name}_ts", operation)
    checks: list[Wanted] = []
    if earliest is not None:
        checks.append(lambda market: moment(market) >= earliest * 1000)
    if latest is not None:
        checks.append(lambda market: moment(market) <= latest * 1000)
    return checks
