"""Kalshi's interfaces as one web application: every route, and the gate each request passes; it carries nothing out."""

from __future__ import annotations

from email.utils import formatdate

from aiohttp import web

from recio.exchange_sim.engine.orders import FORBIDDEN, Refused
from recio.exchange_sim.exchange import Exchange
from recio.exchange_sim.wire import admin
from recio.exchange_sim.wire.app_keys import EXCHANGE, MEMBER
from recio.exchange_sim.wire.auth import VERIFIER, Verifier
from recio.exchange_sim.wire.rest import market_routes, private_api
from recio.exchange_sim.wire.rest.arrivals import ASKED_FOR, counted
from recio.exchange_sim.wire.rest.key_lock import NotItsSubaccount, as_locked
from recio.exchange_sim.wire.rest.list_cache import KEPT
from recio.exchange_sim.wire.rest.metering import metered
from recio.exchange_sim.wire.rest.paused import paused
from recio.exchange_sim.wire.rest.rate_limits import LIMITS, RateLimits
from recio.exchange_sim.wire.rest.replies import (
    DATE,
    BadParameter,
    Handler,
    as_bad_request,
    bad_body,
    bad_parameter,
    no_such_path,
    refusal,
    too_large,
)
from recio.exchange_sim.wire.rest.request_body import BadBody, WrongContentType
from recio.exchange_sim.wire.rest.request_faults import faulty, travelling
from recio.exchange_sim.wire.rest.routing import PREFIX
from recio.exchange_sim.wire.rest.rules import RULES, RestRules
from recio.exchange_sim.wire.ws.commands import COMMANDS, SessionCommands
from recio.exchange_sim.wire.ws.hub import HUB, Hub
from recio.exchange_sim.wire.ws.sockets import trading_socket

INVALID_CONTENT_TYPE = Refused(code="invalid_content_type")
SOCKET_PATH = "/trade-api/ws/v2"
_PUBLIC = (
    *("/exchange", "/series", "/events", "/markets", "/account/endpoint_costs"),
    *("/live_data", "/incentive_programs", "/historical/cutoff", "/historical/markets", "/historical/trades"),
)


def application_of(
    exchange: Exchange, hub: Hub, *, verifier: Verifier, limits: list[RateLimits], rules: RestRules
) -> web.Application:
    """REST, the trading WebSocket and the administration of one exchange."""
    application = web.Application(middlewares=[_gate, travelling, counted, metered, faulty, paused])
    application[EXCHANGE] = exchange
    application[VERIFIER] = verifier
    application[LIMITS] = limits
    application[RULES] = rules
    application[KEPT] = {}
    application[ASKED_FOR] = {}
    application[HUB] = hub
    application[COMMANDS] = SessionCommands(exchange.venue, exchange.listings, hub)
    application.on_response_prepare.append(_date)
    for route in (*private_api.ROUTES, *market_routes.ROUTES):
        application.router.add_route(route.method, PREFIX + route.path, route.handler)
    application.add_routes(admin.ROUTES)
    application.router.add_get(SOCKET_PATH, trading_socket)
    return application


@web.middleware
async def _gate(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every request: keep up with the clock, authenticate, and put failures in the venue's words."""
    exchange = request.app[EXCHANGE]
    exchange.touch()
    exchange.meet(request.headers)
    exchange.catch_up()
    request[DATE] = _now(request)
    path = request.rel_url.raw_path
    if request.match_info.http_exception is not None:
        # The venue's router knows no such path before anybody is asked who he is.
        return no_such_path()
    if not _is_open(path):
        refused = request.app[VERIFIER].refusal(
            request.method, path, request.headers, exchange.clock.milliseconds()
        )
        if refused is not None:
            return refusal(refused)
        request[MEMBER] = request.app[VERIFIER].member_of(request.headers) or 0
    meant = as_locked(request)
    answer = refusal(meant) if isinstance(meant, Refused) else await _answered(meant, handler)
    if request.app[RULES].refusals_as_400:
        as_bad_request(answer)
    return answer


async def _answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except BadBody as error:
        return bad_body(str(error))
    except NotItsSubaccount:
        return refusal(FORBIDDEN)
    except WrongContentType:
        return refusal(INVALID_CONTENT_TYPE)
    except BadParameter as error:
        return bad_parameter(error)
    except web.HTTPRequestEntityTooLarge:
        return too_large()


async def _date(request: web.Request, response: web.StreamResponse) -> None:
    """Every answer carries the venue's time: clients measure their own clock against it."""
    response.headers["Date"] = request.get(DATE) or _now(request)


def _now(request: web.Request) -> str:
    return formatdate(request.app[EXCHANGE].clock.milliseconds() / 1000, usegmt=True)


def _is_open(path: str) -> bool:
    """Whether a path needs no key: market data, and whatever is not the trading API at all."""
    if path == SOCKET_PATH:
        return False
    if not path.startswith(PREFIX):
        return True
    return path.removeprefix(PREFIX).startswith(_PUBLIC)
