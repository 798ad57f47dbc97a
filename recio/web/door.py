"""The door of the status page: how many may be inside, for how long without progress, and how often they may ask.

Any account of this machine may knock. It never waits for one of them, and keeps far fewer descriptors than there are.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import socket
import ssl
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

import anyio
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import ERROR
from aiohttp.web_urldispatcher import MatchInfoError

from recio.measurements import Measurements

INSIDE_AT_MOST = 288
SHARE_OF_DESCRIPTORS = 8
"""At most one in so many of the descriptors that the process may open: the rest is the daemon's."""
FIRST_REQUEST_WITHIN = 5.0
"""Host seconds from the connection to the end of a first request's header."""
PROGRESS_WITHIN = 10.0
"""Host seconds for a request, its answer, and the next request, or for a push to be taken."""
REQUESTS_PER_SECOND = 100
"""Of all at this machine together, and of all others; more are refused, but a halt never is."""
BUFFER = 64 * 1024
"""Bytes that wait for one reader in the process, and as many in the kernel."""
BACKLOG = 128
GREETING_AT_MOST = 16
"""Connections whose TLS has begun and not ended."""
AGAIN = 0.2
"""Host seconds to wait when a connection cannot be taken in, as without a free descriptor."""
TELL_BUGS_EVERY = 60.0


@dataclass(slots=True)
class _Guest:
    """A connection. Times are host monotonic seconds."""

    transport: asyncio.Transport
    leave_at: float
    has_asked: bool = False
    is_served: bool = False


@dataclass(slots=True)
class Door:
    measurements: Measurements
    inside: dict[asyncio.BaseTransport, _Guest] = field(default_factory=dict[asyncio.BaseTransport, _Guest])
    """Oldest first."""
    encrypts: Callable[[str], ssl.SSLContext | None] = lambda _peer: None
    """The certificate that this peer is shown; None: it speaks plainly."""
    _asked: dict[bool, tuple[int, int]] = field(default_factory=dict[bool, tuple[int, int]])
    """By whether they came from this machine: the second, and how many in it."""
    _greeting: int = 0
    _bug_told_at: float = -TELL_BUGS_EVERY

    async def admit(self, listener: socket.socket, make: Callable[[], asyncio.Protocol]) -> None:
        """Take in one connection after another until cancelled."""
        loop = asyncio.get_running_loop()
        most = most_inside()
        async with anyio.create_task_group() as greeting:
            while True:
                try:
                    connection, address = await loop.sock_accept(listener)
                except OSError:
                    await anyio.sleep(AGAIN)
                    continue
                certificate = self.encrypts(address[0])
                if not self._has_room(most) or (certificate and self._greeting >= GREETING_AT_MOST):
                    self.measurements.bad_request()
                    connection.close()
                    continue
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
                if certificate is None:
                    self._let_in(await loop.connect_accepted_socket(make, connection))
                else:
                    greeting.start_soon(self._greet, make, connection, certificate)

    async def _greet(
        self, make: Callable[[], asyncio.Protocol], connection: socket.socket, certificate: ssl.SSLContext
    ) -> None:
        """The beginning of TLS takes as long as the other side pleases, so nobody else waits for it."""
        self._greeting += 1
        try:
            self._let_in(
                await asyncio.get_running_loop().connect_accepted_socket(
                    make, connection, ssl=certificate, ssl_handshake_timeout=FIRST_REQUEST_WITHIN
                )
            )
        except (OSError, ssl.SSLError):
            self.measurements.bad_request()
            connection.close()
        finally:
            self._greeting -= 1

    def _let_in(self, made: tuple[asyncio.Transport, asyncio.Protocol]) -> None:
        transport = made[0]
        transport.set_write_buffer_limits(high=BUFFER)
        self.inside[transport] = _Guest(transport, time.monotonic() + FIRST_REQUEST_WITHIN)

    def _has_room(self, most: int) -> bool:
        """Who came first of those that asked nothing yet makes room, then of those that wait: no crowd shuts others out."""
        if len(self.inside) >= most:
            self.sweep()
        if len(self.inside) >= most:
            idle = [guest for guest in self.inside.values() if not guest.is_served]
            if idle:
                self._turn_out(min(idle, key=lambda guest: guest.has_asked))
        return len(self.inside) < most

    def sweep(self) -> None:
        """Forget who left, and turn out who makes no progress."""
        now = time.monotonic()
        for guest in list(self.inside.values()):
            if guest.transport.is_closing():
                del self.inside[guest.transport]
            elif now > guest.leave_at:
                self._turn_out(guest)

    def _turn_out(self, guest: _Guest) -> None:
        self.measurements.bad_request()
        del self.inside[guest.transport]
        guest.transport.abort()

    def progressed(self, transport: asyncio.BaseTransport | None) -> None:
        """A request has come whole, or a push was taken."""
        guest = None if transport is None else self.inside.get(transport)
        if guest is not None:
            guest.has_asked = True
            guest.leave_at = time.monotonic() + PROGRESS_WITHIN

    @contextmanager
    def serving(self, transport: asyncio.BaseTransport | None) -> Generator[None]:
        """While its request is answered a connection makes no room for others."""
        guest = None if transport is None else self.inside.get(transport)
        try:
            if guest is not None:
                guest.is_served = True
            yield
        finally:
            if guest is not None:
                guest.is_served = False

    def may_ask(self, *, is_local: bool) -> bool:
        """Whether one more request is answered in this second; a flood from elsewhere takes nothing from this machine."""
        now = int(time.monotonic())
        second, asked = self._asked.get(is_local, (now, 0))
        asked = asked + 1 if second == now else 1
        self._asked[is_local] = (now, asked)
        return asked <= REQUESTS_PER_SECOND

    def logger(self) -> logging.Logger:
        """For the HTTP library: bad requests are counted and not told line by line, and a bug once a minute."""
        logger = logging.Logger("recio.status_http", logging.DEBUG)
        logger.parent = logging.getLogger()
        logger.addFilter(self._is_worth_a_line)
        return logger

    def _is_worth_a_line(self, record: logging.LogRecord) -> bool:
        error = (record.exc_info or (None, None))[1]
        is_bug = error is not None and not isinstance(error, HttpProcessingError | OSError)
        if not is_bug:
            self.measurements.bad_request()
            return False
        now = time.monotonic()
        is_due = now - self._bug_told_at >= TELL_BUGS_EVERY
        if is_due:
            self._bug_told_at = now
        return is_due


def most_inside() -> int:
    """Connections at once."""
    return max(1, min(INSIDE_AT_MOST, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // SHARE_OF_DESCRIPTORS))


def pages_at_most() -> int:
    """Open pages at once: of nine connections two are left to others, so that pages never keep out who presses halt."""
    return most_inside() * 7 // 9


def listening(host: str, port: int) -> socket.socket:
    """Raises OSError where somebody else listens."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=BACKLOG, dualstack_ipv6=host == "::")
    listener.setblocking(False)
    return listener


def answer_bad_requests_too(server: web.Server, application: web.Application) -> None:
    """What is no HTTP is answered before any route is found: let that answer pass the application's signals as well."""
    factory = server.request_factory

    def make(message: object, *rest: object) -> web.BaseRequest:
        request: web.BaseRequest = factory(message, *rest)  # pyright: ignore[reportArgumentType]
        if message is ERROR and isinstance(request, web.Request):
            found = MatchInfoError(web.HTTPBadRequest())
            found.add_app(application)
            request._match_info = found  # pyright: ignore[reportPrivateUsage]
        return request

    server.request_factory = make
