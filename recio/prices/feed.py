"""One socket to one price source, whatever it speaks: connect, subscribe, read; a price is never made up.

A source is a name, an address, what to say first and a parser; this file is the only loop. Silence, a close and a
message that cannot be understood are Transient: whoever opened the feed opens it again.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

import aiohttp
import anyio
import msgspec

from recio.errors import Transient
from recio.units import PLAIN_DECIMAL

CONNECT_LIMIT = 15.0
CLOSE_LIMIT = 2.0
HIGHEST = Decimal(100_000_000)
FINEST = -12
"""Nothing costs more dollars than the one, or is quoted in more decimals than the other."""


class FeedError(ValueError):
    """A message that is not what the source's protocol says; names the field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quoted:
    """What one symbol is worth at a source."""

    symbol: str
    price: Decimal
    at: datetime | None
    """The source's own time; None if it does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """The source lives."""

    at: datetime | None
    """The source's own time; None if it does not say."""
    symbol: str | None = None
    """Of which symbol it speaks; None: of all."""
    unchanged: bool = True
    """Whether it confirms that the price named last is still the price."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpriced:
    """The price named last holds no more, and there is none until the source names the next."""

    symbol: str | None
    """None: every symbol of the source."""
    why: str
    ask: tuple[Mapping[str, object], ...] = ()
    """What to send so that the source says it anew."""


Heard = Quoted | Heartbeat | Unpriced
Parser = Callable[[str | bytes], tuple[Heard, ...]]
"""One message into what it tells, which may be nothing. Raises FeedError. May keep a book from message to message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    name: str
    url: str
    subscribe: tuple[Mapping[str, object], ...]
    """What is sent first."""
    parser: Callable[[], Parser]
    """A fresh parser for a fresh connection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """An open feed."""

    name: str
    connection: aiohttp.ClientWebSocketResponse
    parse: Parser
    idle_timeout_seconds: float
    """Host seconds without a message that tells anything; chatter of other kinds is silence too."""

    async def receive(self) -> tuple[Heard, ...]:
        """What is told next, never nothing. Raises Transient on a close, silence or a broken message."""
        try:
            with anyio.fail_after(self.idle_timeout_seconds):
                while not (heard := self._understood(await self.connection.receive())):
                    pass
        except TimeoutError as error:
            raise Transient(f"{self.name}: silent for {self.idle_timeout_seconds:g} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise Transient(f"{self.name}: {type(error).__name__}: {error}") from error
        for each in heard:
            if isinstance(each, Unpriced) and each.ask:
                await _send(self.connection, self.name, each.ask)
        return heard

    def _understood(self, message: aiohttp.WSMessage) -> tuple[Heard, ...]:
        if message.type not in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
            raise Transient(f"{self.name}: socket closed, code {self.connection.close_code}")
        try:
            return self.parse(message.data)
        except FeedError as error:
            raise Transient(str(error)) from error


@asynccontextmanager
async def open_feed(
    session: aiohttp.ClientSession, source: Source, *, idle_timeout_seconds: float
) -> AsyncGenerator[Feed]:
    """Connect and send the subscription. Raises Transient."""
    try:
        with anyio.fail_after(CONNECT_LIMIT):
            connection = await session.ws_connect(source.url)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise Transient(f"{source.name}: cannot connect: {type(error).__name__}: {error}") from error
    try:
        await _send(connection, source.name, source.subscribe)
        yield Feed(
            name=source.name,
            connection=connection,
            parse=source.parser(),
            idle_timeout_seconds=idle_timeout_seconds,
        )
    finally:
        with anyio.move_on_after(CLOSE_LIMIT, shield=True):
            await connection.close()


async def _send(
    connection: aiohttp.ClientWebSocketResponse, name: str, messages: Iterable[Mapping[str, object]]
) -> None:
    try:
        with anyio.fail_after(CONNECT_LIMIT):
            for message in messages:
                await connection.send_str(msgspec.json.encode(message).decode())
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise Transient(f"{name}: cannot subscribe: {type(error).__name__}: {error}") from error


def dollars(text: str, what: str) -> Decimal:
    """A price as a source prints it, exactly. Raises FeedError."""
    if PLAIN_DECIMAL.fullmatch(text) is None:
        raise FeedError(f"{what} {text[:40]!r} is not a plain decimal number")
    return sane_dollars(Decimal(text), what)


def sane_dollars(price: Decimal, what: str) -> Decimal:
    """Refuse what no coin can cost. Raises FeedError."""
    exponent = price.as_tuple().exponent
    if not isinstance(exponent, int) or not FINEST <= exponent <= 0 or not 0 < price <= HIGHEST:
        raise FeedError(f"{what} {str(price)[:40]} cannot be")
    return price


def moment(stamp: datetime | None, what: str) -> datetime:
    """A time with its zone, as UTC. Raises FeedError."""
    if stamp is None or stamp.tzinfo is None:
        raise FeedError(f"{what} is not a time in UTC")
    return stamp.astimezone(UTC)
