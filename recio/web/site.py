"""The page's HTTP: which address answers with what, to whom, and with which headers; it changes nothing by itself."""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, TypeVar

import anyio
import anyio.to_thread
import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from pydantic import BaseModel

from recio.web import page_files, page_icons
from recio.web.answers import Fault
from recio.web.door import Door, pages_at_most
from recio.web.feed import Feed
from recio.web.gate import COOKIE, WRONG_COSTS, Gate, Visitor
from recio.web.interface import PREFIX, Asked, May, Reply, Route, Text, document, read, read_body
from recio.web.logins import Role
from recio.web.metrics import CONTENT_TYPE
from recio.web.reach import Arrival, Reach
from recio.web.refusals import NotAsked

log: structlog.stdlib.BoundLogger = structlog.get_logger()
T = TypeVar("T")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

ARRIVAL = web.RequestKey("arrival", Arrival)
VISITOR = web.RequestKey("visitor", Visitor)
BODY_LIMIT = 131_072
KEPT_FOR = 0.1
"""Host seconds for which one answer serves everybody who asks."""
TELL_EVERY = 60.0
"""Host seconds between two lines about bad requests and refused acts, however many there are."""
LOOK_AGAIN = 5.0
"""Host seconds after which a reader of the feed has to be known anew."""
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
    " img-src 'self'; manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types recio-worker",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Server": "recio",
}
"""On every answer, whatever it answers."""
ONLY_TLS = "max-age=31536000"
PACKED_FROM = 8_192
"""Bytes of an answer of the interface from which on it is packed for who takes that, in a thread: a phone asks for charts often."""
MOVED: Mapping[str, tuple[str, dict[str, str]]] = {
    "/plain": (f"{PREFIX}/plain", {}),
    "/trades.csv": (f"{PREFIX}/history/trades.csv", {"order": "up"}),
}
"""Where what once stood beside the interface has its place now, with what it did unless it is asked otherwise."""
HALTS = ("/halt", PREFIX + "/acts/halt")
"""Never refused for a flood."""


@dataclass(slots=True)
class Kept(Generic[T]):
    """One answer that is costly to make, for whoever asks within `KEPT_FOR`."""

    make: Callable[[], T]
    made_at: float = -math.inf
    value: T | None = None

    def fresh(self) -> T:
        if self.value is None or time.monotonic() - self.made_at > KEPT_FOR:
            self.value, self.made_at = self.make(), time.monotonic()
        return self.value


@dataclass(slots=True)
class _Told:
    """What is counted and told together."""

    bad_requests: int = 0
    refused_acts: int = 0
    at: float = -math.inf


@dataclass(slots=True, kw_only=True)
class Site:
    """One run's answers."""

    reach: Reach
    gate: Gate
    door: Door
    feed: Feed
    clients: set[int]
    """Open pages."""
    status: Callable[[bool], str]
    """The whole status as JSON; True: with every strike."""
    readiness: Callable[[], tuple[bool, list[str]]]
    metrics: Callable[[], bytes]
    routes: list[Route]
    old_acts: dict[str, Handler]
    """The acts as they were asked for before there was an interface, by path."""
    told: _Told = field(default_factory=_Told)

    def application(self) -> web.Application:
        application = web.Application(middlewares=[self._admitted], client_max_size=BODY_LIMIT)
        application.on_response_prepare.append(_with_headers)
        application.add_routes(
            [
                *(
                    web.get("/" if name == "index.html" else f"/{name}", _asset(text, kind))
                    for name, (text, kind) in page_files().items()
                ),
                *(web.get(f"/{name}", _picture(png)) for name, png in page_icons().items()),
                web.get("/healthz", _healthz),
                web.get("/status", self._for(May.READER, self._status)),
                *(web.get(old, _moved(*new)) for old, new in MOVED.items()),
                web.get("/events", self._for(May.READER, self._events), allow_head=False),
                web.get("/metrics", self._for(May.READER, self._metrics)),
                web.get("/readyz", self._for(May.READER, self._readyz)),
                *(web.post(path, self._for(May.READER, act)) for path, act in self.old_acts.items()),
                web.get(f"{PREFIX}/openapi.json", _document(self.routes)),
                *(
                    web.route(
                        each.method, PREFIX + each.path, self._for(each.may, partial(self._answer, each))
                    )
                    for each in self.routes
                ),
            ]
        )
        return application

    def _for(self, may: May, handler: Handler) -> Handler:
        """Raises NotAsked where whoever asks is not known."""

        async def guarded(request: web.Request) -> web.StreamResponse:
            if may is not May.ANYBODY:
                found = await self.visitor(request)
                if found is None:
                    raise NotAsked(
                        401, "log in first, or send a token of recio login token as Authorization: Bearer"
                    )
                request[VISITOR] = found
            return await handler(request)

        return guarded

    async def visitor(self, request: web.Request) -> Visitor | None:
        kind, _, bearer = request.headers.get("Authorization", "").partition(" ")
        return await self.gate.visitor(
            arrival_of(request),
            bearer.strip() if kind.lower() == "bearer" else "",
            request.cookies.get(COOKIE, ""),
        )

    async def _answer(self, route: Route, request: web.Request) -> web.StreamResponse:
        """One of the interface's routes."""
        arrival = arrival_of(request)
        who: Visitor | None = request.get(VISITOR)
        if who is None:
            who = await self.visitor(request)
        if route.method == "POST" and who is not None and route.may is not May.ANYBODY:
            who = self.gate.actor(who, arrival, request.headers)
        if route.may is May.OPERATOR and who is not None and who.role is not Role.OPERATOR:
            raise NotAsked(
                403,
                "only for operators: log in as one, or give the token of the file halt-token at the machine",
            )
        if len(request.query) != len(set(request.query)):
            raise NotAsked(400, "a field of the query stands there twice")
        asked = Asked(
            query=read(route.query, request.query),
            path=read(route.parts, request.match_info),
            body=read_body(route.body, await request.read(), request.content_type),
            visitor=who,
            arrival=arrival,
            headers=request.headers,
        )
        return _reply(route, await route.do(asked))

    async def _status(self, request: web.Request) -> web.Response:
        return web.json_response(text=self.status(request.query.get("board") == "all"))

    async def _metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=self.metrics(), headers={"Content-Type": CONTENT_TYPE})

    async def _readyz(self, _request: web.Request) -> web.Response:
        """200 when it can trade, 503 with the reasons when it cannot."""
        ready, reasons = self.readiness()
        return web.json_response({"ready": ready, "reasons": reasons}, status=200 if ready else 503)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        """The status as Server-Sent Events until the page goes away, or is known no more."""
        if len(self.clients) >= pages_at_most():
            return _refused(503, "too many open pages")
        reader = self.feed.reader(
            changes=request.query.get("changes") == "1",
            packed="gzip" in request.headers.get("Accept-Encoding", ""),
        )
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", **reader.headers})
        await response.prepare(request)
        self.clients.add(id(response))
        try:
            known_at = time.monotonic()
            while True:
                await response.write(reader.take())
                self.door.progressed(request.transport)
                if time.monotonic() - known_at > LOOK_AGAIN:
                    if await self.visitor(request) is None:
                        return response
                    known_at = time.monotonic()
                await anyio.sleep(self.feed.pause())
        except (ConnectionError, NotAsked):
            return response
        finally:
            self.clients.discard(id(response))

    @web.middleware
    async def _admitted(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse requests under a foreign host name, so that no web page can reach us by rebinding its name, and floods."""
        self.door.progressed(request.transport)
        if not all(map(_is_text, request.headers.values())):
            self.door.measurements.bad_request()
            return _refused(400, "a header holds bytes that are no text")
        arrival = self.reach.arrival(request.host, request.remote or "", request.headers)
        if isinstance(arrival, str):
            return _refused(403, arrival)
        if request.path not in HALTS and not self.door.may_ask(is_local=arrival.is_local):
            self.door.measurements.bad_request()
            return _refused(429, "too many requests")
        request[ARRIVAL] = arrival
        with self.door.serving(request.transport):
            try:
                return await handler(request)
            except NotAsked as refused:
                return await self._refusal(request, refused)
            except (web.RequestPayloadError, HttpProcessingError):
                self.door.measurements.bad_request()
                return _refused(400, "the body is not what its Content-Encoding says")
            except web.HTTPException as error:
                if not request.path.startswith("/api/"):
                    raise
                allow = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
                return _fault(error.status, f"{error.reason}: {request.method} {request.path[:80]}", allow)

    async def _refusal(self, request: web.Request, refused: NotAsked) -> web.Response:
        if request.method == "POST":
            self.told.refused_acts += 1
        if refused.status == 403:
            await anyio.sleep(WRONG_COSTS)
        headers: dict[str, str] = {}
        if refused.wait > 0:
            headers["Retry-After"] = str(math.ceil(refused.wait))
        if refused.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        return _fault(refused.status, str(refused), headers)

    def tell(self) -> None:
        """One line a minute about what would else be a line each."""
        bad, refused, now = self.door.measurements.bad_requests, self.told.refused_acts, time.monotonic()
        is_news = bad > self.told.bad_requests or refused
        if is_news and now - self.told.at >= TELL_EVERY:
            log.warning("bad requests", requests=bad - self.told.bad_requests, refused_acts=refused)
            self.told = _Told(bad_requests=bad, at=now)


def _is_text(header: str) -> bool:
    """HTTP leaves the bytes of a header open; what is no UTF-8 comes in as halves of signs, which nothing can be held against."""
    try:
        header.encode()
    except UnicodeEncodeError:
        return False
    return True


def arrival_of(request: web.Request) -> Arrival:
    return request[ARRIVAL]


def _asset(text: str, kind: str) -> Handler:
    async def serve(_request: web.Request) -> web.Response:
        return web.Response(text=text, content_type=kind, charset="utf-8")

    return serve


def _picture(png: bytes) -> Handler:
    async def serve(_request: web.Request) -> web.Response:
        return web.Response(body=png, content_type="image/png")

    return serve


def _document(routes: Sequence[Route]) -> Handler:
    """Made when it is first asked for, and beside the loop: it takes a fifth of a second, which no start and no stop should wait for."""
    made: list[dict[str, Any]] = []

    async def serve(_request: web.Request) -> web.Response:
        if not made:
            made.append(await anyio.to_thread.run_sync(document, routes))
        return web.json_response(made[0])

    return serve


async def _healthz(_request: web.Request) -> web.Response:
    """The process turns its loop; it says nothing about trading."""
    return web.Response(text="ok\n")


def _moved(new: str, usual: Mapping[str, str]) -> Handler:
    """Named from where it was, so that a path that a proxy puts before it stays."""

    async def lead(request: web.Request) -> web.Response:
        asked = [f"{name}={value}" for name, value in usual.items() if name not in request.query]
        if query := request.rel_url.raw_query_string:  # decoded it would part elsewhere, or end the header
            asked.append(query)
        place = "?".join([new.removeprefix("/"), *(["&".join(asked)] if asked else [])])
        return web.Response(status=308, headers={"Location": place})

    return lead


def _reply(route: Route, said: BaseModel | Reply) -> web.Response:
    if isinstance(said, Text):
        named = {"Content-Disposition": f'attachment; filename="{said.file_name}"'} if said.file_name else {}
        return web.Response(text=said.text, content_type=route.media, charset="utf-8", headers=named)
    reply = said if isinstance(said, Reply) else Reply(model=said)
    response = web.Response(
        text=reply.model.model_dump_json(),
        status=reply.status,
        content_type="application/json",
        zlib_executor_size=PACKED_FROM,
    )
    if reply.cookie is None and len(response.text or "") >= PACKED_FROM:
        response.enable_compression()
    if reply.cookie is not None:
        response.set_cookie(
            COOKIE,
            reply.cookie,
            max_age=reply.cookie_seconds,
            path="/",
            secure=True,
            httponly=True,
            samesite="Strict",
        )
    return response


def _fault(status: int, why: str, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response(text=Fault(error=why).model_dump_json(), status=status, headers=headers)


def _refused(status: int, why: str) -> web.Response:
    """With the end of the connection: who is refused takes nobody's place."""
    response = _fault(status, why)
    response.force_close()
    return response


async def _with_headers(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)
    arrival: Arrival | None = request.get(ARRIVAL)
    if arrival is not None and not arrival.is_local:
        response.headers["Strict-Transport-Security"] = ONLY_TLS
