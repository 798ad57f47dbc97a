"""One WebSocket to Kalshi: connects, signs, sends commands and returns frames as they come; it never reconnects.

The venue pings every ten seconds, so a socket on which neither frame nor ping comes is dead. Whoever opened it
opens the next one.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import socket
import ssl
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import aiohttp
import anyio
import msgspec
import structlog
from aiohappyeyeballs import start_connection  # pyright: ignore[reportUnknownVariableType]
from picows import (
    WSCloseCode,
    WSError,
    WSInvalidStatusError,
    WSMsgType,
    WSParsedURL,
    WSTransport,
    ws_connect,  # pyright: ignore[reportUnknownVariableType]
)

from recio.clock import Clock
from recio.errors import BadConfig, Transient
from recio.kalshi.amounts import from_unix_ms
from recio.kalshi.commands import NO_IN_YES_TERMS, Command
from recio.kalshi.frame_kinds import BadFrame, TickerSeen
from recio.kalshi.frames import Frame, FrameError, parse_frame, strange_frame
from recio.kalshi.inbox import LARGEST_MESSAGE, Inbox
from recio.kalshi.responses import Response, exception_for
from recio.kalshi.signing import KeyProof, Signer
from recio.kalshi.venue_clock import VenueClock
from recio.messages.prices import IndexValue
from recio.rules.market.order_book import BookDeltaSeen
from recio.units import UnitError

log: structlog.stdlib.BoundLogger = structlog.get_logger()

CONNECT_LIMIT = 10.0
CLOSE_LIMIT = 2.0
NEXT_ADDRESS_AFTER = 0.25
"""Host seconds that one address of the venue is waited for before the next is tried beside it."""
_SILENT = logging.Logger("recio.kalshi.socket", logging.CRITICAL + 1)
"""The library's log would repeat what our own errors say, and at its lowest level shows the signed headers."""


@dataclass(slots=True, kw_only=True)
class KalshiSocket:
    """An open socket. Its user is one task; it keeps no state of subscriptions itself."""

    transport: WSTransport
    inbox: Inbox
    clock: Clock
    venue_clock: VenueClock
    idle_timeout_seconds: float
    last_heard: datetime
    """Market time of the last frame or ping."""
    last_frame: datetime | None = None
    """Market time of the last frame; pings do not count."""
    stamp: datetime | None = None
    """The venue's own time of the newest stamped frame."""
    delay: timedelta = timedelta(0)
    """How old the newest stamped frame was when it came, or the newest change of a book: a stream that lags behind is not
    fresh, and one channel can lag behind alone."""
    _books_late: tuple[timedelta, datetime] | None = None
    """The same of the newest change of a book, and until when it speaks: what was on its way then has come by then."""
    _ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    async def send(self, command: Command) -> int:
        """Send one command; returns the number its answer will carry. Raises Transient."""
        number = next(self._ids)
        body = {"id": number, "cmd": command.name, "params": command.params}
        self._insist_on_open(command)
        self.transport.send(WSMsgType.TEXT, msgspec.json.encode(body))
        # Bounded: a peer that stopped reading must not hold up the one task that would notice.
        with anyio.move_on_after(self.idle_timeout_seconds) as limit:
            await self.inbox.writable()
        if limit.cancelled_caught:
            raise Transient(f"socket: {command.name} could not be sent: nobody reads it")
        self._insist_on_open(command)
        return number

    async def receive(self) -> Sequence[Frame]:
        """The next frames, at least one: all that came together, in order. Raises Transient when the
        socket closes, breaks or falls silent."""
        await self.inbox.some()
        messages = self.inbox.take()
        if not messages:
            raise Transient(self.inbox.why_ended or "socket closed")
        self.last_heard = self.last_frame = now = self.clock.utc()
        frames = [_parsed(message, now) for message in messages]
        self._note_age(frames, now)
        return frames

    def heard(self) -> None:
        """A sign of life that is no frame."""
        self.last_heard = self.clock.utc()

    def _insist_on_open(self, command: Command) -> None:
        if self.inbox.why_ended is not None:
            raise Transient(f"socket: {command.name} could not be sent: {self.inbox.why_ended}")

    def _note_age(self, frames: Sequence[Frame], now: datetime) -> None:
        """The newest stamp of these frames speaks for them all, but not for books where it is of something else.

        Stamps are the venue's: a clock of ours that is known to be wrong makes nothing old, and nothing fresh.
        """
        offset = self.venue_clock.offset
        there = now + timedelta(seconds=offset.proven if offset else 0.0)
        newest: datetime | None = None
        for frame in reversed(frames):
            stamp = _stamp(frame)
            newest = newest or stamp
            if stamp is not None and isinstance(frame, BookDeltaSeen):
                late = max(timedelta(0), there - stamp)
                self._books_late = late, now + late
                break
        if newest is None:
            return
        self.stamp = newest
        books, until = self._books_late or (timedelta(0), now)
        self.delay = max(timedelta(0), there - newest, books if now <= until else timedelta(0))


def _parsed(message: bytes, now: datetime) -> Frame:
    try:
        # The parser looks at the fields that are needed only; a text must be one from end to end.
        text = message if message.isascii() else message.decode()
        return parse_frame(text, now, no_in_yes_terms=NO_IN_YES_TERMS)
    except UnicodeDecodeError as error:
        return BadFrame(why=str(error))
    except FrameError as error:
        return strange_frame(message, error) or BadFrame(why=str(error))


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
    key_proof: KeyProof | None = None,
) -> AsyncGenerator[KalshiSocket]:
    """Connect and sign. Raises Transient if the venue is away or the clock off, BadConfig for a bad key.

    A key that was taken before is not bad: its refusal is Transient. `session` asks for the reason of a refusal, and
    nothing else.
    """
    key_proof = key_proof or KeyProof()
    upgrade = _Upgrade(session=session, url=url, signer=signer, clock=clock, venue_clock=venue_clock)
    inbox = Inbox(idle_timeout_seconds)
    try:
        transport = await _connect(upgrade, inbox)
    except BadConfig as refused:
        inbox.abandon()
        raise _refused(refused, key_proof) from refused
    except BaseException:
        inbox.abandon()
        raise
    key_proof.accepted = True
    opened = KalshiSocket(
        transport=transport,
        inbox=inbox,
        clock=clock,
        venue_clock=venue_clock,
        idle_timeout_seconds=idle_timeout_seconds,
        last_heard=clock.utc(),
    )
    inbox.sign_of_life = opened.heard
    try:
        yield opened
    finally:
        inbox.end("socket closed: by us")
        with anyio.move_on_after(CLOSE_LIMIT, shield=True), suppress(Exception):
            await _close(transport)
        if not transport.is_disconnected:
            transport.disconnect(graceful=False)


async def _connect(upgrade: _Upgrade, inbox: Inbox) -> WSTransport:
    try:
        with anyio.fail_after(CONNECT_LIMIT):
            return await _upgraded(upgrade, inbox)
    except WSInvalidStatusError as error:
        status = 0 if error.response is None else int(error.response.status)
        if status != 401:
            raise Transient(f"socket: the venue answered {status} to the upgrade") from None
    except (WSError, TimeoutError, OSError) as error:
        raise Transient(f"socket: cannot connect: {type(error).__name__}: {error}") from error
    raise await _refusal(upgrade)


def _refused(refused: BadConfig, key_proof: KeyProof) -> Exception:
    if not key_proof.accepted:
        return refused
    log.error(
        "the venue refuses the key that it took before",
        why=str(refused),
        resolution="entries are blocked and it is tried again; look at the key and at the venue's own page",
    )
    return Transient(f"socket: {refused}")


async def _upgraded(upgrade: _Upgrade, inbox: Inbox) -> WSTransport:
    """Whoever answers the upgrade is the venue itself: no redirect is followed, no proxy asked."""
    transport, listener = await ws_connect(
        lambda: inbox,
        upgrade.url,
        ssl_context=_trust() if upgrade.url.startswith("wss:") else None,
        extra_headers=upgrade.signed(),
        websocket_handshake_timeout=CONNECT_LIMIT,
        max_frame_size=LARGEST_MESSAGE,
        max_redirects=0,
        socket_factory=_first_to_answer,
        enable_auto_pong=False,
        use_aiofastnet=False,
        logger_name=_SILENT,
    )
    if listener is not inbox:
        raise ConnectionError("the connection ended before the upgrade was answered")
    return transport


async def _first_to_answer(where: WSParsedURL) -> socket.socket:
    """A connection to whichever of the host's addresses answers first: one that is dead must not hold up the others."""
    addresses = await asyncio.get_running_loop().getaddrinfo(where.host, where.port, type=socket.SOCK_STREAM)
    return await start_connection(addresses, happy_eyeballs_delay=NEXT_ADDRESS_AFTER)


def _trust() -> ssl.SSLContext:
    """The system's certificates; nothing but HTTP/1.1 can be upgraded."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


async def _close(transport: WSTransport) -> None:
    transport.send_close(WSCloseCode.OK)
    transport.disconnect()
    await transport.wait_disconnected()


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
