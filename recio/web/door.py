"""The door of the status page: how many may be inside, for how long without progress, and how often they may ask.

Any account of this machine may knock. It never waits for one of them, and keeps far fewer descriptors than there are.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import socket
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

INSIDE_AT_MOST = 64
SHARE_OF_DESCRIPTORS = 8
"""At most one in so many of the descriptors that the process may open: the rest is the daemon's."""
FIRST_REQUEST_WITHIN = 5.0
"""Host seconds from the connection to the end of a first request's header."""
PROGRESS_WITHIN = 10.0
"""Host seconds for a request, its answer, and the next request, or for a push to be taken."""
REQUESTS_PER_SECOND = 100
"""Of all together; more are refused, but a halt never is."""
BUFFER = 64 * 1024
"""Bytes that wait for one reader in the process, and as many in the kernel."""
BACKLOG = 128
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
    _second: int = 0
    _asked: int = 0
    _bug_told_at: float = -TELL_BUGS_EVERY

    async def admit(self, listener: socket.socket, make: Callable[[], asyncio.Protocol]) -> None:
        """Take in one connection after another until cancelled."""
        loop = asyncio.get_running_loop()
        most = _most()
        while True:
            try:
                connection, _ = await loop.sock_accept(listener)
            except OSError:
                await anyio.sleep(AGAIN)
                continue
            if not self._has_room(most):
                self.measurements.bad_request()
                connection.close()
                continue
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
            transport, _ = await loop.connect_accepted_socket(make, connection)
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

    def may_ask(self) -> bool:
        """Whether one more request is answered in this second."""
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._asked = second, 0
        self._asked += 1
        return self._asked <= REQUESTS_PER_SECOND

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


def _most() -> int:
    return max(1, min(INSIDE_AT_MOST, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // SHARE_OF_DESCRIPTORS))


def listening(host: str, port: int) -> socket.socket:
    """Raises OSError where somebody else listens."""
    listener = socket.create_server((host, port), backlog=BACKLOG)
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
