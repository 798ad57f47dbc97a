"""One WebSocket to Kalshi: signed at the upgrade, subscriptions by command, frames out one by one.

Silence is a fault: the venue pings every ten seconds, so a socket that says nothing at all is dead.
It never reconnects and never repairs; whoever opened it does.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlsplit

import aiohttp
import anyio
import msgspec

from recio.clock import Clock
from recio.errors import Transient
from recio.kalshi.frames import Frame, FrameError, parse_frame
from recio.kalshi.rest import Answer, fault
from recio.kalshi.signing import Signer
from recio.units import Ticker

CONNECT_LIMIT = 15.0
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
    silence_limit_seconds: float
    last_heard: datetime
    """Market time of the last frame or ping."""
    _ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    async def subscribe(self, channels: Sequence[str], tickers: Sequence[Ticker] = ()) -> int:
        params: dict[str, object] = {"channels": list(channels)}
        if tickers:
            params["market_tickers"] = list(tickers)
        if "orderbook_delta" in channels:
            # The default is announced to change: never rely on it.
            params["use_yes_price"] = False
        return await self._command("subscribe", params)

    async def unsubscribe(self, sids: Sequence[int]) -> int:
        return await self._command("unsubscribe", {"sids": list(sids)})

    async def add_markets(self, sid: int, tickers: Sequence[Ticker]) -> int:
        return await self._update(sid, "add_markets", tickers)

    async def drop_markets(self, sid: int, tickers: Sequence[Ticker]) -> int:
        return await self._update(sid, "delete_markets", tickers)

    async def snapshot(self, sid: int, tickers: Sequence[Ticker]) -> int:
        """Ask for whole books; they arrive as snapshots in the subscription's own sequence."""
        return await self._update(sid, "get_snapshot", tickers)

    async def _update(self, sid: int, action: str, tickers: Sequence[Ticker]) -> int:
        params: dict[str, object] = {"sids": [sid], "action": action, "market_tickers": list(tickers)}
        return await self._command("update_subscription", params)

    async def _command(self, name: str, params: dict[str, object]) -> int:
        number = next(self._ids)
        command = {"id": number, "cmd": name, "params": params}
        try:
            # Bounded: a peer that stopped reading must not hold up the one task that would notice.
            with anyio.fail_after(self.silence_limit_seconds):
                await self.connection.send_str(msgspec.json.encode(command).decode())
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Transient(f"socket: {name} could not be sent: {error}") from error
        return number

    async def receive(self) -> Frame | BadFrame:
        """The next frame. Raises Transient when the socket closes, breaks or falls silent."""
        while True:
            message = await self._next()
            self.last_heard = self.clock.utc()
            match message.type:
                case aiohttp.WSMsgType.TEXT | aiohttp.WSMsgType.BINARY:
                    return _parsed(message.data)
                case aiohttp.WSMsgType.PING:
                    await self._pong(message.data)
                case aiohttp.WSMsgType.PONG:
                    pass
                case _:
                    raise Transient(f"socket closed: {_why(self.connection, message)}")

    async def _next(self) -> aiohttp.WSMessage:
        try:
            return await self.connection.receive(timeout=self.silence_limit_seconds)
        except TimeoutError as error:
            raise Transient(f"socket silent for {self.silence_limit_seconds:g} s, pings included") from error
        except (aiohttp.ClientError, OSError) as error:
            raise Transient(f"socket broke: {type(error).__name__}: {error}") from error

    async def _pong(self, payload: bytes) -> None:
        try:
            with anyio.fail_after(self.silence_limit_seconds):
                await self.connection.pong(payload)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Transient(f"socket: pong could not be sent: {error}") from error


@asynccontextmanager
async def open_socket(
    session: aiohttp.ClientSession, url: str, signer: Signer, clock: Clock, *, silence_limit_seconds: float
) -> AsyncGenerator[KalshiSocket]:
    """Connect and sign. Raises Transient if the venue is away or the clock off, BadConfig for a bad key."""
    connection = await _connect(session, url, signer, clock)
    try:
        yield KalshiSocket(
            connection=connection,
            clock=clock,
            silence_limit_seconds=silence_limit_seconds,
            last_heard=clock.utc(),
        )
    finally:
        with anyio.move_on_after(CLOSE_LIMIT, shield=True):
            await connection.close()


async def _connect(
    session: aiohttp.ClientSession, url: str, signer: Signer, clock: Clock
) -> aiohttp.ClientWebSocketResponse:
    try:
        with anyio.fail_after(CONNECT_LIMIT):
            return await session.ws_connect(
                url,
                headers=_signed(url, signer, clock),
                autoping=False,
                max_msg_size=LARGEST_MESSAGE,
            )
    except aiohttp.WSServerHandshakeError as error:
        if error.status != 401:
            raise Transient(f"socket: the venue answered {error.status} to the upgrade") from None
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise Transient(f"socket: cannot connect: {type(error).__name__}: {error}") from error
    raise await _refusal(session, url, signer, clock)


async def _refusal(session: aiohttp.ClientSession, url: str, signer: Signer, clock: Clock) -> Exception:
    """Why an upgrade got 401. The handshake drops the body that tells a bad key from a clock that is
    off, so the same address is asked once more, without the upgrade."""
    limit = aiohttp.ClientTimeout(total=CONNECT_LIMIT)
    headers = _signed(url, signer, clock)
    try:
        async with session.get(url, headers=headers, allow_redirects=False, timeout=limit) as response:
            answer = Answer(response.status, await response.read())
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return Transient(f"socket: 401 to the upgrade, and no word why: {type(error).__name__}: {error}")
    if answer.status != 401:
        return Transient(f"socket: 401 to the upgrade, but {answer.status} when asked why")
    return fault("socket", url, signer, answer)


def _signed(url: str, signer: Signer, clock: Clock) -> dict[str, str]:
    return signer.headers("GET", urlsplit(url).path, int(clock.unix() * 1000))


def _parsed(data: str | bytes) -> Frame | BadFrame:
    try:
        return parse_frame(data)
    except FrameError as error:
        return BadFrame(str(error))


def _why(connection: aiohttp.ClientWebSocketResponse, message: aiohttp.WSMessage) -> str:
    if message.type is aiohttp.WSMsgType.ERROR:
        return str(connection.exception())
    return f"code {connection.close_code}"
