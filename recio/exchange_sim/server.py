"""Runs the exchange on one port until cancelled or idle; it is the only place that knows every part."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from functools import partial
from pathlib import Path
from uuid import uuid4

import anyio
import structlog
from aiohttp import web

from recio.exchange_sim.clock import VenueClock, start_clock
from recio.exchange_sim.credentials import (
    Credentials,
    KeyType,
    PemFormat,
    PrivateKey,
    announce,
    load_or_make_key,
)
from recio.exchange_sim.engine.read_lag import ReadLag
from recio.exchange_sim.engine.units import read_money
from recio.exchange_sim.exchange import EXCHANGE, Exchange
from recio.exchange_sim.faults.faults import Faults
from recio.exchange_sim.market.series import Timetable, spec_of
from recio.exchange_sim.recorded import opening
from recio.exchange_sim.recorded.inspection import Recording
from recio.exchange_sim.simulation import Simulation
from recio.exchange_sim.spot.coinbase import coinbase_socket
from recio.exchange_sim.spot.kraken import kraken_socket
from recio.exchange_sim.spot.venues import spot_feeds
from recio.exchange_sim.wire import admin
from recio.exchange_sim.wire.auth import Verifier
from recio.exchange_sim.wire.rest import market_routes, private_api
from recio.exchange_sim.wire.rest.arrivals import counted
from recio.exchange_sim.wire.rest.metering import metered
from recio.exchange_sim.wire.rest.order_bodies import BadBody
from recio.exchange_sim.wire.rest.rate_limits import AUTO, RateLimits, tier_of
from recio.exchange_sim.wire.rest.replies import (
    DATE,
    BadParameter,
    Handler,
    bad_body,
    bad_parameter,
    no_such_path,
    refusal,
)
from recio.exchange_sim.wire.rest.request_faults import faulty
from recio.exchange_sim.wire.ws.commands import CommandDesk
from recio.exchange_sim.wire.ws.hub import Hub
from recio.exchange_sim.wire.ws.rules import SocketRules
from recio.exchange_sim.wire.ws.sockets import trading_socket

REST_PREFIX = "/trade-api/v2"
SOCKET_PATH = "/trade-api/ws/v2"
PRICE_PATH = "/coinbase"
KRAKEN_PATH = "/kraken"
PUMP_SECONDS = 0.02
_PUBLIC = (
    *("/exchange", "/series", "/events", "/markets", "/account/endpoint_costs"),
    *("/historical/cutoff", "/historical/markets", "/historical/trades"),
)

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
    """Length of a window; all other lengths are those of `timetable`."""
    series: tuple[str, ...] | str = ("KXBTC15M",)
    """Tickers of the catalogue; a text may name several with commas between them."""
    timetable: Timetable = field(default_factory=Timetable)
    """Ladders, settlement times, the historical border and the weekly pause."""
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
    key_type: KeyType = KeyType.RSA
    pem_format: PemFormat = PemFormat.PKCS8
    """How the private key is written into `credentials_dir`."""
    tolerance_seconds: float = 25.0
    """How far the timestamp of a signature may be from the venue's clock, in venue seconds."""
    rate_limits: str | None = AUTO
    """A tier's name; None for no limits; `auto` is basic at speed 1 and no limits at any other."""
    burst_seconds: float | None = None
    """How many host seconds of refill a bucket holds; None for what the real venue was seen to hold."""
    read_lag_seconds: float = 0.0
    """Account reads always show the state of so many host seconds ago."""
    sockets: SocketRules = field(default_factory=SocketRules)
    """What a WebSocket is allowed, and which channels it is authorised for."""
    recording: Path | None = None
    """The folder of a recorded session that is served instead of simulated markets. BadSession when broken."""
    recording_wait_for_client: bool = True
    """The recording begins only once a client has sent a signed request."""
    recording_lead_seconds: float = 10.0
    """Host seconds from the announced clock's origin to the recorded session's first message."""
    exit_after_end_seconds: float | None = None
    """Exit so many host seconds after a recorded session was played and its windows are settled."""


async def serve(settings: ExchangeSettings, *, started: Callable[[Credentials], None] | None = None) -> None:
    """Serve until cancelled; returns by itself after the idle time. A port in use is an OSError.

    What the settings ask for and cannot be had is a ValueError before anything is written.
    """
    _refuse_unknown(settings)
    recording = None if settings.recording is None else opening.open_session(settings.recording)
    listener = _listen(settings.host, settings.port)
    with listener:
        key = load_or_make_key(settings.credentials_dir, settings.key_type, settings.pem_format)
        waiting = None if recording is None else opening.start_waiting(recording, settings)
        clock = _clock(settings) if waiting is None else waiting.clock
        instance = str(uuid4())
        port: int = listener.getsockname()[1]
        credentials = announce(
            settings.credentials_dir, host=settings.host, port=port, instance=instance, clock=clock
        )
        exchange = _exchange(settings, clock, credentials, key, recording)
        exchange.waiting = waiting
        if waiting is not None:
            waiting.announce = partial(opening.announce_again, settings.credentials_dir, credentials)
        await _run(exchange, listener, credentials, settings, started)


def _refuse_unknown(settings: ExchangeSettings) -> None:
    for ticker in _tickers(settings.series):
        spec_of(ticker)
    tier_of(settings.rate_limits, speed=settings.speed, burst_seconds=settings.burst_seconds)


def _clock(settings: ExchangeSettings) -> VenueClock:
    return start_clock(speed=settings.speed, window_seconds=settings.window_seconds, align=settings.align)


async def _run(
    exchange: Exchange,
    listener: socket.socket,
    credentials: Credentials,
    settings: ExchangeSettings,
    started: Callable[[Credentials], None] | None,
) -> None:
    runner = web.AppRunner(_application(exchange), access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        await web.SockSite(runner, listener).start()
        log.info("exchange listening", rest_url=credentials.rest_url, instance=credentials.instance)
        if started is not None:
            started(credentials)
        await _pump(exchange, settings.idle_exit_seconds, settings.exit_after_end_seconds)
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
    settings: ExchangeSettings,
    clock: VenueClock,
    credentials: Credentials,
    key: PrivateKey,
    recording: Recording | None,
) -> Exchange:
    faults = Faults()
    played = None if recording is None else opening.play(recording, settings, faults, clock, credentials)
    simulation = _simulation(settings, clock, credentials) if played is None else played.simulation
    venue = simulation.venue
    tier = tier_of(settings.rate_limits, speed=settings.speed, burst_seconds=settings.burst_seconds)
    # A recording has no settlement index: its channels answer as to an account without the right to them.
    rules = settings.sockets if played is None else replace(settings.sockets, index_channels=False)
    hub = Hub(venue, faults, rules)
    return Exchange(
        simulation=simulation,
        clock=clock,
        verifier=Verifier(
            key_id=credentials.key_id,
            public_key=key.public_key(),
            tolerance_ms=round(settings.tolerance_seconds * 1000),
        ),
        faults=faults,
        hub=hub,
        feeds=spot_feeds(venue, faults, settings.seed) if played is None else played.feeds,
        desk=CommandDesk(venue, hub),
        limits=RateLimits(tier, time.monotonic()),
        reads=ReadLag(
            venue.account.horizon,
            clock,
            standing_seconds=settings.read_lag_seconds,
            now_ms=venue.now_ms,
        ),
        strict_shards=settings.strict_shards,
        over=_never if played is None else played.over,
    )


def _never() -> bool:
    return False


def _simulation(settings: ExchangeSettings, clock: VenueClock, credentials: Credentials) -> Simulation:
    return Simulation(
        seed=settings.seed,
        instance=credentials.instance,
        now_ms=clock.milliseconds(),
        series=_tickers(settings.series),
        timetable=replace(settings.timetable, window_seconds=settings.window_seconds),
        balance=read_money(settings.balance_dollars),
        user_id=str(uuid4()),
        traders=not settings.quiet_traders,
    )


def _tickers(series: tuple[str, ...] | str) -> tuple[str, ...]:
    return tuple(series.split(",")) if isinstance(series, str) else series


def _application(exchange: Exchange) -> web.Application:
    application = web.Application(middlewares=[_gate, counted, metered, faulty])
    application[EXCHANGE] = exchange
    application.on_response_prepare.append(_date)
    trading = (*private_api.ROUTES, *market_routes.ROUTES)
    for route in trading:
        application.router.add_route(route.method, REST_PREFIX + route.path, route.handler)
    application.add_routes(admin.ROUTES)
    application.router.add_get(SOCKET_PATH, trading_socket)
    application.router.add_get(PRICE_PATH, coinbase_socket)
    application.router.add_get(KRAKEN_PATH, kraken_socket)
    return application


@web.middleware
async def _gate(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every request: keep up with the clock, authenticate, and put failures in the venue's words."""
    exchange = request.app[EXCHANGE]
    exchange.touch()
    exchange.meet(request.headers)
    exchange.catch_up()
    request[DATE] = formatdate(exchange.clock.milliseconds() / 1000, usegmt=True)
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


async def _date(request: web.Request, response: web.StreamResponse) -> None:
    """Every answer carries the venue's time: clients measure their own clock against it."""
    response.headers["Date"] = request[DATE]


def _is_open(path: str) -> bool:
    """Whether a path needs no key: market data, and whatever is not the trading API at all."""
    if path == SOCKET_PATH:
        return False
    if not path.startswith(REST_PREFIX):
        return True
    return path.removeprefix(REST_PREFIX).startswith(_PUBLIC)


async def _pump(
    exchange: Exchange, idle_exit_seconds: float | None, exit_after_end_seconds: float | None
) -> None:
    """Keep the venue moving while no request does, until its end or until nobody was here for the idle time."""
    while idle_exit_seconds is None or exchange.idle_seconds() < idle_exit_seconds:
        if exit_after_end_seconds is not None and exchange.over():
            await asyncio.sleep(exit_after_end_seconds)
            return
        caught_up = exchange.catch_up()
        await asyncio.sleep(PUMP_SECONDS if caught_up else 0)
