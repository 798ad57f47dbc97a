"""Sends signed HTTP requests to Kalshi within its rate limits and decodes reads; it never sends a change twice."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import urlsplit

import aiohttp
import anyio
import msgspec

from recio.clock import Clock
from recio.errors import Transient
from recio.kalshi.connections import close_spoilt
from recio.kalshi.rate_limit import BilledRequest, Priority, RateLimits
from recio.kalshi.responses import (
    TOO_MANY_REQUESTS,
    Response,
    cached_for,
    carries_error,
    decoded,
    exception_for,
)
from recio.kalshi.set_aside import SetAside
from recio.kalshi.signing import KeyProof, PreparedSignatures, Signer
from recio.kalshi.venue_clock import VenueClock

T = TypeVar("T")
Params = Mapping[str, str] | Sequence[tuple[str, str]]
MOST_PAGES = 1_000
ORDERS_PATH = "/portfolio/events/orders"
PRIVATE = "/portfolio/"


@dataclass(frozen=True, slots=True, kw_only=True)
class KalshiRest:
    """Address and key of the REST interface, and the rate limits and clock that its responses tell of."""

    session: aiohttp.ClientSession
    base_url: str
    signer: Signer | None
    clock: Clock
    timeout_seconds: float
    limits: RateLimits = field(default_factory=RateLimits)
    venue_clock: VenueClock = field(default_factory=VenueClock)
    prepared: PreparedSignatures = field(default_factory=PreparedSignatures)
    key_proof: KeyProof = field(default_factory=KeyProof)
    set_aside: SetAside = field(default_factory=SetAside)
    """Rows of lists that could not be read."""

    @property
    def clock_offset(self) -> float | None:
        """Seconds of market time by which the venue's clock is ahead of ours; None while unknown."""
        known = self.venue_clock.offset
        return known.nearest if known else None

    def prepare_signature(self, method: str, path: str) -> bool:
        """Sign ahead for a next request of this kind; called when nothing waits. Whether these are enough now."""
        if self.signer is None:
            return True
        where = urlsplit(self.base_url + path).path
        self.prepared.prepare(self.signer, method, where, self.venue_clock.stamp_ms(self.clock))
        return self.prepared.is_full

    async def send(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        body: object = None,
        timeout_seconds: float | None = None,
    ) -> Response:
        """One attempt: no redirect, no retry, no token. Raises what aiohttp raises."""
        url = self.base_url + path
        headers = {"Accept": "application/json"}
        if self.signer is not None:
            headers |= self._signature(self.signer, method, urlsplit(url).path)
        encoded = None
        if body is not None:
            encoded = msgspec.json.encode(body)
            headers["Content-Type"] = "application/json"
        close_spoilt(self.session)
        sent = self.clock.unix()
        async with self.session.request(
            method,
            url,
            params=params,
            data=encoded,
            headers=headers,
            allow_redirects=False,
            middlewares=(_no_resend,),
            timeout=aiohttp.ClientTimeout(total=timeout_seconds or self.timeout_seconds),
        ) as response:
            age = cached_for(response.headers.get("Age", ""))
            if not age:  # a cache sends the Date of what it kept
                self.venue_clock.heard(self.clock, response.headers.get("Date", ""), sent, self.clock.unix())
            return Response(response.status, await response.read(), age)

    async def get(
        self,
        path: str,
        params: Params | None = None,
        *,
        statuses: Collection[int] = (200,),
        priority: Priority = Priority.READ,
    ) -> bytes:
        """The body of a read. Raises Transient for what passes, VenueRefused for what the venue refuses."""
        return (await self._answered(path, params, statuses, priority)).body

    async def read(
        self,
        path: str,
        kind: type[T],
        params: Params | None = None,
        *,
        priority: Priority = Priority.READ,
    ) -> T:
        """A read decoded strictly. Raises Transient naming the field when the body is not of that kind."""
        return decoded(await self.get(path, params, priority=priority), kind, path)

    async def fresh_read(self, path: str, kind: type[T], params: Params | None = None) -> T:
        """The same of an answer that no cache had kept. Raises Transient for one that a cache had."""
        response = await self._answered(path, params, (200,), Priority.READ)
        _insist_on_fresh(path, response)
        return decoded(response.body, kind, path)

    async def pages(
        self,
        path: str,
        kind: type[T],
        params: Mapping[str, str],
        *,
        priority: Priority = Priority.READ,
        is_last: Callable[[T], bool] = lambda _: False,
    ) -> list[T]:
        """Every page of a list, or those up to one after which nothing is wanted; `kind` has a field `cursor`.

        A cursor that repeats is Transient.
        """
        return (await self.aged_pages(path, kind, params, priority=priority, is_last=is_last))[0]

    async def aged_pages(
        self,
        path: str,
        kind: type[T],
        params: Mapping[str, str],
        *,
        priority: Priority = Priority.READ,
        is_last: Callable[[T], bool] = lambda _: False,
    ) -> tuple[list[T], int]:
        """The same, and for how many seconds a cache had kept the oldest of them."""
        pages: list[T] = []
        cursor, seen, oldest = "", set[str](), 0
        for _ in range(MOST_PAGES):
            query = {**params, **({"cursor": cursor} if cursor else {})}
            response = await self._answered(path, query, (200,), priority)
            page, oldest = decoded(response.body, kind, path), max(oldest, response.age)
            pages.append(page)
            cursor = getattr(page, "cursor", "") or ""
            if not cursor or is_last(page):
                return pages, oldest
            if cursor in seen:
                raise Transient(f"GET {path}: the venue repeats page {cursor!r}")
            seen.add(cursor)
        raise Transient(f"GET {path}: more than {MOST_PAGES} pages")

    async def _answered(
        self, path: str, params: Params | None, statuses: Collection[int], priority: Priority
    ) -> Response:
        response = await self._get_with_retries(path, params, priority)
        if response.status in statuses and (response.status != 200 or not carries_error(response.body)):
            # Only what is private is refused to a key that is wrong.
            self.key_proof.accepted |= response.status == 200 and path.startswith(PRIVATE)
            if path.startswith(PRIVATE):
                _insist_on_fresh(path, response)
            return response
        raise exception_for(f"GET {path}", self.base_url, self.signer, response)

    async def _get_with_retries(self, path: str, params: Params | None, priority: Priority) -> Response:
        """The answer to a read; 429 is asked again after a pause as long as the time-out allows.

        So is, once, a connection that the venue had closed while it was idle.
        """
        until = anyio.current_time() + self.timeout_seconds
        request = BilledRequest(method="GET", path=path, priority=priority)
        refused: Response | None = None
        lost = False
        while True:
            ticket = await self.limits.admit(request, until)
            if ticket is None:
                if refused is not None:
                    return refused
                raise Transient(
                    f"GET {path}: not admitted by the rate limit within {self.timeout_seconds:g} s"
                )
            try:
                response = await self.send(
                    "GET",
                    path,
                    params=params,
                    timeout_seconds=max(until - anyio.current_time(), 0.001),
                )
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                if type(error) is aiohttp.ClientConnectionError and not lost:
                    lost = True
                    continue
                raise Transient(f"GET {path}: {type(error).__name__}: {error}") from error
            self.limits.answered(ticket, refused=response.status == TOO_MANY_REQUESTS)
            if response.status != TOO_MANY_REQUESTS:
                return response
            refused = response

    def _signature(self, signer: Signer, method: str, path: str) -> dict[str, str]:
        ready = self.prepared.take(method, path, self.venue_clock.now_ms(self.clock))
        return ready or signer.headers(method, path, self.venue_clock.stamp_ms(self.clock))


def _insist_on_fresh(path: str, response: Response) -> None:
    """What the venue said a while ago proves nothing of what was sent since."""
    if response.age:
        raise Transient(f"GET {path}: a cache on the way had kept it for {response.age} s")


async def _no_resend(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """The library would send a lost GET, PUT or DELETE a second time, with the same signature."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise aiohttp.ClientConnectionError(f"{type(error).__name__}: {error}") from error
