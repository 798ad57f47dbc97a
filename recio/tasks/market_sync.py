"""market_sync: holds the one socket to the venue, discovers the open events, keeps their books, passes on the rest.

A book that cannot be proven whole is published as none, with the reason; status and close time are the venue's own,
never guessed from the clock. Fills, orders and index prints are handed on as they come; it draws no conclusion from them.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby

import aiohttp
import anyio
import asyncpg
import structlog

from recio.bells import Bells, woken_by
from recio.clock import Clock
from recio.db import market_data
from recio.db.connection import transaction
from recio.errors import Transient
from recio.kalshi.exchange_status import Pause, read_pauses, read_state
from recio.kalshi.fees import SeriesFees, read_fees
from recio.kalshi.frame_kinds import LifecycleSeen
from recio.kalshi.frames import Frame
from recio.kalshi.markets import Listing, event_markets
from recio.kalshi.responses import VenueRefused
from recio.kalshi.rest import KalshiRest
from recio.kalshi.signing import Signer
from recio.kalshi.socket import BadFrame, KalshiSocket, open_socket
from recio.kalshi.subscriptions import (
    INDEX,
    PRIVATE,
    BookChanged,
    Broken,
    Command,
    Dead,
    InOrder,
    Opened,
    Outcome,
    Stray,
    SubscriptionRefused,
    Subscriptions,
)
from recio.messages.account import AccountChannelsOpened, AccountHint, FillSeen, OrderSeen
from recio.messages.markets import Market, MarketBoard, MarketEnded, VenuePhase, VenueState
from recio.messages.prices import IndexHistory, IndexValue
from recio.rules.market import market_board
from recio.settings.venue import KalshiSection, MarketSection
from recio.supervisor import Say
from recio.test_hooks.freeze_points import Task, cycle_of
from recio.units import Ticker
from recio.wires import Notes, Sends, Writes, WritesBoard

log: structlog.stdlib.BoundLogger = structlog.get_logger()

LOOK_EVERY = 1.0
"""Host seconds between two looks at the whole board."""
WHOLE_LIMIT = 15.0
"""Host seconds that the book of an open market may stay unusable on one socket."""
BOUNDARY_SLACK = 0.3
"""Host seconds after an open or close before the venue is asked about it."""
FEES_EVERY = 300.0
"""Host seconds after which fees and announced pauses are read again, if no message said so before."""
PRINTS_KEPT = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Traded:
    """A series that is traded: its coin, and the index that decides it."""

    series: str
    symbol: str
    index_id: str


@dataclass(slots=True)
class _Known:
    """What this run has learnt; gone with it."""

    subscriptions: Subscriptions
    markets: dict[Ticker, Market] = field(default_factory=dict[Ticker, Market])
    prints: dict[str, deque[IndexValue]] = field(default_factory=dict[str, deque[IndexValue]])
    fees: dict[str, SeriesFees] = field(default_factory=dict[str, SeriesFees])
    fees_at: float = 0.0
    pauses: tuple[Pause, ...] = ()
    venue: VenueState = field(default_factory=lambda: VenueState(phase=VenuePhase.UNKNOWN))
    changed: Bells = field(default_factory=Bells)
    on_board: set[Ticker] = field(default_factory=set[Ticker])
    dirty: dict[Ticker, None] = field(default_factory=dict[Ticker, None])
    """Books that changed since the board was published."""
    laid_out_until: datetime | None = None
    """The first close on the board; None: it has to be laid out anew."""
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
    traded: tuple[Traded, ...]
    use_index: bool
    board: WritesBoard
    index: Writes[IndexHistory]
    account_hints: Sends[AccountHint]
    market_ends: Notes[MarketEnded]

    async def run(self, say: Say) -> None:
        indexes = tuple(sorted({each.index_id for each in self.traded})) if self.use_index else ()
        known = _Known(subscriptions=Subscriptions(indexes=indexes))
        self.board.lay_out(())
        self.board.publish(venue=known.venue, heard_at=None, clock_offset=None)
        self.index.set(IndexHistory(prints={}, why_none="connecting" if indexes else "switched off"))
        async with (
            open_socket(
                self.session,
                self.ws_url,
                self.signer,
                self.clock,
                venue_clock=self.rest.venue_clock,
                idle_timeout_seconds=self.venue.idle_timeout_seconds,
            ) as socket,
            anyio.create_task_group() as group,
        ):
            await _send(known, socket, known.subscriptions.opening())
            group.start_soon(self._discover, known, socket)
            group.start_soon(self._publish, known, socket, say)
            group.start_soon(self._be_impatient, known, socket)
            await self._listen(known, socket)

    async def _listen(self, known: _Known, socket: KalshiSocket) -> None:
        while True:
            for frame in await socket.receive():
                if isinstance(frame, BadFrame):
                    log.error("frame refused", why=frame.error)
                    raise Transient("a frame could not be understood: all books are read anew")
                outcome, commands = known.subscriptions.feed(frame)
                if isinstance(outcome, BookChanged) and not commands:
                    known.dirty[outcome.ticker] = None  # what most frames do, and nobody else has to hear of
                    continue
                await _send(known, socket, commands)
                await self._note(known, outcome)
                if not isinstance(outcome, Stray):
                    await self._pass_on(known, frame)
            known.changed.ring()

    async def _be_impatient(self, known: _Known, socket: KalshiSocket) -> None:
        """Ask again for what did not come, and notice a socket that pings and is dead."""
        while True:
            await anyio.sleep(1)
            outcome, commands = known.subscriptions.tick(time.monotonic())
            await _send(known, socket, commands)
            await self._note(known, outcome)

    async def _note(self, known: _Known, outcome: Outcome) -> None:
        match outcome:
            case Broken(channel=channel, why=why):
                log.warning("channel broken", channel=channel, why=why)
                known.laid_out_until = None
                known.look_again.set()
            case Opened(channel=channel):
                known.laid_out_until = None
                await self._opened(channel)
            case SubscriptionRefused(channels=channels, why=why):
                self._refused(channels, why)
            case Dead(why=why):
                raise Transient(f"socket: {why}")
            case Stray(why=why):
                log.debug("frame not used", why=why)
            case BookChanged(ticker=ticker):
                known.dirty[ticker] = None
            case InOrder():
                pass

    async def _pass_on(self, known: _Known, frame: Frame) -> None:
        """What concerns others: account and price tasks draw their own conclusions."""
        match frame:
            case FillSeen() | OrderSeen():
                await self.account_hints.send(frame)
            case IndexValue():
                known.prints.setdefault(frame.index_id, deque(maxlen=PRINTS_KEPT)).append(frame)
                self.index.set(
                    IndexHistory(prints={name: tuple(each) for name, each in known.prints.items()})
                )
            case LifecycleSeen(ticker=ticker):
                if ticker.split("-", 1)[0] in {each.series for each in self.traded}:
                    self._note_lifecycle(known, frame)
            case _:
                pass

    def _note_lifecycle(self, known: _Known, seen: LifecycleSeen) -> None:
        known.fees_at = 0.0 if seen.kind == "fee" else known.fees_at
        known.look_again.set()
        if seen.result is not None:
            self.market_ends.put(
                MarketEnded(ticker=seen.ticker, result=seen.result, heard_at=self.clock.utc())
            )

    async def _opened(self, channel: str) -> None:
        if channel in PRIVATE:
            await self.account_hints.send(AccountChannelsOpened(at=self.clock.utc()))

    def _refused(self, channels: tuple[str, ...], why: str) -> None:
        log.warning("subscription refused", channels=list(channels), why=why)
        if INDEX in channels:
            self.index.set(IndexHistory(prints={}, why_none=f"the venue refused it: {why}"))
        if set(channels) & set(PRIVATE):
            raise Transient(f"the venue refused the account channels: {why}")

    async def _discover(self, known: _Known, socket: KalshiSocket) -> None:
        while True:
            known.look_again = anyio.Event()
            await self._look(known, socket)
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

    async def _look(self, known: _Known, socket: KalshiSocket) -> None:
        await self._read_rarely(known)
        markets = [market for each in self.traded for market in await self._listed(each, known)]
        exchange_index = next((each.exchange_index for each in markets), None)
        known.venue = await read_state(self.rest, exchange_index, known.pauses)
        await self._remember(known, markets)
        await _send(known, socket, known.subscriptions.want_books({market.ticker for market in markets}))
        known.laid_out_until = None
        known.changed.ring()

    async def _read_rarely(self, known: _Known) -> None:
        """Fees and announced pauses, which change by the week."""
        now = time.monotonic()
        if known.fees_at and now - known.fees_at < FEES_EVERY:
            return
        for each in self.traded:
            try:
                known.fees[each.series] = await read_fees(self.rest, each.series)
            except VenueRefused as error:
                known.fees.pop(each.series, None)
                log.error("series refused", series=each.series, why=str(error))
        known.pauses = await read_pauses(self.rest)
        known.fees_at = now

    async def _listed(self, traded: Traded, known: _Known) -> tuple[Market, ...]:
        fees = known.fees.get(traded.series)
        if fees is None:
            return ()
        listing = Listing(series=traded.series, symbol=traded.symbol, index_id=traded.index_id, fees=fees)
        listed = await event_markets(self.rest, listing, self.clock.utc())
        for ticker, why in listed.refused:
            log.warning("market refused", ticker=ticker, why=why)
        return listed.markets

    async def _remember(self, known: _Known, markets: Iterable[Market]) -> None:
        before, known.markets = known.markets, {each.ticker: each for each in markets}
        changed = [each for each in known.markets.values() if before.get(each.ticker) != each]
        async with transaction(self.pool) as connection:
            await market_data.note_markets(connection, changed)
        _tell(changed, before)

    async def _publish(self, known: _Known, socket: KalshiSocket, say: Say) -> None:
        """At each change at once: whatever came together is published together."""
        with woken_by(known.changed) as bell:
            looked_at = -math.inf
            while True:
                await cycle_of(Task.MARKET_SYNC)
                board = self._board(known, socket)
                if time.monotonic() - looked_at >= LOOK_EVERY:
                    looked_at = time.monotonic()
                    say(market_board.sentence(board))
                    _insist_on_whole_books(known, board)
                await bell.wait(LOOK_EVERY)

    def _board(self, known: _Known, socket: KalshiSocket) -> MarketBoard:
        now, view_of = self.clock.utc(), known.subscriptions.books.view
        if known.laid_out_until is None or now >= known.laid_out_until:
            markets = market_board.current(known.markets.values(), now)
            known.laid_out_until = min((each.close_time for each in markets), default=None)
            self.board.lay_out(market_board.market_view(each, view_of) for each in markets)
            known.on_board = {each.ticker for each in markets}
        else:
            for ticker in known.dirty.keys() & known.on_board:
                self.board.put(market_board.market_view(known.markets[ticker], view_of))
        known.dirty.clear()
        # Pings say that the venue lives and nothing about its books.
        heard_at = (socket.last_frame or socket.last_heard) - socket.delay
        offset = self.rest.venue_clock.offset
        return self.board.publish(
            venue=known.venue,
            heard_at=heard_at,
            clock_offset=None if offset is None else offset.nearest,
        )


async def _send(known: _Known, socket: KalshiSocket, commands: Iterable[Command]) -> None:
    for command in commands:
        known.subscriptions.sent(await socket.send(command), command)


def _insist_on_whole_books(known: _Known, board: MarketBoard) -> None:
    """Begin anew when the book of an open market stays broken: a snapshot that was asked for never came."""
    blind = market_board.blind(board)
    if not blind:
        known.whole_at = time.monotonic()
    elif time.monotonic() - known.whole_at > WHOLE_LIMIT:
        raise Transient(f"no whole book of {blind[0]} for {WHOLE_LIMIT:g} s: everything is read anew")


def _tell(changed: Iterable[Market], before: Mapping[Ticker, Market]) -> None:
    """One line for each event that changed, and one for each market that became untradable."""
    for event, group in groupby(
        sorted(changed, key=lambda each: each.event_ticker), lambda each: each.event_ticker
    ):
        markets = list(group)
        first = min(markets, key=market_board.strike_of)
        log.info(
            "market",
            ticker=first.ticker if len(markets) == 1 else f"{event} ({len(markets)} strikes)",
            status=first.status.value,
            strike=str(first.floor_strike or first.cap_strike or "not known yet"),
            closes=first.close_time.isoformat(timespec="seconds"),
        )
        for each in markets:
            if each.untradable and (
                each.ticker not in before or before[each.ticker].untradable != each.untradable
            ):
                log.warning("market not traded", ticker=each.ticker, why=each.untradable)
