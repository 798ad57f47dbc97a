"""market_sync: holds the one socket to the venue, keeps the books of the markets that are known, passes on the rest.

A book that cannot be proven whole is published as none, with the reason. It asks nothing over REST and nothing of the
database, so no read that fails can take a book away. Fills, orders, index prints and what is said of markets are handed
on as they come; it draws no conclusion from them.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import aiohttp
import anyio
import structlog

from recio.bells import Bells, woken_by
from recio.clock import Clock
from recio.errors import Transient
from recio.kalshi.commands import in_few
from recio.kalshi.frame_kinds import BadFrame, LifecycleSeen, Strange
from recio.kalshi.frames import Frame
from recio.kalshi.signing import KeyProof, Signer
from recio.kalshi.socket import KalshiSocket, open_socket
from recio.kalshi.subscriptions import (
    INDEX,
    LIFECYCLE,
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
from recio.kalshi.venue_clock import VenueClock
from recio.messages.account import AccountChannelsOpened, AccountHint, FillSeen, OrderSeen, PrivateStream
from recio.messages.markets import (
    BookView,
    ListeningAnew,
    Listings,
    Market,
    MarketBoard,
    MarketEnded,
    MarketMoved,
    MarketNews,
    MarketView,
    RestBook,
    Traded,
    VenuePhase,
    VenueState,
)
from recio.messages.orders import OpenTrades
from recio.messages.prices import IndexHistory, IndexValue
from recio.rules.health.stream_lag import StreamLag
from recio.rules.market import market_board
from recio.rules.price.prints_by_index import Prints, PrintsByIndex
from recio.settings.venue import KalshiSection
from recio.supervisor import Say
from recio.test_hooks.freeze_points import Task, cycle_of
from recio.units import Ticker
from recio.wires import Notes, Reads, Sends, Writes, WritesBoard

log: structlog.stdlib.BoundLogger = structlog.get_logger()

LOOK_EVERY = 1.0
"""Host seconds between two looks at the whole board."""
WHOLE_LIMIT = 15.0
"""Host seconds that the book of an open market may stay unusable on one socket."""
UNREADABLE = "unreadable"
"""The kind of a frame that does not even tell its kind: it may have been about anything."""
NEVER_LONGER = timedelta(minutes=1)
"""Market time after which the board is laid out anew in any case."""


@dataclass(slots=True)
class _Known:
    """What this run has learnt; gone with it, but for what other wires still hold."""

    subscriptions: Subscriptions
    markets: Mapping[Ticker, Market] = field(default_factory=dict[Ticker, Market])
    held: frozenset[Ticker] = frozenset()
    index: PrintsByIndex = field(default_factory=PrintsByIndex)
    venue: VenueState = field(default_factory=lambda: VenueState(phase=VenuePhase.UNKNOWN))
    dirty: dict[Ticker, None] = field(default_factory=dict[Ticker, None])
    """Books that changed since the board was published."""
    on_board: dict[Ticker, Market] = field(default_factory=dict[Ticker, Market])
    laid_out_until: datetime | None = None
    """The first close on the board; None: it has to be laid out anew."""
    changed: Bells = field(default_factory=Bells)
    doubted: dict[Ticker, tuple[Market, Market]] = field(default_factory=dict[Ticker, tuple[Market, Market]])
    """Markets whose books are not proven: as they are known, and as they are on the board."""
    strange: set[tuple[str, Ticker | None]] = field(default_factory=set[tuple[str, Ticker | None]])
    """Of which frames came that could not be read, on this socket."""
    lag: StreamLag = field(default_factory=StreamLag)
    to_compare: frozenset[Ticker] = frozenset()
    whole_at: float = field(default_factory=time.monotonic)


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketSync:
    session: aiohttp.ClientSession
    venue_clock: VenueClock
    signer: Signer
    ws_url: str
    clock: Clock
    venue: KalshiSection
    traded: tuple[Traded, ...]
    use_index: bool
    listings: Reads[Listings]
    open_trades: Reads[OpenTrades]
    prints_before: Reads[IndexHistory]
    """What an earlier run of this task heard: the same wire that it writes."""
    board: WritesBoard
    index: Writes[IndexHistory]
    account_hints: Sends[AccountHint]
    market_ends: Notes[MarketEnded]
    market_news: Notes[MarketNews]
    books_to_compare: Writes[frozenset[Ticker]]
    rest_books: Reads[Mapping[Ticker, RestBook]]
    private_stream: Writes[PrivateStream]
    rest_index: Reads[Prints]
    key_proof: KeyProof = field(default_factory=KeyProof)

    async def run(self, say: Say) -> None:
        indexes = tuple(sorted({each.index_id for each in self.traded})) if self.use_index else ()
        known = _Known(subscriptions=Subscriptions(indexes=indexes))
        self._begin(known, why_no_index="connecting" if indexes else "switched off")
        async with (
            open_socket(
                self.session,
                self.ws_url,
                self.signer,
                self.clock,
                venue_clock=self.venue_clock,
                key_proof=self.key_proof,
                idle_timeout_seconds=self.venue.idle_timeout_seconds,
            ) as socket,
            anyio.create_task_group() as group,
        ):
            await _send(known, socket, known.subscriptions.opening())
            group.start_soon(self._follow, self.listings, known, socket)
            group.start_soon(self._follow, self.open_trades, known, socket)
            group.start_soon(self._publish, known, socket, say)
            group.start_soon(self._be_impatient, known, socket)
            group.start_soon(self._compare_books, known, socket)
            group.start_soon(self._fill_the_index, known)
            await self._listen(known, socket)

    def _begin(self, known: _Known, *, why_no_index: str) -> None:
        """Without a socket no book is known; the markets stay, and so do the prints that were heard."""
        self.books_to_compare.set(frozenset())
        self._look(known)
        shown = market_board.shown(known.markets, known.held, self.clock.utc())
        self.board.lay_out(market_board.market_view(each, _no_book) for each in shown)
        self.board.publish(venue=known.venue, heard_at=None, clock_offset=self._clock_offset())
        before = self.prints_before.get()
        if before is not None:
            known.index.prints = dict(before.prints)
        known.index.why_none = why_no_index
        self.index.set(known.index.history())

    def _look(self, known: _Known) -> None:
        """The markets as they are known now, and which of them are held."""
        listings = self.listings.get()
        if listings is not None and listings.markets is not known.markets:
            known.markets, known.laid_out_until = listings.markets, None
        if listings is not None:
            known.venue = listings.venue
        held = market_board.held_on(self.open_trades.get())
        if held != known.held:
            known.held, known.laid_out_until = held, None

    async def _follow(self, wire: Reads[object], known: _Known, socket: KalshiSocket) -> None:
        """Keep the books that are wanted by what is known of markets, or by what is held."""
        while True:
            version = wire.version
            self._look(known)
            wanted = market_board.wanted(known.markets, known.held, self.clock.utc())
            await _send(known, socket, known.subscriptions.want_books(wanted))
            known.changed.ring()
            await wire.newer_than(version)

    async def _listen(self, known: _Known, socket: KalshiSocket) -> None:
        while True:
            asked: list[Command] = []
            for frame in await socket.receive():
                if isinstance(frame, Strange | BadFrame):
                    await self._lost_to(known, frame)
                outcome, commands = known.subscriptions.feed(frame)
                if isinstance(outcome, BookChanged) and not commands:
                    known.dirty[outcome.ticker] = None  # what most frames do, and nobody else has to hear of
                    continue
                await self._note(known, outcome)
                asked += commands
                if not isinstance(outcome, Stray):
                    await self._pass_on(known, frame)
            # What came together goes on the board together, by who heard it: another task's turn would come later.
            await cycle_of(Task.MARKET_SYNC)
            self._put(known, socket)
            if known.subscriptions.proof.has_news:
                self._ask_for_books(known)
            # Sent last: a peer that takes no command must not keep a broken book on the board.
            await _send(known, socket, in_few(asked))

    async def _lost_to(self, known: _Known, frame: Strange | BadFrame) -> None:
        """A frame that cannot be read costs its own subject: that is read over REST each time, and told in the log once."""
        kind, ticker = (frame.kind, frame.ticker) if isinstance(frame, Strange) else (UNREADABLE, None)
        subject = kind, ticker
        is_first = subject not in known.strange
        if is_first:
            known.strange.add(subject)
            log.error("frame refused", kind=kind, ticker=ticker, why=frame.why)
        if kind in ("fill", "user_order", UNREADABLE):
            await self.account_hints.send(AccountChannelsOpened(at=self.clock.utc()))
        elif not is_first:
            return
        elif "lifecycle" in kind or kind == "event_fee_update":
            self.market_news.put(ListeningAnew())

    async def _be_impatient(self, known: _Known, socket: KalshiSocket) -> None:
        """Ask again for what did not come, and notice a socket that pings and is dead."""
        while True:
            await anyio.sleep(1)
            outcome, commands = known.subscriptions.tick(time.monotonic())
            await self._note(known, outcome)
            await _send(known, socket, commands)

    async def _compare_books(self, known: _Known, socket: KalshiSocket) -> None:
        """Hold the books against what somebody read of them over REST; until then nobody enters their markets."""
        version = self.rest_books.version
        while True:
            version = await self.rest_books.newer_than(version)
            before = dict(known.subscriptions.proof.unproven)
            for ticker, book in (self.rest_books.get() or {}).items():
                why = known.subscriptions.compare(ticker, book)
                if why:
                    log.error("market not traded", ticker=ticker, why=why)
            after = known.subscriptions.proof.unproven
            known.dirty |= {ticker: None for ticker, why in before.items() if after.get(ticker) != why}
            self._ask_for_books(known)
            self._put(known, socket)

    async def _fill_the_index(self, known: _Known) -> None:
        """Prints that this socket did not bring, as somebody read them over REST."""
        version = self.rest_index.version
        while True:
            version = await self.rest_index.newer_than(version)
            history = known.index.read(self.rest_index.get() or {})
            if history is not None:
                self.index.set(history)

    def _ask_for_books(self, known: _Known) -> None:
        wanted = known.subscriptions.proof.wanted(known.subscriptions.books)
        if wanted != known.to_compare:
            known.to_compare = wanted
            self.books_to_compare.set(wanted)

    async def _note(self, known: _Known, outcome: Outcome) -> None:
        match outcome:
            case Broken(channel=channel, why=why):
                log.warning("channel broken", channel=channel, why=why)
                self.market_news.put(ListeningAnew())
                known.laid_out_until = None
                known.changed.ring()
            case Opened(channel=channel):
                known.laid_out_until = None
                await self._opened(channel)
            case SubscriptionRefused(channels=channels, why=why):
                known.laid_out_until = None  # a market whose book is refused says so on the board
                self._refused(known, channels, why)
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
                if frame.sent_at is not None:
                    self.private_stream.set(
                        known.lag.heard(frame.sent_at, self.clock.utc(), self._clock_offset())
                    )
                await self.account_hints.send(frame)
            case IndexValue():
                self.index.set(known.index.heard(frame))
            case LifecycleSeen(ticker=ticker):
                if ticker.split("-", 1)[0] in {each.series for each in self.traded}:
                    self._note_lifecycle(frame)
            case _:
                pass

    def _note_lifecycle(self, seen: LifecycleSeen) -> None:
        self.market_news.put(MarketMoved(ticker=seen.ticker, kind=seen.kind, says=seen.says))
        if seen.says.result is not None:
            self.market_ends.put(
                MarketEnded(ticker=seen.ticker, result=seen.says.result, heard_at=self.clock.utc())
            )

    async def _opened(self, channel: str) -> None:
        if channel in PRIVATE:
            await self.account_hints.send(AccountChannelsOpened(at=self.clock.utc()))
        elif channel == LIFECYCLE:
            self.market_news.put(ListeningAnew())

    def _refused(self, known: _Known, channels: tuple[str, ...], why: str) -> None:
        log.warning("subscription refused", channels=list(channels), why=why)
        if INDEX in channels:
            known.index.is_refused, known.index.why_none = True, f"the venue refused it: {why}"
            self.index.set(known.index.history())
        if set(channels) & set(PRIVATE):
            raise Transient(f"the venue refused the account channels: {why}")

    async def _publish(self, known: _Known, socket: KalshiSocket, say: Say) -> None:
        """At once whatever changes but by a frame, and the time of the board even if nothing does."""
        looked_at = -math.inf
        with woken_by(known.changed) as bell:
            while True:
                await cycle_of(Task.MARKET_SYNC)
                board = self._put(known, socket)
                if time.monotonic() - looked_at >= LOOK_EVERY:
                    looked_at = time.monotonic()
                    say(market_board.sentence(board))
                    _insist_on_whole_books(known, board, self.clock.utc())
                    self._ask_for_books(known)
                await bell.wait(LOOK_EVERY)

    def _put(self, known: _Known, socket: KalshiSocket) -> MarketBoard:
        """Whatever changed goes on the board; where markets came or went it is laid out anew."""
        now = self.clock.utc()
        if known.laid_out_until is None or now >= known.laid_out_until:
            markets = market_board.shown(known.markets, known.held, now)
            ahead = [each.close_time for each in markets if each.close_time > now]
            known.laid_out_until = min(ahead, default=now + NEVER_LONGER)
            known.on_board = {each.ticker: each for each in markets}
            known.doubted = {
                ticker: each for ticker, each in known.doubted.items() if ticker in known.on_board
            }
            self.board.lay_out([_view(known, each) for each in markets])
        else:
            for ticker in known.dirty:
                if ticker in known.on_board:
                    self.board.put(_view(known, known.on_board[ticker]))
        known.dirty.clear()
        # Pings say that the venue lives and nothing about its books; nor does any other channel once theirs is silent.
        silent = timedelta(seconds=known.subscriptions.books_silent(time.monotonic()) * self.clock.speed)
        heard_at = min((socket.last_frame or socket.last_heard) - socket.delay, now - silent)
        return self.board.publish(venue=known.venue, heard_at=heard_at, clock_offset=self._clock_offset())

    def _clock_offset(self) -> float | None:
        offset = self.venue_clock.offset
        return None if offset is None else offset.nearest


def _no_book(_ticker: Ticker) -> BookView | None:
    return None


def _view(known: _Known, market: Market) -> MarketView:
    """A market whose book is not proven yet is not traded, and one whose book is read wrongly shows none."""
    subscriptions, ticker = known.subscriptions, market.ticker
    unproven = subscriptions.proof.unproven.get(ticker)
    if unproven is None:
        return market_board.market_view(market, subscriptions.books.view)
    known_as, shown = known.doubted.get(ticker, (None, market))
    if known_as is not market or shown.untradable != (market.untradable or unproven):
        shown = replace(market, untradable=market.untradable or unproven)
        known.doubted[ticker] = market, shown
    wrong = unproven if ticker in subscriptions.proof.wrong else ""
    return market_board.market_view(shown, subscriptions.books.view, wrong=wrong)


async def _send(known: _Known, socket: KalshiSocket, commands: Iterable[Command]) -> None:
    for command in commands:
        known.subscriptions.sent(await socket.send(command), command)


def _insist_on_whole_books(known: _Known, board: MarketBoard, now: datetime) -> None:
    """Begin anew when the book of an open market stays broken: a snapshot that was asked for never came."""
    wrong = known.subscriptions.proof.wrong  # another socket would show them no better
    blind = [ticker for ticker in market_board.blind(board, now) if ticker not in wrong]
    if not blind:
        known.whole_at = time.monotonic()
    elif time.monotonic() - known.whole_at > WHOLE_LIMIT:
        raise Transient(f"no whole book of {blind[0]} for {WHOLE_LIMIT:g} s: everything is read anew")
