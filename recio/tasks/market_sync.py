"""market_sync: discovers the open event over REST and keeps its books over the WebSocket.

A book that cannot be proven whole is published as none, with the reason; status and close time are
the venue's own, never guessed from the clock.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

import aiohttp
import anyio
import asyncpg
import structlog

from recio.clock import Clock
from recio.config import KalshiSection, MarketSection
from recio.db import market_data
from recio.db.connection import transaction
from recio.errors import Transient
from recio.kalshi.frames import Acknowledged, Frame, Passed, Subscribed, VenueError
from recio.kalshi.markets import event_markets, series_fee_multiplier, trading_active
from recio.kalshi.rest import KalshiRest
from recio.kalshi.signing import Signer
from recio.kalshi.socket import BadFrame, KalshiSocket, open_socket
from recio.messages import (
    BookDeltaSeen,
    BookSnapshotSeen,
    LifecycleSeen,
    Market,
    MarketBoard,
    MarketStatus,
    MarketView,
)
from recio.rules.order_book import Applied, ImpossibleLevel, NotListening, SequencedBooks, SequenceGap
from recio.supervisor import Say
from recio.units import EventTicker, Ticker
from recio.wires import Writes

log: structlog.stdlib.BoundLogger = structlog.get_logger()

PUBLISH_EVERY = 0.02
"""Host seconds between two boards: far below any human or rule, far above the cost of one."""
BOOK_CHANNEL = "orderbook_delta"
RECONNECT_CODES = frozenset({10, 25})
"""Channel error and buffer overflow: the subscription is dead, everything is read anew."""
WHOLE_LIMIT = 15.0
"""Host seconds that the book of an open market may stay unusable on one socket."""
BOUNDARY_SLACK = 0.3
"""Host seconds after an open or close before the venue is asked about it."""


@dataclass(slots=True)
class _Known:
    """What this run has learnt; gone with it."""

    markets: dict[Ticker, Market] = field(default_factory=dict[Ticker, Market])
    books: SequencedBooks = field(default_factory=SequencedBooks)
    sid: int | None = None
    requested: set[Ticker] = field(default_factory=set[Ticker])
    trading_active: bool = False
    changed: anyio.Event = field(default_factory=anyio.Event)
    look_again: anyio.Event = field(default_factory=anyio.Event)
    whole_at: float = field(default_factory=time.monotonic)


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketSync:
    session: aiohttp.ClientSession
    pool: asyncpg.Pool[asyncpg.Record]
    rest: KalshiRest
    signer: Signer
    ws_url: str
    clock: Clock
    venue: KalshiSection
    settings: MarketSection
    board: Writes[MarketBoard]

    async def run(self, say: Say) -> None:
        known = _Known()
        self.board.set(MarketBoard(markets=(), trading_active=False))
        fee_multiplier = await series_fee_multiplier(self.rest, self.settings.series)
        async with (
            open_socket(
                self.session,
                self.ws_url,
                self.signer,
                self.clock,
                silence_limit_seconds=self.venue.silence_limit_seconds,
            ) as socket,
            anyio.create_task_group() as group,
        ):
            await socket.subscribe(["market_lifecycle_v2"])
            group.start_soon(self._discover, known, socket, fee_multiplier)
            group.start_soon(self._publish, known, socket, say)
            await self._listen(known, socket)

    async def _listen(self, known: _Known, socket: KalshiSocket) -> None:
        while True:
            frame = await socket.receive()
            match frame:
                case BookDeltaSeen():
                    await self._applied(known, socket, known.books.delta(frame))
                case BookSnapshotSeen():
                    await self._applied(known, socket, known.books.snapshot(frame))
                case BadFrame(error=error):
                    log.error("frame refused", why=error)
                    raise Transient("a frame could not be understood: all books are read anew")
                case _:
                    await self._answered(known, socket, frame)
            known.changed.set()

    async def _answered(self, known: _Known, socket: KalshiSocket, frame: Frame) -> None:
        """Everything that is not a book: replies, which count in the sequence, and lifecycle."""
        match frame:
            case Subscribed(channel=channel, sid=sid):
                if channel == BOOK_CHANNEL:
                    known.sid = sid
                    known.books.restart(sid)
                    known.look_again.set()
            case Acknowledged(sid=sid, seq=seq) | Passed(sid=sid, seq=seq):
                await self._counted(known, socket, sid, seq)
            case LifecycleSeen(ticker=ticker):
                if ticker.startswith(self.settings.series + "-"):
                    known.look_again.set()
            case VenueError(code=code, text=text):
                if code in RECONNECT_CODES:
                    raise Transient(f"the venue ended a subscription: {code} {text}")
                log.warning("venue error", code=code, text=text)
                await self._counted(known, socket, frame.sid, frame.seq)
            case _:
                pass

    async def _counted(self, known: _Known, socket: KalshiSocket, sid: int | None, seq: int | None) -> None:
        """A reply takes its place in the books' own sequence."""
        if sid is not None and sid == known.sid and seq is not None:
            await self._gap(known, socket, known.books.count(sid, seq))

    async def _applied(
        self,
        known: _Known,
        socket: KalshiSocket,
        outcome: Applied | SequenceGap | ImpossibleLevel | NotListening,
    ) -> None:
        match outcome:
            case Applied() | NotListening():
                pass
            case SequenceGap():
                await self._gap(known, socket, outcome)
            case ImpossibleLevel(ticker=ticker, price=price, quantity=quantity):
                log.error("impossible level", ticker=ticker, price=price, quantity=quantity)
                if known.sid is not None:
                    await socket.snapshot(known.sid, [ticker])

    async def _gap(self, known: _Known, socket: KalshiSocket, gap: SequenceGap | None) -> None:
        if gap is None:
            return
        log.warning("sequence gap", sid=gap.sid, expected=gap.expected, got=gap.got)
        await socket.snapshot(gap.sid, sorted(known.requested))

    async def _discover(self, known: _Known, socket: KalshiSocket, fee_multiplier: Decimal) -> None:
        while True:
            known.look_again = anyio.Event()
            await self._look(known, socket, fee_multiplier)
            with anyio.move_on_after(self._until_next_look(known)):
                await known.look_again.wait()
            # A burst of lifecycle messages is one reason to look, not many.
            await anyio.sleep(BOUNDARY_SLACK)

    def _until_next_look(self, known: _Known) -> float:
        """Host seconds to the next regular look, or to the next open or close if that is sooner."""
        now = self.clock.utc()
        boundaries = [
            (at - now).total_seconds() / self.clock.speed
            for market in known.markets.values()
            for at in (market.open_time, market.close_time)
            if at > now
        ]
        return min([self.settings.discover_every_seconds, *boundaries])

    async def _look(self, known: _Known, socket: KalshiSocket, fee_multiplier: Decimal) -> None:
        now = self.clock.utc()
        listed = await event_markets(self.rest, self.settings.series, now, fee_multiplier=fee_multiplier)
        for ticker, why in listed.refused:
            log.warning("market refused", ticker=ticker, why=why)
        exchange_index = next((each.exchange_index for each in listed.markets), None)
        known.trading_active = await trading_active(self.rest, exchange_index)
        await self._remember(known, listed.markets)
        await self._follow(known, socket, {market.ticker for market in listed.markets})
        known.changed.set()

    async def _remember(self, known: _Known, markets: tuple[Market, ...]) -> None:
        changed = [each for each in markets if known.markets.get(each.ticker) != each]
        known.markets = {each.ticker: each for each in markets}
        async with transaction(self.pool) as connection:
            for market in changed:
                await market_data.note_market(connection, market)
        for market in changed:
            log.info(
                "market",
                ticker=market.ticker,
                status=market.status.value,
                strike=str(market.floor_strike or market.cap_strike or "not known yet"),
                closes=market.close_time.isoformat(timespec="seconds"),
            )

    async def _follow(self, known: _Known, socket: KalshiSocket, wanted: set[Ticker]) -> None:
        """Subscribe to new markets before they open, and drop the ones that are gone."""
        new, gone = sorted(wanted - known.requested), sorted(known.requested - wanted)
        if new and known.sid is None and not known.requested:
            await socket.subscribe([BOOK_CHANNEL], new)
        elif known.sid is None:
            return  # the first subscription is not confirmed yet: the next look will do it
        else:
            if new:
                await socket.add_markets(known.sid, new)
            if gone:
                await socket.drop_markets(known.sid, gone)
                for ticker in gone:
                    known.books.drop(ticker)
        known.requested = set(wanted)

    async def _publish(self, known: _Known, socket: KalshiSocket, say: Say) -> None:
        while True:
            with anyio.move_on_after(1.0):
                await known.changed.wait()
            known.changed = anyio.Event()
            board = self._board(known, socket.last_heard)
            self.board.set(board)
            say(_sentence(board))
            _insist_on_whole_books(known, board)
            await anyio.sleep(PUBLISH_EVERY)

    def _board(self, known: _Known, heard_at: datetime) -> MarketBoard:
        now = self.clock.utc()
        return MarketBoard(
            markets=tuple(
                self._view(known, market, heard_at) for market in current(known.markets.values(), now)
            ),
            trading_active=known.trading_active,
        )

    def _view(self, known: _Known, market: Market, heard_at: datetime) -> MarketView:
        usable = market.ticker in known.books.usable
        return MarketView(
            market=market,
            book=known.books.books[market.ticker].view() if usable else None,
            book_at=heard_at if usable else None,
            why_no_book="" if usable else "waits for a whole snapshot",
        )


def _insist_on_whole_books(known: _Known, board: MarketBoard) -> None:
    """Begin anew when the book of an open market stays broken: a snapshot that was asked for never came."""
    blind = [
        view.market.ticker
        for view in board.markets
        if view.book is None and view.market.status is MarketStatus.ACTIVE
    ]
    if not blind:
        known.whole_at = time.monotonic()
    elif time.monotonic() - known.whole_at > WHOLE_LIMIT:
        raise Transient(f"no whole book of {blind[0]} for {WHOLE_LIMIT:g} s: everything is read anew")


def current(markets: Iterable[Market], now: datetime) -> list[Market]:
    """The markets of the event that closes next, by strike."""
    ahead = [each for each in markets if each.close_time > now]
    if not ahead:
        return []
    event: EventTicker = min(ahead, key=lambda each: each.close_time).event_ticker
    return sorted(
        (each for each in ahead if each.event_ticker == event),
        key=lambda each: (each.floor_strike or each.cap_strike or 0, each.ticker),
    )


def _sentence(board: MarketBoard) -> str:
    if not board.markets:
        return "no market is open or listed"
    first = board.markets[0].market
    whole = sum(view.book is not None for view in board.markets)
    return f"{first.event_ticker} is {first.status}, {whole} of {len(board.markets)} books whole"
