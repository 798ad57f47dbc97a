"""status_http: the status page, pushed; loopback only, never in the way of trading.

It changes nothing but for one thing: who has the token may set a halt and clear none.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import anyio
import structlog
from aiohttp import web
from pydantic import SecretStr

from recio.clock import Clock
from recio.errors import BadConfig
from recio.messages.controls import HaltRequest, TradingControls
from recio.supervisor import Say
from recio.test_hooks.freeze_points import Task, cycle_of
from recio.web import index_html, page_js, style_css
from recio.web.halt_request import BODY_LIMIT, NotAsked, read_halt
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
    halt_requests: Sends[HaltRequest]
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
                web.get("/", self._asset(index_html(), "text/html")),
                web.get("/style.css", self._asset(style_css(), "text/css")),
                web.get("/page.js", self._asset(page_js(), "text/javascript")),
                web.get("/status", self._status),
                web.get("/events", self._events),
                web.get("/healthz", self._healthz),
                web.get("/readyz", self._readyz),
                web.post("/halt", self._halt),
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

    async def _halt(self, request: web.Request) -> web.Response:
        """Halt and answer once it is in force; 400, 403 or 415 with the reason where nothing was done."""
        began = anyio.current_time()
        try:
            asked = read_halt(
                await request.read(),
                request.content_type,
                request.headers.get("Origin"),
                request.host,
                self.token.get_secret_value(),
                self.clock.utc(),
            )
        except NotAsked as refused:
            log.warning("halt refused", status=refused.status, why=str(refused))
            await anyio.sleep(WRONG_COSTS)
            return _said(refused.status, error=str(refused))
        log.warning("halt asked for", level=asked.level.value, by=asked.by)
        await self.halt_requests.send(asked)
        with anyio.move_on_after(IN_FORCE_WITHIN):
            version = 0
            while not self._in_force(asked):
                version = await self.controls.newer_than(version)
            return _said(200, cause=asked.cause, in_force_after=round(anyio.current_time() - began, 3))
        return _said(504, error=f"{asked.cause}: not in force after {IN_FORCE_WITHIN:g} s: see the log")

    def _in_force(self, asked: HaltRequest) -> bool:
        seen = self.controls.get()
        return seen is not None and any(each.cause == asked.cause for each in seen.halts)

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
