"""A real local HTTP and WebSocket server whose answers each test scripts itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa

from recio.clock import Clock
from recio.kalshi.rate_limit import BucketLimit, EndpointCosts, RateLimits
from recio.kalshi.rest import KalshiRest
from recio.kalshi.signing import Signer

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
SIGNER = Signer(key_id="key-1", key=rsa.generate_private_key(65537, 2048))


@dataclass(slots=True)
class LocalVenue:
    """What was asked, and where to ask."""

    base_url: str
    session: aiohttp.ClientSession
    requests: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    def rest(self, timeout_seconds: float = 5.0, limits: RateLimits | None = None) -> KalshiRest:
        return KalshiRest(
            session=self.session,
            base_url=self.base_url + "/trade-api/v2",
            signer=SIGNER,
            clock=Clock(),
            timeout_seconds=timeout_seconds,
            limits=limits or plenty(),
        )


def plenty() -> RateLimits:
    """More tokens than any test asks for."""
    limits, wide = RateLimits(), BucketLimit(refill=1_000_000, capacity=1_000_000)
    limits.learn("test", wide, wide, EndpointCosts())
    limits.balance.relearn(wide)
    return limits


def by_path(**bodies: object) -> Handler:
    """Serve by the last part of the path; a body that is a function gets the request."""

    async def serve(request: web.Request) -> web.StreamResponse:
        body = bodies.get(request.path.rsplit("/", 1)[-1], bodies.get("other"))
        if callable(body):
            body = body(request)
        if isinstance(body, web.StreamResponse):
            return body
        return (
            web.Response(status=404, text="404 page not found") if body is None else web.json_response(body)
        )

    return serve


def not_there(_request: web.Request) -> web.StreamResponse:
    """As the venue answers for a market that it has no more."""
    return web.json_response({"error": {"code": "not_found", "message": "not found"}}, status=404)


@asynccontextmanager
async def local_venue(handler: Handler) -> AsyncIterator[LocalVenue]:
    """Serve every path with `handler`; each request is counted before it is answered."""
    seen: list[tuple[str, str]] = []

    async def count(request: web.Request) -> web.StreamResponse:
        seen.append((request.method, request.path_qs))
        return await handler(request)

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", count)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = runner.addresses[0][1]
        async with aiohttp.ClientSession() as session:
            yield LocalVenue(base_url=f"http://127.0.0.1:{port}", session=session, requests=seen)
    finally:
        await runner.cleanup()


def answers(status: int, body: str, kind: str = "application/json") -> Handler:
    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text=body, content_type=kind)

    return answer


def pages(*bodies: object) -> Handler:
    """Serve the bodies one after another by their cursor."""

    async def serve(request: web.Request) -> web.StreamResponse:
        index = int(request.query.get("cursor", "0") or 0)
        body = bodies[index]
        return body if isinstance(body, web.StreamResponse) else web.json_response(body)

    return serve
