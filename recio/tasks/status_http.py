"""status_http: the status page, pushed; loopback only, never in the way of trading.

It changes nothing but halts: anybody here may stop entries, who has the token may flatten, stop and resume.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import anyio
import asyncpg
import structlog
from aiohttp import web
from pydantic import SecretStr

from recio.clock import Clock
from recio.errors import BadConfig
from recio.log import RECENT
from recio.messages.controls import HaltRequest, ResumeRequest, TradingControls
from recio.supervisor import Say
from recio.test_hooks.freeze_points import Task, cycle_of
from recio.web import page_files
from recio.web.acts import BODY_LIMIT, NotAsked, read_halt, read_resume
from recio.web.history import days, trades_page
from recio.wires import Reads, Sends

log: structlog.stdlib.BoundLogger = structlog.get_logger()

HOST = "127.0.0.1"
PUSH_EVERY = 0.5
"""Host seconds between two pushes of the whole status to each open page."""
CLIENTS_AT_MOST = 16
WRONG_COSTS = 1.0
"""Host seconds that a refused halt waits for its answer, so that a token is not found by trying."""
IN_FORCE_WITHIN = 3.0
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
    " img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
Asked = TypeVar("Asked", HaltRequest, ResumeRequest)
LOCAL_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})


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

    async def run(self, say: Say) -> None:
        self.clients.clear()
        runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        try:
            await self._listen(runner)
            while True:
                await cycle_of(Task.STATUS_HTTP)
                say(f"http://{HOST}:{self.port}/ with {len(self.clients)} open pages")
                await anyio.sleep(PUSH_EVERY)
        finally:
            with anyio.move_on_after(2, shield=True):
                await runner.cleanup()

    async def _listen(self, runner: web.AppRunner) -> None:
        try:
            await web.TCPSite(runner, HOST, self.port).start()
        except OSError as error:
            raise BadConfig(port_in_use(self.port)) from error

    def _application(self) -> web.Application:
        application = web.Application(middlewares=[_local_only], client_max_size=BODY_LIMIT)
        application.add_routes(
            [
                *(
                    web.get("/" if name == "index.html" else f"/{name}", self._asset(text, kind))
                    for name, (text, kind) in page_files().items()
                ),
                web.get("/status", self._status),
                web.get("/events", self._events),
                web.get("/healthz", self._healthz),
                web.get("/readyz", self._readyz),
                web.get("/api/v1/trades", self._trades),
                web.get("/api/v1/days", self._days),
                web.get("/api/v1/log", self._log),
                web.post("/halt", self._halt),
                web.post("/resume", self._resume),
            ]
        )
        return application

    def _asset(self, text: str, kind: str) -> Any:
        async def serve(_request: web.Request) -> web.Response:
            return web.Response(text=text, content_type=kind, charset="utf-8", headers=HEADERS)

        return serve

    async def _status(self, request: web.Request) -> web.Response:
        whole = request.query.get("board") == "all"
        return web.json_response(self.status(whole), headers=HEADERS)

    async def _healthz(self, _request: web.Request) -> web.Response:
        """The process turns its loop; it says nothing about trading."""
        return web.Response(text="ok\n", headers=HEADERS)

    async def _readyz(self, _request: web.Request) -> web.Response:
        """200 when it can trade, 503 with the reasons when it cannot."""
        status = self.status(False)
        body = {"ready": status["ready"], "reasons": status["reasons"]}
        return web.json_response(body, status=200 if status["ready"] else 503, headers=HEADERS)

    async def _trades(self, request: web.Request) -> web.Response:
        """Trades of the past, newest first; 400 names a field, 503 says why the past cannot be read."""
        try:
            return web.json_response(await trades_page(self.pool, request.query), headers=HEADERS)
        except NotAsked as refused:
            return _said(refused.status, error=str(refused))

    async def _days(self, _request: web.Request) -> web.Response:
        try:
            return web.json_response(await days(self.pool), headers=HEADERS)
        except NotAsked as refused:
            return _said(refused.status, error=str(refused))

    async def _log(self, _request: web.Request) -> web.Response:
        """The last lines of the log, oldest first."""
        lines = [{"level": level, "line": line} for level, line in RECENT]
        return web.json_response({"lines": lines}, headers=HEADERS)

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
                self.token.get_secret_value(),
                self.clock.utc(),
            )
        except NotAsked as refused:
            log.warning("act refused", path=request.path, status=refused.status, why=str(refused))
            await anyio.sleep(WRONG_COSTS)
            return _said(refused.status, error=str(refused))

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

    async def _events(self, request: web.Request) -> web.StreamResponse:
        """The status as Server-Sent Events until the page goes away."""
        if len(self.clients) >= CLIENTS_AT_MOST:
            return web.Response(status=503, text="too many open pages\n", headers=HEADERS)
        response = web.StreamResponse(headers={**HEADERS, "Content-Type": "text/event-stream"})
        await response.prepare(request)
        self.clients.add(id(response))
        try:
            while True:
                data = json.dumps(self.status(False), separators=(",", ":"))
                await response.write(f"data: {data}\n\n".encode())
                await anyio.sleep(PUSH_EVERY)
        except ConnectionError:
            return response
        finally:
            self.clients.discard(id(response))


def _said(status: int, **body: Any) -> web.Response:
    return web.json_response(body, status=status, headers=HEADERS)


def port_in_use(port: int) -> str:
    return f"status.port = {port} is taken on {HOST}: stop what listens there or choose another port"


@web.middleware
async def _local_only(request: web.Request, handler: Callable[[web.Request], Any]) -> web.StreamResponse:
    """Refuse requests under a foreign host name, so that no web page can reach us by rebinding its name."""
    name = request.host.rsplit(":", 1)[0]
    if name not in LOCAL_NAMES:
        return web.Response(status=403, text="only by its loopback address\n", headers=HEADERS)
    return await handler(request)
