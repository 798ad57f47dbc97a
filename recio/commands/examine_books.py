"""Whether the books of the socket are those of REST, for `recio doctor`: it subscribes, holds one against the other and leaves; it trades nothing."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count

import aiohttp
import anyio
import msgspec

from recio.commands.finding import Finding, Grade, good
from recio.errors import Transient
from recio.kalshi.book_channel import BookChannel
from recio.kalshi.book_proof import NOTHING_YET
from recio.kalshi.commands import NO_IN_YES_TERMS, Command
from recio.kalshi.frame_kinds import FrameError, Subscribed
from recio.kalshi.frames import parse_frame
from recio.kalshi.rest import KalshiRest
from recio.kalshi.rest_books import read_books
from recio.rules.market.order_book import BookDeltaSeen, BookSnapshotSeen
from recio.units import Ticker

MOST = 20
"""Markets of one series that are looked at."""
WITHIN = 15.0
"""Host seconds in which all of them must have agreed once: a busy book moves between two looks."""
LOOK_EVERY = 0.5


class _Named(msgspec.Struct):
    ticker: str


class _Listed(msgspec.Struct):
    markets: list[_Named]


async def books(ws: aiohttp.ClientWebSocketResponse, rest: KalshiRest, series: str) -> Finding:
    """Of the open markets of one series, read as the daemon reads them. Raises Transient or VenueRefused where REST fails."""
    params = {"series_ticker": series, "status": "open", "limit": str(MOST)}
    tickers = [Ticker(each.ticker) for each in (await rest.read("/markets", _Listed, params)).markets]
    name = f"books {series}"
    if not tickers:
        do = "look again while a market of it is open"
        return Finding(name=name, grade=Grade.NOTE, says="no market is open now", do=do)
    channel, numbers = BookChannel(), count(1)
    await _send(ws, channel.commands_for(tickers), numbers)
    with anyio.move_on_after(WITHIN):
        async with anyio.create_task_group() as group:
            group.start_soon(_follow, ws, channel, numbers)
            while _unproven(channel, tickers):
                await anyio.sleep(LOOK_EVERY)
                for ticker, found in (await read_books(rest, tickers)).items():
                    channel.compare(ticker, found)
            group.cancel_scope.cancel()
    if left := _unproven(channel, tickers):
        ticker, why = next(iter(left.items()))
        return Finding(
            name=name,
            grade=Grade.BAD,
            says=f"{len(left)} of {len(tickers)} are not those of REST: {ticker}: {why}",
            do="recio enters none of these markets while that is so; look for a newer recio, or at the venue's notes on its API",
        )
    return good(name, f"{len(tickers)} of the socket are those of REST")


def _unproven(channel: BookChannel, tickers: Iterable[Ticker]) -> dict[Ticker, str]:
    """Of each book that has not agreed the reason; an empty one is nothing against it."""
    whole = channel.books.usable
    waiting = dict.fromkeys((each for each in tickers if each not in whole), "no snapshot has come")
    return waiting | {each: why for each, why in channel.proof.unproven.items() if why is not NOTHING_YET}


async def _follow(ws: aiohttp.ClientWebSocketResponse, channel: BookChannel, numbers: count[int]) -> None:
    """Everything that comes, into the books. Raises Transient where the venue hangs up."""
    async for message in ws:
        try:
            frame = parse_frame(message.data, no_in_yes_terms=NO_IN_YES_TERMS)
        except FrameError as error:
            raise Transient(f"socket: {error}") from error
        match frame:
            case Subscribed():
                await _send(ws, channel.opened(frame.sid), numbers)
            case BookSnapshotSeen() | BookDeltaSeen():
                await _send(ws, channel.take(frame)[1], numbers)
            case _:
                pass
    raise Transient("socket: the venue hung up")


async def _send(
    ws: aiohttp.ClientWebSocketResponse, commands: Iterable[Command], numbers: count[int]
) -> None:
    for each in commands:
        body = {"id": next(numbers), "cmd": each.name, "params": each.params}
        await ws.send_str(msgspec.json.encode(body).decode())
