"""Runs the exchange on one port until cancelled or idle; it is the only place that knows every part."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from random import Random
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
    announce_clock,
    load_or_make_key,
    member_folder,
)
from recio.exchange_sim.engine.account import Correction
from recio.exchange_sim.engine.fees import ALIGNMENT, CENT_ALIGNMENT
from recio.exchange_sim.engine.read_lag import ReadLag
from recio.exchange_sim.engine.transfers import open_subaccount
from recio.exchange_sim.engine.units import read_money
from recio.exchange_sim.engine.venue import Venue
from recio.exchange_sim.exchange import Exchange, Run
from recio.exchange_sim.faults.faults import Faults
from recio.exchange_sim.faults.latency import Latency
from recio.exchange_sim.market.series import SHARD, Timetable, spec_of
from recio.exchange_sim.recorded.inspection import Recording
from recio.exchange_sim.recorded.opening import open_session, start_waiting
from recio.exchange_sim.recorded.playback import Playback
from recio.exchange_sim.recorded.waiting import Waiting
from recio.exchange_sim.simulation import Simulation
from recio.exchange_sim.spot.feeds import Feeds
from recio.exchange_sim.spot.recorded_trades import RecordedSpot
from recio.exchange_sim.spot.venues import add_spot_feeds, spot_feeds
from recio.exchange_sim.wire.application import application_of
from recio.exchange_sim.wire.auth import Keyholder, Verifier
from recio.exchange_sim.wire.rest.rate_limits import AUTO, RateLimits, tier_of
from recio.exchange_sim.wire.rest.rules import RestRules
from recio.exchange_sim.wire.ws.hub import Hub
from recio.exchange_sim.wire.ws.rules import SocketRules

PUMP_SECONDS = 0.02
MOST_MEMBERS = 50

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
    """Starting cash of every member, on the crypto shard."""
    members: int = 1
    """How many trade here, each with a key, money and orders of its own; a recording has one."""
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
    rest: RestRules = field(default_factory=RestRules)
    """How requests are answered where the venue's way is not known for sure."""
    latency_seconds: float = 0.0
    """Median host seconds that every request, answer and frame is under way."""
    latency_spread: float = 0.5
    """Of their distribution, which is log-normal; 0 for always the same."""
    sockets: SocketRules = field(default_factory=SocketRules)
    """What a WebSocket is allowed, and which channels it is authorised for."""
    cent_alignment: bool = False
    """Money is kept on cents, as that of members who are not direct ones."""
    groups_stop_beyond: bool = False
    """An order group stops only once more than its limit was matched, not when the limit is hit."""
    correction: Correction = Correction.REPLACED
    """How a correction of what was paid shows among the settlements."""
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
    recording = None if settings.recording is None else open_session(settings.recording)
    listener = _listen(settings.host, settings.port)
    with listener:
        folders = [member_folder(settings.credentials_dir, member) for member in range(settings.members)]
        keys = [load_or_make_key(folder, settings.key_type, settings.pem_format) for folder in folders]
        waiting = None if recording is None else _start_waiting(settings, recording)
        clock = _clock(settings) if waiting is None else waiting.clock
        instance = str(uuid4())
        port: int = listener.getsockname()[1]
        every = [
            announce(folder, host=settings.host, port=port, instance=instance, clock=clock)
            for folder in folders
        ]
        credentials = every[0]
        exchange, application = _application(settings, clock, every, keys, recording)
        exchange.waiting = waiting
        if waiting is not None:
            waiting.announce = partial(announce_clock, settings.credentials_dir, credentials)
        await _run(exchange, application, listener, credentials, settings, started)


def _refuse_unknown(settings: ExchangeSettings) -> None:
    for ticker in _tickers(settings.series):
        spec_of(ticker)
    tier_of(settings.rate_limits, speed=settings.speed, burst_seconds=settings.burst_seconds)
    if not 1 <= settings.members <= MOST_MEMBERS:
        raise ValueError(f"there can be 1 to {MOST_MEMBERS} members, not {settings.members}")
    if settings.recording is not None and settings.members > 1:
        raise ValueError("a recorded market has one member: nobody trades with another in it")


def _clock(settings: ExchangeSettings) -> VenueClock:
    return start_clock(speed=settings.speed, window_seconds=settings.window_seconds, align=settings.align)


def _start_waiting(settings: ExchangeSettings, recording: Recording) -> Waiting:
    return start_waiting(
        recording,
        speed=settings.speed,
        lead_seconds=settings.recording_lead_seconds,
        for_client=settings.recording_wait_for_client,
    )


async def _run(
    exchange: Exchange,
    application: web.Application,
    listener: socket.socket,
    credentials: Credentials,
    settings: ExchangeSettings,
    started: Callable[[Credentials], None] | None,
) -> None:
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.5)
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


def _open_subaccounts(venue: Venue, number: int, dollars: int) -> None:
    """Those up to the one that the key is locked to, which has as much money as the primary one."""
    for each in range(1, number + 1):
        open_subaccount(venue, SHARD)
        if each == number:
            venue.accounts[each].move(SHARD, dollars, venue.now_ms)


def _application(
    settings: ExchangeSettings,
    clock: VenueClock,
    every: list[Credentials],
    keys: list[PrivateKey],
    recording: Recording | None,
) -> tuple[Exchange, web.Application]:
    """The exchange and everything that clients reach of it."""
    faults, credentials = Faults(), every[0]
    if settings.latency_seconds:
        faults.usual_latency = Latency(
            median_seconds=settings.latency_seconds,
            spread=settings.latency_spread,
            random=Random(f"{settings.seed}:latency"),
        )
    run, feeds, over = (
        _simulated(settings, clock, credentials, faults)
        if recording is None
        else _recorded(settings, clock, credentials, faults, recording)
    )
    run.venue.floor.alignment = CENT_ALIGNMENT if settings.cent_alignment else ALIGNMENT
    run.venue.floor.correction = settings.correction
    run.venue.floor.groups_stop_beyond = settings.groups_stop_beyond
    _open_subaccounts(run.venue, settings.rest.locked_to or 0, read_money(settings.balance_dollars))
    # A recording has no settlement index: its channels answer as to an account without the right to them.
    rules = settings.sockets if recording is None else replace(settings.sockets, index_channels=False)
    hub = Hub(run.venue, run.listings, faults, rules)
    exchange = Exchange(
        run=run,
        clock=clock,
        faults=faults,
        reads=ReadLag(
            run.venue.account.horizon,
            clock,
            configured_seconds=settings.read_lag_seconds,
            now_ms=run.venue.now_ms,
        ),
        strict_shards=settings.strict_shards,
        listeners=(hub.publish, lambda events: feeds.follow(events, run.venue.now_ms)),
        over=over,
    )
    tier = tier_of(settings.rate_limits, speed=settings.speed, burst_seconds=settings.burst_seconds)
    application = application_of(
        exchange,
        hub,
        verifier=_verifier(settings, every, keys),
        limits=[RateLimits(tier, time.monotonic()) for _ in every],
        rules=settings.rest,
    )
    add_spot_feeds(application, feeds)
    return exchange, application


def _verifier(settings: ExchangeSettings, every: list[Credentials], keys: list[PrivateKey]) -> Verifier:
    return Verifier(
        keys={
            credentials.key_id: Keyholder(member=member, public_key=key.public_key())
            for member, (credentials, key) in enumerate(zip(every, keys, strict=True))
        },
        tolerance_ms=round(settings.tolerance_seconds * 1000),
    )


def _simulated(
    settings: ExchangeSettings, clock: VenueClock, credentials: Credentials, faults: Faults
) -> tuple[Run, Feeds, Callable[[], bool]]:
    """A simulated market with its spot feeds; it is never over."""
    simulation = Simulation(
        seed=settings.seed,
        instance=credentials.instance,
        now_ms=clock.milliseconds(),
        series=_tickers(settings.series),
        timetable=replace(settings.timetable, window_seconds=settings.window_seconds),
        balance=read_money(settings.balance_dollars),
        user_id=str(uuid4()),
        traders=not settings.quiet_traders,
        other_users=[str(uuid4()) for _ in range(settings.members - 1)],
    )
    feeds = spot_feeds(
        simulation.listings.indices, faults, seed=settings.seed, now_ms=simulation.venue.now_ms
    )
    return simulation, feeds, lambda: False


def _recorded(
    settings: ExchangeSettings,
    clock: VenueClock,
    credentials: Credentials,
    faults: Faults,
    recording: Recording,
) -> tuple[Run, Feeds, Callable[[], bool]]:
    """A recorded session with the spot trades recorded beside it, and whether it is over."""
    now_ms = clock.milliseconds()
    playback = Playback(
        recording,
        instance=credentials.instance,
        now_ms=now_ms,
        timetable=settings.timetable,
        balance=read_money(settings.balance_dollars),
        user_id=str(uuid4()),
    )
    playback.spot = spot = RecordedSpot(recording, faults, now_ms=now_ms)
    return playback, spot.feeds, playback.over


def _tickers(series: tuple[str, ...] | str) -> tuple[str, ...]:
    return tuple(series.split(",")) if isinstance(series, str) else series


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
