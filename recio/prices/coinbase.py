"""Coinbase Exchange's keyless feed: matches and heartbeats of one product; a price is never made up."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

import aiohttp
import anyio
import msgspec

from recio.clock import Clock
from recio.errors import Transient
from recio.messages import PriceTick
from recio.units import PLAIN_DECIMAL

SOURCE = "coinbase"
CONNECT_LIMIT = 15.0
CLOSE_LIMIT = 2.0


class FeedError(ValueError):
    """A message that is not what the protocol says; names the field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    at: datetime


class _Message(msgspec.Struct):
    type: str
    product_id: str = ""
    price: str | None = None
    time: datetime | None = None
    message: str = ""
    reason: str = ""


_decoder = msgspec.json.Decoder(_Message)


def parse_message(
    raw: bytes | str,
    *,
    source: str = SOURCE,
    symbol: str,
    received_at: datetime,
    product: str | None = None,
) -> PriceTick | Heartbeat | None:
    """A trade or heartbeat; None for a message of another kind. Raises FeedError.

    With `product` given, a trade of any other product is refused: its price is not ours.
    """
    try:
        message = _decoder.decode(raw)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise FeedError(f"{source}: {error}") from error
    match message.type:
        case "match" | "last_match" | "ticker":
            if product is not None and message.product_id != product:
                raise FeedError(f"{source}: product_id {message.product_id[:40]!r} instead of {product!r}")
            return _tick(message, source, symbol, received_at)
        case "heartbeat":
            return Heartbeat(at=_time(message, source))
        case "error":
            raise FeedError(f"{source}: {message.message} {message.reason}".strip())
        case _:
            return None


def _tick(message: _Message, source: str, symbol: str, received_at: datetime) -> PriceTick:
    text = message.price or ""
    if PLAIN_DECIMAL.fullmatch(text) is None:
        raise FeedError(f"{source}: price {text[:40]!r} is not a plain decimal number")
    price = Decimal(text)
    if price <= 0:
        raise FeedError(f"{source}: price {text!r} cannot be")
    return PriceTick(
        symbol=symbol, source=source, price=price, at=_time(message, source), received_at=received_at
    )


def _time(message: _Message, source: str) -> datetime:
    if message.time is None or message.time.tzinfo is None:
        raise FeedError(f"{source}: {message.type} without a time in UTC")
    return message.time.astimezone(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class CoinbaseFeed:
    """An open feed of one product."""

    connection: aiohttp.ClientWebSocketResponse
    product: str
    symbol: str
    clock: Clock
    silence_limit_seconds: float

    async def receive(self) -> PriceTick | Heartbeat:
        """The next trade or heartbeat. Raises Transient on a close, silence or a broken message."""
        while True:
            try:
                message = await self.connection.receive(timeout=self.silence_limit_seconds)
            except TimeoutError as error:
                raise Transient(f"{SOURCE}: silent for {self.silence_limit_seconds:g} s") from error
            except (aiohttp.ClientError, OSError) as error:
                raise Transient(f"{SOURCE}: {type(error).__name__}: {error}") from error
            if message.type not in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
                raise Transient(f"{SOURCE}: socket closed, code {self.connection.close_code}")
            try:
                parsed = parse_message(
                    message.data, symbol=self.symbol, received_at=self.clock.utc(), product=self.product
                )
            except FeedError as error:
                raise Transient(str(error)) from error
            if parsed is not None:
                return parsed


@asynccontextmanager
async def open_feed(
    session: aiohttp.ClientSession,
    url: str,
    product: str,
    symbol: str,
    clock: Clock,
    *,
    silence_limit_seconds: float,
) -> AsyncGenerator[CoinbaseFeed]:
    """Connect and subscribe to the matches and heartbeats of one product. Raises Transient."""
    wanted = {"type": "subscribe", "product_ids": [product], "channels": ["matches", "heartbeat"]}
    try:
        with anyio.fail_after(CONNECT_LIMIT):
            connection = await session.ws_connect(url)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise Transient(f"{SOURCE}: cannot connect: {type(error).__name__}: {error}") from error
    try:
        await _subscribe(connection, wanted)
        yield CoinbaseFeed(
            connection=connection,
            product=product,
            symbol=symbol,
            clock=clock,
            silence_limit_seconds=silence_limit_seconds,
        )
    finally:
        with anyio.move_on_after(CLOSE_LIMIT, shield=True):
            await connection.close()


async def _subscribe(connection: aiohttp.ClientWebSocketResponse, wanted: Mapping[str, object]) -> None:
    try:
        with anyio.fail_after(CONNECT_LIMIT):
            await connection.send_str(msgspec.json.encode(wanted).decode())
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise Transient(f"{SOURCE}: cannot subscribe: {type(error).__name__}: {error}") from error
