"""One WebSocket to Kalshi: connects, signs, sends commands and returns frames one by one; it never reconnects.

The venue pings every ten seconds, so a socket on which neither frame nor ping comes is dead. Whoever opened it
opens the next one.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import aiohttp
import anyio
import msgspec

from recio.clock import Clock
from recio.errors import Transient
from recio.kalshi.amounts import from_unix_ms
from recio.kalshi.commands import Command
from recio.kalshi.frame_kinds import TickerSeen
from recio.kalshi.frames import Frame, FrameError, parse_frame
from recio.kalshi.responses import Response, exception_for
from recio.kalshi.signing import Signer
from recio.kalshi.venue_clock import VenueClock
from recio.messages.prices import IndexValue
from recio.rules.market.order_book import BookDeltaSeen
from recio.units import UnitError

CONNECT_LIMIT = 10.0
CLOSE_LIMIT = 2.0
LARGEST_MESSAGE = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class BadFrame:
    """A frame that could not be understood; whoever keeps state from frames must begin anew."""

    error: str


@dataclass(slots=True, kw_only=True)
class KalshiSocket:
    """An open socket. Its user is one task; it keeps no state of subscriptions itself."""

    connection: aiohttp.ClientWebSocketResponse
    clock: Clock
    idle_timeout_seconds: float
    last_heard: datetime
    """Market time of the last frame or ping."""
    last_frame: datetime | None = None
    """Market time of the last frame; pings do not count."""
    stamp: datetime | None = None
    """The venue's own time of the newest stamped frame."""
    delay: timedelta = timedelta(0)
    """How old the newest stamped frame was when it came: a stream that lags behind is not fresh."""
    _ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    async def send(self, command: Command) -> int:
        """Send one command; returns the number its answer will carry. Raises Transient."""
        number = next(self._ids)
        body = {"id": number, "cmd": command.name, "params": command.params}
        try:
            # Bounded: a peer that stopped reading must not hold up the one task that would notice.
            with anyio.fail_after(self.idle_timeout_seconds):
                await self.connection.send_str(msgspec.json.encode(body).decode())
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Transient(f"socket: {command.name} could not be sent: {error}") from error
        return number

    async def receive(self) -> Frame | BadFrame:
        """The next frame. Raises Transient when the socket closes, breaks or falls silent."""
        while True:
            message = await self._next()
            self.last_heard = self.clock.utc()
            match message.type:
                case aiohttp.WSMsgType.TEXT | aiohttp.WSMsgType.BINARY:
                    self.last_frame = self.last_heard
                    return self._parsed(message.data)
                case aiohttp.WSMsgType.PING:
                    await self._pong(message.data)
                case aiohttp.WSMsgType.PONG:
                    pass
                case _:
                    raise Transient(f"socket closed: {_why(self.connection, message)}")

    def _parsed(self, data: str | bytes) -> Frame | BadFrame:
        try:
            frame = parse_frame(data, self.last_heard)
        except FrameError as error:
            return BadFrame(str(error))
        stamp = _stamp(frame)
        if stamp is not None:
            self.stamp = stamp
            self.delay = max(timedelta(0), self.last_heard - stamp)
        return frame

    async def _next(self) -> aiohttp.WSMessage:
        try:
            return await self.connection.receive(timeout=self.idle_timeout_seconds)
        except TimeoutError as error:
            raise Transient(
                f"no frame and no ping on the socket for {self.idle_timeout_seconds:g} s"
            ) from error
        except (aiohttp.ClientError, OSError) as error:
            raise Transient(f"socket: connection lost: {type(error).__name__}: {error}") from error

    async def _pong(self, payload: bytes) -> None:
        try:
            with anyio.fail_after(self.idle_timeout_seconds):
                await self.connection.pong(payload)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Transient(f"socket: pong could not be sent: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Upgrade:
    """How the upgrade is asked for; each asking is signed anew, in the venue's time as well as it is known."""

    session: aiohttp.ClientSession
    url: str
    signer: Signer
    clock: Clock
    venue_clock: VenueClock

    def signed(self) -> dict[str, str]:
        return self.signer.headers("GET", urlsplit(self.url).path, self.venue_clock.stamp_ms(self.clock))


@asynccontextmanager
async def open_socket(
    session: aiohttp.ClientSession,
    url: str,
    signer: Signer,
    clock: Clock,
    *,
    venue_clock: VenueClock,
    idle_timeout_seconds: float,
) -> AsyncGenerator[KalshiSocket]:
    """Connect and sign. Raises Transient if the venue is away or the clock off, BadConfig for a bad key."""
    connection = await _connect(
        _Upgrade(session=session, url=url, signer=signer, clock=clock, venue_clock=venue_clock)
    )
    try:
        yield KalshiSocket(
            connection=connection,
            clock=clock,
            idle_timeout_seconds=idle_timeout_seconds,
            last_heard=clock.utc(),
        )
    finally:
        with anyio.move_on_after(CLOSE_LIMIT, shield=True):
            await connection.close()


async def _connect(upgrade: _Upgrade) -> aiohttp.ClientWebSocketResponse:
    try:
        with anyio.fail_after(CONNECT_LIMIT):
            return await upgrade.session.ws_connect(
                upgrade.url,
                headers=upgrade.signed(),
                autoping=False,
                max_msg_size=LARGEST_MESSAGE,
            )
    except aiohttp.WSServerHandshakeError as error:
        if error.status != 401:
            raise Transient(f"socket: the venue answered {error.status} to the upgrade") from None
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise Transient(f"socket: cannot connect: {type(error).__name__}: {error}") from error
    raise await _refusal(upgrade)


async def _refusal(upgrade: _Upgrade) -> Exception:
    """Why an upgrade got 401. The handshake drops the body that tells a bad key from a clock that is
    off, so the same address is asked once more, without the upgrade; its Date tells the venue's time."""
    limit = aiohttp.ClientTimeout(total=CONNECT_LIMIT)
    sent = upgrade.clock.unix()
    asking = upgrade.session.get(upgrade.url, headers=upgrade.signed(), allow_redirects=False, timeout=limit)
    try:
        async with asking as reply:
            date = reply.headers.get("Date", "")
            upgrade.venue_clock.heard(upgrade.clock, date, sent, upgrade.clock.unix())
            response = Response(reply.status, await reply.read())
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return Transient(
            f"socket: 401 to the upgrade, and its reason could not be read: {type(error).__name__}: {error}"
        )
    if response.status != 401:
        return Transient(
            f"socket: 401 to the upgrade, but {response.status} to the same request without the upgrade"
        )
    return exception_for("socket", upgrade.url, upgrade.signer, response)


def _stamp(frame: Frame) -> datetime | None:
    """The venue's own time of a data frame."""
    match frame:
        case IndexValue():
            return frame.at
        case TickerSeen(at_ms=int(at_ms)) | BookDeltaSeen(at_ms=int(at_ms)):
            try:
                return from_unix_ms(at_ms)
            except UnitError:
                return None
        case _:
            return None


def _why(connection: aiohttp.ClientWebSocketResponse, message: aiohttp.WSMessage) -> str:
    if message.type is aiohttp.WSMsgType.ERROR:
        return str(connection.exception())
    return f"code {connection.close_code}"
