"""status_http: the status page, pushed; loopback only, never in the way of trading.

It changes nothing but halts: anybody here may stop entries, who has the token may flatten, stop and resume.
"""

from __future__ import annotations

import json
import math
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

import anyio
import asyncpg
import structlog
from aiohttp import web
from pydantic import SecretStr

from recio.clock import Clock
from recio.errors import BadConfig
from recio.log import RECENT
from recio.measurements import Measurements
from recio.messages.controls import HaltRequest, ResumeRequest, TradingControls
from recio.supervisor import Say
from recio.test_hooks.freeze_points import Task, cycle_of
from recio.web import page_files
from recio.web.acts import BODY_LIMIT, NotAsked, read_halt, read_resume
from recio.web.door import PROGRESS_WITHIN, Door, answer_bad_requests_too, listening
from recio.web.history import days, parity, trades_page
from recio.web.metrics import CONTENT_TYPE
from recio.wires import Reads, Sends

log: structlog.stdlib.BoundLogger = structlog.get_logger()
T = TypeVar("T")

HOST = "127.0.0.1"
PUSH_EVERY = 0.5
"""Host seconds between two pushes of the whole status to each open page."""
CLIENTS_AT_MOST = 16
WRONG_COSTS = 1.0
"""Host seconds that a refused halt waits for its answer, so that a token is not found by trying."""
IN_FORCE_WITHIN = 3.0
KEPT_FOR = 0.1
"""Host seconds for which one status serves everybody who asks."""
TELL_EVERY = 60.0
"""Host seconds between two lines about bad requests and refused halts, however many there are."""
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
    " img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Server": "recio",
}
"""On every answer, whatever it answers."""
Asked = TypeVar("Asked", HaltRequest, ResumeRequest)
LOCAL_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})


@dataclass(slots=True)
class _Kept(Generic[T]):
    """One answer that is costly to make, for whoever asks within `KEPT_FOR`."""

    make: Callable[[], T]
    made_at: float = -math.inf
    value: T | None = None

    def fresh(self) -> T:
        if self.value is None or time.monotonic() - self.made_at > KEPT_FOR:
            self.value, self.made_at = self.make(), time.monotonic()
        return self.value


@dataclass(frozen=True, slots=True)
class _Status:
    body: dict[str, Any]
    text: str

    @staticmethod
    def of(body: dict[str, Any]) -> _Status:
        return _Status(body, json.dumps(body, separators=(",", ":")))


@dataclass(slots=True)
class _Told:
    """What is counted and told together."""

    bad_requests: int = 0
    refused_acts: int = 0
    at: float = -math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusHttp:
    port: int
    status: Callable[[bool], dict[str, Any]]
    """The whole status, ready for JSON; True: with every strike of the board."""
    clock: Clock
    token: SecretStr
    """Whoever sends it may halt."""
    controls: Reads[TradingControls]
    halt_requests: Sends[HaltRequest | ResumeRequest]
    pool: asyncpg.Pool[asyncpg.Record]
    clients: set[int]
    """Open pages; a set so that a restarted task starts from what is true."""
    metrics: Callable[[], bytes]
    """What Prometheus asks for."""
    measurements: Measurements = field(default_factory=Measurements)

    async def run(self, say: Say) -> None:
        self.clients.clear()
        page = _Page(self, Door(self.measurements))
        application = page.application()
        runner = web.AppRunner(
            application,
            access_log=None,
            shutdown_timeout=0.5,
            logger=page.door.logger(),
            keepalive_timeout=PROGRESS_WITHIN,
            lingering_time=1.0,
        )
        await runner.setup()
        assert runner.server is not None
        answer_bad_requests_too(runner.server, application)
        try:
            with self._listener() as listener:
                async with anyio.create_task_group() as group:
                    group.start_soon(page.door.admit, listener, runner.server)
                    await self._turn(page, say)
        finally:
            with anyio.move_on_after(2, shield=True):
                await runner.cleanup()

    async def _turn(self, page: _Page, say: Say) -> None:
        while True:
            await cycle_of(Task.STATUS_HTTP)
            page.door.sweep()
            page.tell()
            say(f"http://{HOST}:{self.port}/ with {len(self.clients)} open pages")
            await anyio.sleep(PUSH_EVERY)

    def _listener(self) -> socket.socket:
        try:
            return listening(HOST, self.port)
        except OSError as error:
            raise BadConfig(port_in_use(self.port)) from error


@dataclass(slots=True)
class _Page:
    """One run's answers."""

    task: StatusHttp
    door: Door
    near: _Kept[_Status] = field(init=False)
    whole: _Kept[_Status] = field(init=False)
    metrics: _Kept[bytes] = field(init=False)
    told: _Told = field(default_factory=_Told)

    def __post_init__(self) -> None:
        self.near = _Kept(lambda: _Status.of(self.task.status(False)))
        self.whole = _Kept(lambda: _Status.of(self.task.status(True)))
        self.metrics = _Kept(self.task.metrics)

    def application(self) -> web.Application:
        application = web.Application(middlewares=[self._admitted], client_max_size=BODY_LIMIT)
        application.on_response_prepare.append(_with_headers)
        application.add_routes(
            [
                *(
                    web.get("/" if name == "index.html" else f"/{name}", self._asset(text, kind))
                    for name, (text, kind) in page_files().items()
                ),
                web.get("/status", self._status),
                web.get("/events", self._events),
                web.get("/metrics", self._metrics),
                web.get("/healthz", self._healthz),
                web.get("/readyz", self._readyz),
                web.get("/api/v1/trades", self._trades),
                web.get("/api/v1/days", self._days),
                web.get("/api/v1/parity", self._parity),
                web.get("/api/v1/log", self._log),
                web.post("/halt", self._halt),
                web.post("/resume", self._resume),
            ]
        )
        return application

    def _asset(self, text: str, kind: str) -> Any:
        async def serve(_request: web.Request) -> web.Response:
            return web.Response(text=text, content_type=kind, charset="utf-8")

        return serve

    async def _status(self, request: web.Request) -> web.Response:
        kept = self.whole if request.query.get("board") == "all" else self.near
        return web.json_response(text=kept.fresh().text)

    async def _metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=self.metrics.fresh(), headers={"Content-Type": CONTENT_TYPE})

    async def _healthz(self, _request: web.Request) -> web.Response:
        """The process turns its loop; it says nothing about trading."""
        return web.Response(text="ok\n")

    async def _readyz(self, _request: web.Request) -> web.Response:
        """200 when it can trade, 503 with the reasons when it cannot."""
        status = self.near.fresh().body
        body = {"ready": status["ready"], "reasons": status["reasons"]}
        return web.json_response(body, status=200 if status["ready"] else 503)

    async def _trades(self, request: web.Request) -> web.Response:
        """Trades of the past, newest first; 400 names a field, 503 says why the past cannot be read."""
        try:
            return web.json_response(await trades_page(self.task.pool, request.query))
        except NotAsked as refused:
            return _said(refused.status, error=str(refused))

    async def _days(self, _request: web.Request) -> web.Response:
        try:
            return web.json_response(await days(self.task.pool))
        except NotAsked as refused:
            return _said(refused.status, error=str(refused))

    async def _parity(self, _request: web.Request) -> web.Response:
        try:
            return web.json_response(await parity(self.task.pool))
        except NotAsked as refused:
            return _said(refused.status, error=str(refused))

    async def _log(self, _request: web.Request) -> web.Response:
        """The last lines of the log, oldest first."""
        lines = [{"level": level, "line": line} for level, line in RECENT]
        return web.json_response({"lines": lines})

    async def _halt(self, request: web.Request) -> web.Response:
        """Halt and answer once it is in force; 400, 403 or 415 with the reason where nothing was done."""
        asked = await self._asked(request, read_halt)
        if isinstance(asked, web.Response):
            return asked
        log.warning("halt asked for", level=asked.level.value, by=asked.by)
        if (after := await self._done(asked, lambda halted: asked.cause in halted)) is not None:
            return _said(200, cause=asked.cause, in_force_after=after)
        return _said(504, error=f"{asked.cause}: not in force after {IN_FORCE_WITHIN:g} s: see the log")

    async def _resume(self, request: web.Request) -> web.Response:
        """Clear the halts that the page showed and answer once they are gone; 504 if the rows could not be written."""
        asked = await self._asked(request, read_resume)
        if isinstance(asked, web.Response):
            return asked
        log.warning("resume asked for", causes=list(asked.causes), by=asked.by)
        if (after := await self._done(asked, lambda halted: halted.isdisjoint(asked.causes))) is not None:
            return _said(200, cleared=list(asked.causes), in_force_after=after)
        return _said(504, error=f"not resumed after {IN_FORCE_WITHIN:g} s: the halts still hold; see the log")

    async def _asked(
        self, request: web.Request, read: Callable[[bytes, str, str | None, str, str, datetime], Asked]
    ) -> Asked | web.Response:
        """What is asked for, or the answer to who may not."""
        try:
            return read(
                await request.read(),
                request.content_type,
                request.headers.get("Origin"),
                request.host,
                self.task.token.get_secret_value(),
                self.task.clock.utc(),
            )
        except NotAsked as refused:
            self.told.refused_acts += 1
            await anyio.sleep(WRONG_COSTS)
            return _said(refused.status, error=str(refused))

    async def _done(
        self, asked: HaltRequest | ResumeRequest, is_done: Callable[[frozenset[str]], bool]
    ) -> float | None:
        """Seconds until the causes in force were what was asked for; None if they were not in time."""
        began, version = anyio.current_time(), 0
        await self.task.halt_requests.send(asked)
        with anyio.move_on_after(IN_FORCE_WITHIN):
            while True:
                seen = self.task.controls.get()
                if seen is not None and is_done(frozenset(each.cause for each in seen.halts)):
                    return round(anyio.current_time() - began, 3)
                version = await self.task.controls.newer_than(version)
        return None

    async def _events(self, request: web.Request) -> web.StreamResponse:
        """The status as Server-Sent Events until the page goes away."""
        clients = self.task.clients
        if len(clients) >= CLIENTS_AT_MOST:
            return _refused(503, "too many open pages")
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        clients.add(id(response))
        try:
            while True:
                await response.write(f"data: {self.near.fresh().text}\n\n".encode())
                self.door.progressed(request.transport)
                await anyio.sleep(PUSH_EVERY)
        except ConnectionError:
            return response
        finally:
            clients.discard(id(response))

    @web.middleware
    async def _admitted(
        self, request: web.Request, handler: Callable[[web.Request], Any]
    ) -> web.StreamResponse:
        """Refuse requests under a foreign host name, so that no web page can reach us by rebinding its name, and floods."""
        self.door.progressed(request.transport)
        if request.host.rsplit(":", 1)[0] not in LOCAL_NAMES:
            return _refused(403, "only by its loopback address")
        if request.path != "/halt" and not self.door.may_ask():
            self.door.measurements.bad_request()
            return _refused(429, "too many requests")
        with self.door.serving(request.transport):
            return await handler(request)

    def tell(self) -> None:
        """One line a minute about what would else be a line each."""
        bad, refused, now = self.door.measurements.bad_requests, self.told.refused_acts, time.monotonic()
        is_news = bad > self.told.bad_requests or refused
        if is_news and now - self.told.at >= TELL_EVERY:
            log.warning("bad requests", requests=bad - self.told.bad_requests, refused_acts=refused)
            self.told = _Told(bad_requests=bad, at=now)


def _refused(status: int, why: str) -> web.Response:
    """With the end of the connection: who is refused takes nobody's place."""
    response = web.Response(status=status, text=f"{why}\n")
    response.force_close()
    return response


async def _with_headers(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)


def _said(status: int, **body: Any) -> web.Response:
    return web.json_response(body, status=status)


def port_in_use(port: int) -> str:
    return f"status.port = {port} is taken on {HOST}: stop what listens there or choose another port"
