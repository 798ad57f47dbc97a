"""Runs the exchange on one port until cancelled or idle; it is the only place that knows every part."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import anyio
import structlog
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa

from recio.exchange_sim.clock import VenueClock, start_clock
from recio.exchange_sim.credentials import Credentials, announce, load_or_make_key
from recio.exchange_sim.exchange import EXCHANGE, Exchange
from recio.exchange_sim.faults import admin
from recio.exchange_sim.faults.faults import Faults
from recio.exchange_sim.rest import market_routes, order_routes, portfolio_routes
from recio.exchange_sim.rest.auth import Verifier
from recio.exchange_sim.rest.order_bodies import BadBody
from recio.exchange_sim.rest.replies import BadParameter, bad_body, bad_parameter, no_such_path, refusal
from recio.exchange_sim.simulation import Simulation
from recio.exchange_sim.ws.coinbase import spot_socket
from recio.exchange_sim.ws.commands import CommandDesk
from recio.exchange_sim.ws.hub import Hub
from recio.exchange_sim.ws.sockets import trading_socket
from recio.units import money

REST_PREFIX = "/trade-api/v2"
SOCKET_PATH = "/trade-api/ws/v2"
PRICE_PATH = "/coinbase"
PUMP_SECONDS = 0.02
_PUBLIC = ("/exchange", "/series", "/events", "/markets", "/account/endpoint_costs")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeSettings:
    """How one exchange runs. Durations with `venue` in their description follow the exchange's own clock."""

    credentials_dir: Path
    host: str = "127.0.0.1"
    port: int = 0
    """0 takes any free port."""
    seed: int = 1
    speed: float = 1.0
    window_seconds: int = 900
    series: str = "KXBTC15M"
    align: bool = False
    """The venue clock starts three venue seconds after a window opened, instead of at host time."""
    balance_dollars: str = "1000.00"
    """Starting cash of the account, on the crypto shard."""
    idle_exit_seconds: float | None = None
    """Exit after so many host seconds without an open socket or a request."""
    strict_shards: bool = True
    """Cancelling without a shard answers 404 for an order that rests on the crypto shard."""
    quiet_traders: bool = False
    """No simulated traders: only the account's own orders."""


async def serve(settings: ExchangeSettings, *, started: Callable[[Credentials], None] | None = None) -> None:
    """Serve until cancelled; returns by itself after the idle time. A port in use is an OSError."""
    listener = _listen(settings.host, settings.port)
    with listener:
        key = load_or_make_key(settings.credentials_dir)
        clock = start_clock(
            speed=settings.speed, window_seconds=settings.window_seconds, align=settings.align
        )
        instance = str(uuid4())
        port: int = listener.getsockname()[1]
        credentials = announce(
            settings.credentials_dir, host=settings.host, port=port, instance=instance, clock=clock
        )
        exchange = _exchange(settings, clock, credentials, key.public_key())
        await _run(exchange, listener, credentials, settings.idle_exit_seconds, started)


async def _run(
    exchange: Exchange,
    listener: socket.socket,
    credentials: Credentials,
    idle_exit_seconds: float | None,
    started: Callable[[Credentials], None] | None,
) -> None:
    runner = web.AppRunner(_application(exchange), access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        await web.SockSite(runner, listener).start()
        log.info("exchange listening", rest_url=credentials.rest_url, instance=credentials.instance)
        if started is not None:
            started(credentials)
        await _pump(exchange, idle_exit_seconds)
    finally:
        exchange.drop_sockets()
        with anyio.CancelScope(shield=True):
            await runner.cleanup()
        log.info("exchange stopped", instance=credentials.instance)


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.create_server((host, port), backlog=128)
    listener.setblocking(False)
    return listener


def _exchange(
    settings: ExchangeSettings, clock: VenueClock, credentials: Credentials, public_key: rsa.RSAPublicKey
) -> Exchange:
    simulation = Simulation(
        seed=settings.seed,
        instance=credentials.instance,
        now_ms=clock.milliseconds(),
        series=settings.series,
        window_seconds=settings.window_seconds,
        balance=money(settings.balance_dollars),
        user_id=str(uuid4()),
        traders=not settings.quiet_traders,
    )
    faults = Faults()
    hub = Hub(simulation.venue, faults)
    return Exchange(
        simulation=simulation,
        clock=clock,
        verifier=Verifier(key_id=credentials.key_id, public_key=public_key),
        faults=faults,
        hub=hub,
        desk=CommandDesk(simulation.venue, hub),
        strict_shards=settings.strict_shards,
    )


def _application(exchange: Exchange) -> web.Application:
    application = web.Application(middlewares=[_gate])
    application[EXCHANGE] = exchange
    trading = (*market_routes.ROUTES, *portfolio_routes.ROUTES, *order_routes.ROUTES)
    for route in trading:
        application.router.add_route(route.method, REST_PREFIX + route.path, route.handler)
    application.add_routes(admin.ROUTES)
    application.router.add_get(SOCKET_PATH, trading_socket)
    application.router.add_get(PRICE_PATH, spot_socket)
    return application


@web.middleware
async def _gate(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every request: keep up with the clock, authenticate, and put failures in the venue's words."""
    exchange = request.app[EXCHANGE]
    exchange.touch()
    exchange.catch_up()
    path = request.rel_url.raw_path
    if not _is_open(path):
        refused = exchange.verifier.refusal(
            request.method, path, request.headers, exchange.clock.milliseconds()
        )
        if refused is not None:
            return refusal(refused)
    try:
        return await handler(request)
    except BadBody as error:
        return bad_body(str(error))
    except BadParameter as error:
        return bad_parameter(error)
    except (web.HTTPNotFound, web.HTTPMethodNotAllowed):
        return no_such_path()


def _is_open(path: str) -> bool:
    """Whether a path needs no key: market data, and whatever is not the trading API at all."""
    if path == SOCKET_PATH:
        return False
    if not path.startswith(REST_PREFIX):
        return True
    return path.removeprefix(REST_PREFIX).startswith(_PUBLIC)


async def _pump(exchange: Exchange, idle_exit_seconds: float | None) -> None:
    """Keep the venue moving while no request does, until nobody has been here for the idle time."""
    while idle_exit_seconds is None or exchange.idle_seconds() < idle_exit_seconds:
        caught_up = exchange.catch_up()
        await asyncio.sleep(PUMP_SECONDS if caught_up else 0)
