"""status_http: the status page, pushed; loopback unless its settings make more of it safe, never in the way of trading.

It changes nothing but what a person asks for there: anybody at this machine may stop entries, operators may do more.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

import anyio
import asyncpg
import structlog
from aiohttp import web
from pydantic import SecretStr

from recio.clock import Clock
from recio.errors import BadConfig
from recio.measurements import Measurements
from recio.messages.alerts import Acknowledge, AlertsView, TryChannels
from recio.messages.controls import HaltRequest, HaltVerification, ResumeRequest, TradingControls
from recio.recording.instants import Instant
from recio.settings.risk import RiskSection
from recio.settings.strategies import DEFAULT
from recio.supervisor import Say
from recio.test_hooks.freeze_points import Task, cycle_of
from recio.web.acting import Acting, acting_routes
from recio.web.acts import read_halt, read_resume
from recio.web.charts import Charted, chart_routes
from recio.web.door import PROGRESS_WITHIN, Door, answer_bad_requests_too, listening
from recio.web.entrance import entrance_routes
from recio.web.feed import Feed, rates
from recio.web.gate import Gate
from recio.web.known_strikes import KnownStrikes
from recio.web.logins import LoginsFile
from recio.web.market_history import MarketHistory, Seen
from recio.web.passkey_routes import passkey_routes
from recio.web.push_devices import PushSetup
from recio.web.push_routes import Pushes, push_routes
from recio.web.reach import Reach
from recio.web.reading import reading_routes
from recio.web.refusals import NotAsked
from recio.web.site import Kept, Site, arrival_of
from recio.wires import Notes, Reads, Sends

log: structlog.stdlib.BoundLogger = structlog.get_logger()

PUSH_EVERY = 0.5
"""Host seconds between two pushes of what changed to each open page."""
IN_FORCE_WITHIN = 3.0
Request = TypeVar("Request", HaltRequest, ResumeRequest)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusHttp:
    reach: Reach
    logins: LoginsFile
    session_hours: int = 12
    status: Callable[[bool], dict[str, Any]]
    """The whole status, ready for JSON; True: with every strike of the board."""
    clock: Clock
    token: SecretStr
    """Whoever sends it from this machine is an operator."""
    controls: Reads[TradingControls]
    halt_requests: Sends[HaltRequest | ResumeRequest]
    halt_verifications: Reads[tuple[HaltVerification, ...]]
    alert_requests: Notes[Acknowledge | TryChannels]
    alerts: Reads[AlertsView]
    push: PushSetup | None = None
    """None: no device is told by push."""
    pool: asyncpg.Pool[asyncpg.Record]
    clients: set[int]
    """Open pages; a set so that a restarted task starts from what is true."""
    metrics: Callable[[], bytes]
    """What Prometheus asks for."""
    limits: RiskSection = field(default_factory=RiskSection)
    """Those of the start."""
    recorded: Callable[[datetime], Instant | None] = lambda _at: None
    """The file of the recording that holds a moment; None: there is none."""
    strategies: tuple[str, ...] = (DEFAULT,)
    """Their names."""
    measurements: Measurements = field(default_factory=Measurements)
    seen: Callable[[], Seen] = Seen
    """What the charts keep a point of."""
    strikes: KnownStrikes = field(default_factory=KnownStrikes)
    series: Mapping[str, str] = field(default_factory=dict[str, str])
    """The coin of each series."""
    history: MarketHistory = field(default_factory=MarketHistory)

    async def run(self, say: Say) -> None:
        self.clients.clear()
        site = self._site()
        application = site.application()
        runner = web.AppRunner(
            application,
            access_log=None,
            shutdown_timeout=0.5,
            logger=site.door.logger(),
            keepalive_timeout=PROGRESS_WITHIN,
            lingering_time=1.0,
        )
        await runner.setup()
        assert runner.server is not None
        answer_bad_requests_too(runner.server, application)
        try:
            with ExitStack() as open_listeners:
                listeners = [
                    open_listeners.enter_context(self._listener(host)) for host in self.reach.listens
                ]
                async with anyio.create_task_group() as group:
                    for each in listeners:
                        group.start_soon(site.door.admit, each, runner.server)
                    group.start_soon(self._end_devices, Pushes(gate=site.gate, setup=self.push))
                    await self._turn(site, say)
        finally:
            with anyio.move_on_after(2, shield=True):
                await runner.cleanup()

    def _site(self) -> Site:
        near, whole = (Kept(partial(self.status, every)) for every in (False, True))
        texts = {
            False: Kept(lambda: json.dumps(near.fresh(), separators=(",", ":"))),
            True: Kept(lambda: json.dumps(whole.fresh(), separators=(",", ":"))),
        }
        gate = Gate(
            logins=self.logins, halt_token=self.token, pool=self.pool, session_hours=self.session_hours
        )
        door = Door(
            self.measurements,
            encrypts=lambda peer: self.reach.certificate if self.reach.encrypts(peer) else None,
        )

        def readiness() -> tuple[bool, list[str]]:
            return near.fresh()["ready"], near.fresh()["reasons"]

        return Site(
            reach=self.reach,
            gate=gate,
            door=door,
            feed=Feed(status=near.fresh, rates=rates(self.clock.speed), every=PUSH_EVERY),
            clients=self.clients,
            status=lambda every: texts[every].fresh(),
            readiness=readiness,
            metrics=Kept(self.metrics).fresh,
            routes=[
                *entrance_routes(gate),
                *passkey_routes(gate),
                *push_routes(Pushes(gate=gate, setup=self.push)),
                *acting_routes(self._acting()),
                *reading_routes(self.pool, lambda every: (whole if every else near).fresh(), self.recorded),
                *chart_routes(self.pool, self._charted()),
            ],
            old_acts={"/halt": self._halt, "/resume": self._resume},
        )

    def _acting(self) -> Acting:
        return Acting(
            pool=self.pool,
            halt=self.halt_requests.send,
            alert=self.alert_requests.put,
            controls=self.controls.get,
            proofs=lambda: self.halt_verifications.get() or (),
            now=self.clock.utc,
            limits=self.limits,
            strategies=self.strategies,
        )

    def _charted(self) -> Charted:
        return Charted(
            history=self.history,
            prices=lambda: self.seen().prices,
            series=self.series,
            now=self.clock.utc,
        )

    async def _turn(self, site: Site, say: Say) -> None:
        where = f"http://127.0.0.1:{self.reach.port}/"
        beside = f" and as {', '.join(sorted(self.reach.hosts))}" if self.reach.hosts else ""
        while True:
            await cycle_of(Task.STATUS_HTTP)
            site.door.sweep()
            site.tell()
            seen = self.seen()
            self.history.look(seen, self.clock.utc())
            self.strikes.look(seen.board, seen.trades)
            say(f"{where}{beside} with {len(self.clients)} open pages")
            await anyio.sleep(PUSH_EVERY)

    async def _end_devices(self, pushes: Pushes) -> None:
        """The rows of those that their push services know no more; tried again at each look of the alerts."""
        ended, version = frozenset[str](), 0
        while True:
            version = await self.alerts.newer_than(version)
            view = self.alerts.get()
            over = frozenset[str]() if view is None else view.over
            if over - ended:
                with suppress(NotAsked):  # the database is away
                    await pushes.end_over(over - ended)
                    ended = over

    def _listener(self, host: str) -> socket.socket:
        try:
            return listening(host, self.reach.port)
        except OSError as error:
            raise BadConfig(port_in_use(self.reach.port, host, error)) from error

    async def _halt(self, request: web.Request) -> web.Response:
        """Halt and answer once it is in force; 400, 403 or 415 with the reason where nothing was done."""
        asked = await self._asked(request, read_halt)
        log.warning("halt asked for", level=asked.level.value, by=asked.by)
        if (after := await self._done(asked, lambda halted: asked.cause in halted)) is not None:
            return _said(200, cause=asked.cause, in_force_after=after)
        return _said(504, error=f"{asked.cause}: not in force after {IN_FORCE_WITHIN:g} s: see the log")

    async def _resume(self, request: web.Request) -> web.Response:
        """Clear the halts that the page showed and answer once they are gone; 504 if the rows could not be written."""
        asked = await self._asked(request, read_resume)
        log.warning("resume asked for", causes=list(asked.causes), by=asked.by)
        if (after := await self._done(asked, lambda halted: halted.isdisjoint(asked.causes))) is not None:
            return _said(200, cleared=list(asked.causes), in_force_after=after)
        return _said(504, error=f"not resumed after {IN_FORCE_WITHIN:g} s: the halts still hold; see the log")

    async def _asked(self, request: web.Request, read: Callable[..., Request]) -> Request:
        """What is asked for at this machine. Raises NotAsked for who may not."""
        if not arrival_of(request).is_local:
            raise NotAsked(403, f"{request.path} is for this machine alone: use /api/v1/acts with a session")
        return read(
            await request.read(),
            request.content_type,
            request.headers.get("Origin"),
            request.host,
            self.token.get_secret_value(),
            self.clock.utc(),
        )

    async def _done(
        self, asked: HaltRequest | ResumeRequest, is_done: Callable[[frozenset[str]], bool]
    ) -> float | None:
        """Seconds until the causes in force were what was asked for; None if they were not in time."""
        began, version = anyio.current_time(), 0
        await self.halt_requests.send(asked)
        with anyio.move_on_after(IN_FORCE_WITHIN):
            while True:
                seen = self.controls.get()
                if seen is not None and is_done(frozenset(each.cause for each in seen.halts)):
                    return round(anyio.current_time() - began, 3)
                version = await self.controls.newer_than(version)
        return None


def _said(status: int, **body: Any) -> web.Response:
    return web.json_response(body, status=status)


def port_in_use(port: int, host: str, error: OSError) -> str:
    if "in use" in str(error.strerror):
        return f"status.port = {port} is taken on {host}: stop what listens there or choose another port"
    return f"status.bind = {host!r} with status.port = {port} cannot be listened on: {error.strerror}"
