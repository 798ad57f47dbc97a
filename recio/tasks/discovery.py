"""discovery: knows the venue's markets, their fees, its pauses and its status, by reading and by what its socket says.

A read that fails makes what is known of it older and takes nothing away, least of all a market that is held. Status
and close time are the venue's own, never guessed from the clock.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from functools import partial

import anyio
import asyncpg
import structlog

from recio.clock import Clock
from recio.db import market_data
from recio.db.connection import transaction
from recio.errors import Transient
from recio.kalshi.answers import answer_of
from recio.kalshi.exchange_status import Pause, next_pause, read_pauses, read_state
from recio.kalshi.fees import Fee, Override, SeriesFees, read_fees, read_overrides
from recio.kalshi.index_reads import IndexReads
from recio.kalshi.markets import Listing, event_markets
from recio.kalshi.repeated_reads import Repeated, RepeatedReads
from recio.kalshi.rest import KalshiRest
from recio.kalshi.rest_books import BookReads
from recio.messages.markets import (
    ListeningAnew,
    Listings,
    Market,
    MarketMoved,
    MarketNews,
    MarketSettled,
    RestBook,
    Traded,
    VenuePhase,
    VenueState,
)
from recio.messages.orders import OpenTrades
from recio.messages.prices import IndexHistory
from recio.rules.market import market_board
from recio.rules.market.market_news import Heard, after_silence, as_listed, with_news
from recio.rules.price.prints_by_index import Prints
from recio.settings.venue import MarketSection
from recio.supervisor import Say
from recio.test_hooks.freeze_points import Task, cycle_of
from recio.units import EventTicker, Ticker
from recio.wires import Reads, Takes, Writes

log: structlog.stdlib.BoundLogger = structlog.get_logger()

CYCLE = 1.0
RARELY = 300.0
"""Host seconds after which fees and announced pauses are read again, if no message said so before."""
WRITE_AGAIN = 5.0
"""Host seconds until rows are written that could not be."""
PAUSE_BELIEVED = 15.0
"""Host seconds for which a pause that nobody can confirm any more still holds up exits."""
STATUS, SCHEDULE = "exchange status", "schedule of pauses"
KEPT = timedelta(days=2)
"""Market time for which the rows of markets that have closed are kept: a ladder of an hour writes hundreds of them."""
UNREAD = SeriesFees(now=Fee(kind="not read yet", multiplier=Decimal(0)), changes=(), event_changes={})
"""Markets are listed without their fees too, and not traded before these are known."""
DETERMINED = "determined"
SAYS_ALL = frozenset({DETERMINED, "settled"})
"""Messages after which no list has more to say."""
Refused = tuple[tuple[str, str], ...]


@dataclass(slots=True)
class _Known:
    """What this run has learnt."""

    markets: dict[Ticker, Market] = field(default_factory=dict[Ticker, Market])
    settled: dict[Ticker, MarketSettled] = field(default_factory=dict[Ticker, MarketSettled])
    venue: VenueState = field(default_factory=lambda: VenueState(phase=VenuePhase.UNKNOWN))
    heard: dict[Ticker, Heard] = field(default_factory=dict[Ticker, Heard])
    fees: dict[str, SeriesFees] = field(default_factory=dict[str, SeriesFees])
    overrides: dict[str, dict[EventTicker, Override]] = field(
        default_factory=dict[str, dict[EventTicker, Override]]
    )
    listed_as_of: dict[str, float] = field(default_factory=dict[str, float])
    """By series: the host time of which the list that is known speaks."""
    pauses: tuple[Pause, ...] = ()
    refused: dict[str, Refused] = field(default_factory=dict[str, Refused])
    """By series: what was told of markets that could not be understood."""
    unwritten: dict[Ticker, Market] = field(default_factory=dict[Ticker, Market])
    to_write: anyio.Event = field(default_factory=anyio.Event)


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    pool: asyncpg.Pool[asyncpg.Record]
    rest: KalshiRest
    clock: Clock
    settings: MarketSection
    traded: tuple[Traded, ...]
    open_trades: Reads[OpenTrades]
    market_news: Takes[MarketNews]
    known_before: Reads[Listings]
    """What an earlier run of this task knew: the same wire that it writes."""
    listings: Writes[Listings]
    books_to_compare: Reads[frozenset[Ticker]]
    rest_books: Writes[Mapping[Ticker, RestBook]]
    use_index: bool
    index: Reads[IndexHistory]
    rest_index: Writes[Prints]

    async def run(self, say: Say) -> None:
        known = _Known()
        reads = RepeatedReads(clock=self.clock, changed=lambda: self._publish(known, reads))
        self._recall(known, reads)
        repeated = [*self._of_every_series(known, reads), *self._of_the_venue(known)]
        for read in repeated:
            reads.add(read)
        self._publish(known, reads)
        async with anyio.create_task_group() as group:
            for read in repeated:
                group.start_soon(reads.keep, read)
            group.start_soon(self._hear, known, reads)
            group.start_soon(self._recall_held, known, reads)
            group.start_soon(self._write_rows, known)
            group.start_soon(self._books().keep)
            group.start_soon(self._index().keep)
            while True:
                await cycle_of(Task.DISCOVERY)
                say(_sentence(known, reads))
                await anyio.sleep(CYCLE)

    def _recall(self, known: _Known, reads: RepeatedReads) -> None:
        before = self.known_before.get()
        if before is not None:
            known.markets, known.settled, known.venue = (
                dict(before.markets),
                dict(before.settled),
                before.venue,
            )
            lasting = {STATUS, *(_markets_of(each.series) for each in self.traded)}
            reads.ages = {each.name: each for each in before.reads if each.name in lasting}

    # --- reading ------------------------------------------------------------------------------------------------------

    def _of_every_series(self, known: _Known, reads: RepeatedReads) -> Iterable[Repeated]:
        for each in self.traded:
            yield Repeated(
                name=_fees_of(each.series),
                every=RARELY,
                carry_out=partial(self._read_fees, known, reads, each.series),
                may_be_missing=True,
            )
            yield Repeated(
                name=_event_fees_of(each.series),
                every=RARELY,
                carry_out=partial(self._read_overrides, known, reads, each.series),
                may_be_missing=True,
            )
            yield Repeated(
                name=_markets_of(each.series),
                every=self.settings.discover_every_seconds,
                carry_out=partial(self._read_markets, known, reads, each),
                wait=partial(self._until_next_list, known, each.series),
            )

    def _of_the_venue(self, known: _Known) -> Iterable[Repeated]:
        yield Repeated(name=SCHEDULE, every=RARELY, carry_out=partial(self._read_pauses, known))
        often = self.settings.discover_every_seconds
        yield Repeated(name=STATUS, every=often, carry_out=partial(self._read_status, known))

    def _until_next_list(self, known: _Known, series: str) -> float:
        """Host seconds to the next regular look, or to the next open or close if that is sooner."""
        now = self.clock.utc()
        boundaries = [
            (at - now).total_seconds() / self.clock.speed
            for market in known.markets.values()
            if market.series_ticker == series
            for at in (market.open_time, market.close_time)
            if at > now
        ]
        return min([self.settings.discover_every_seconds, *boundaries])

    async def _read_fees(self, known: _Known, reads: RepeatedReads, series: str) -> None:
        found = await answer_of(read_fees(self.rest, series))
        if known.fees.get(series) != found:
            known.fees[series] = found
            reads.wake(_markets_of(series))

    async def _read_overrides(self, known: _Known, reads: RepeatedReads, series: str) -> None:
        found = await answer_of(read_overrides(self.rest, series, self.clock.utc()))
        if known.overrides.get(series) != found:
            known.overrides[series] = found
            reads.wake(_markets_of(series))

    async def _read_markets(self, known: _Known, reads: RepeatedReads, traded: Traded) -> float:
        series = traded.series
        await reads.tried(_fees_of(series), _event_fees_of(series))
        began, overrides = time.monotonic(), known.overrides.get(series, {})
        listing = self._listing(known, traded)
        found = await answer_of(event_markets(self.rest, listing, self.clock.utc(), overrides))
        for ticker, why in set(found.refused) - set(known.refused.get(series, ())):
            log.warning("market refused", ticker=ticker, why=why)
        known.refused[series] = found.refused
        if any(each.event_ticker not in overrides for each in found.markets):
            reads.wake(_event_fees_of(series))
        as_of = began - found.age_seconds
        if as_of < known.listed_as_of.get(series, as_of):
            return found.age_seconds  # kept by a cache since before the list that is known
        known.listed_as_of[series] = as_of
        held = market_board.held_on(self.open_trades.get())
        kept = (
            each for each in known.markets.values() if each.series_ticker != series or each.ticker in held
        )
        listed = (
            as_listed(each, known.markets, known.heard, as_of, traded.index_id) for each in found.markets
        )
        self._remember(known, {each.ticker: each for each in (*kept, *listed)})
        return found.age_seconds

    async def _read_status(self, known: _Known) -> None:
        shard = next((each.exchange_index for each in known.markets.values()), None)
        known.venue = await answer_of(read_state(self.rest, shard, known.pauses))

    async def _read_pauses(self, known: _Known) -> None:
        known.pauses = await answer_of(read_pauses(self.rest))

    def _books(self) -> BookReads:
        wanted = self.books_to_compare
        return BookReads(
            rest=self.rest,
            wanted=wanted.get,
            changes=lambda: wanted.version,
            newer_than=wanted.newer_than,
            tell=self.rest_books.set,
        )

    def _index(self) -> IndexReads:
        return IndexReads(
            rest=self.rest,
            clock=self.clock,
            traded=self.traded if self.use_index else (),
            heard=self.index.get,
            listings=self.known_before.get,
            tell=self.rest_index.set,
        )

    def _listing(self, known: _Known, traded: Traded) -> Listing:
        fees = known.fees.get(traded.series, UNREAD)
        return Listing(series=traded.series, symbol=traded.symbol, index_id=traded.index_id, fees=fees)

    # --- hearing ------------------------------------------------------------------------------------------------------

    async def _hear(self, known: _Known, reads: RepeatedReads) -> None:
        """The venue's own messages count at once; the lists confirm them later."""
        while True:
            await self.market_news.wait()
            news, lost = self.market_news.take()
            markets = dict(known.markets)
            if lost:
                _listen_anew(known, reads, markets)
            for each in news:
                match each:
                    case ListeningAnew():
                        _listen_anew(known, reads, markets)
                    case MarketMoved():
                        self._take(known, reads, markets, each)
            self._remember(known, markets)
            self._publish(known, reads)

    def _take(
        self, known: _Known, reads: RepeatedReads, markets: dict[Ticker, Market], moved: MarketMoved
    ) -> None:
        """Change `markets` as the message says, and read again what it does not say."""
        ticker, series = moved.ticker, moved.ticker.split("-", 1)[0]
        traded = next((each for each in self.traded if each.series == series), None)
        if traded is None:
            return
        if moved.kind == "fee":
            reads.wake(_fees_of(series), _event_fees_of(series))
        elif moved.kind not in SAYS_ALL:
            reads.wake(_markets_of(series))
        market = markets.get(ticker)
        if market is None:
            return
        heard = known.heard.get(ticker, Heard(moved.says, 0.0)).after(moved.says, time.monotonic())
        if moved.kind == DETERMINED and moved.says.result is None:
            heard = heard.without_result()
        known.heard[ticker] = heard
        markets[ticker] = with_news(market, moved.says, traded.index_id)
        result, settled_at = heard.says.result, moved.says.settled_at
        if result is not None and settled_at is not None:
            known.settled = {**known.settled, ticker: MarketSettled(result=result, settled_at=settled_at)}

    # --- keeping ------------------------------------------------------------------------------------------------------

    def _remember(self, known: _Known, markets: dict[Ticker, Market]) -> None:
        before, known.markets = known.markets, markets
        changed = [each for each in markets.values() if before.get(each.ticker) != each]
        if changed:
            known.unwritten |= {each.ticker: each for each in changed}
            known.to_write.set()
            for event, fields in market_board.news_lines(changed, before):
                (log.warning if "why" in fields else log.info)(event, **fields)

    async def _write_rows(self, known: _Known) -> None:
        """Keep the rows; a database that is away is somebody else's alarm and takes no market from anybody."""
        while True:
            await known.to_write.wait()
            known.to_write = anyio.Event()
            writing = dict(known.unwritten)
            try:
                async with transaction(self.pool) as connection:
                    await market_data.note_markets(connection, list(writing.values()))
                    await market_data.expire_markets(connection, self.clock.utc() - KEPT)
            except Transient as error:
                log.warning("markets not written yet", why=str(error))
                await anyio.sleep(WRITE_AGAIN)
                known.to_write.set()
                continue
            known.unwritten = {
                ticker: each for ticker, each in known.unwritten.items() if writing.get(ticker) is not each
            }

    async def _recall_held(self, known: _Known, reads: RepeatedReads) -> None:
        """Markets that are held and not known, because no list has come yet or none shows them: as our rows have them."""
        symbols = {each.series: each.symbol for each in self.traded}
        version = 0
        while True:
            version = await self.open_trades.newer_than(version)
            trades = self.open_trades.get()
            held = {each.ticker: each for each in (trades.trades if trades else ())}
            unknown = {ticker: each for ticker, each in held.items() if ticker not in known.markets}
            if not unknown:
                continue
            try:
                async with transaction(self.pool) as connection:
                    rows = await market_data.recall_markets(connection, unknown, symbols)
            except Transient:
                await anyio.sleep(CYCLE)
                version = 0  # the trades may not change for long, and nobody could sell what is held there
                continue
            recalled = {each.ticker: after_silence(each) for each in rows if each.ticker not in known.markets}
            if recalled:
                log.info("held markets known from our own rows", tickers=sorted(recalled))
                known.markets = {**known.markets, **recalled}
                self._publish(known, reads)

    def _publish(self, known: _Known, reads: RepeatedReads) -> None:
        """Everything that is known, less the markets that are over and that nobody holds."""
        now, held = self.clock.utc(), market_board.held_on(self.open_trades.get())
        wanted = market_board.wanted(known.markets, held, now)
        known.markets = {ticker: each for ticker, each in known.markets.items() if ticker in wanted}
        known.heard = {ticker: each for ticker, each in known.heard.items() if ticker in wanted}
        known.settled = {ticker: each for ticker, each in known.settled.items() if ticker in wanted}
        self.listings.set(
            Listings(
                markets=known.markets,
                settled=known.settled,
                venue=self._venue(known, reads),
                reads=tuple(reads.ages.values()),
            )
        )

    def _venue(self, known: _Known, reads: RepeatedReads) -> VenueState:
        """A pause that nobody confirms any more may be over: then nothing is known of it, and exits are tried."""
        now, read = self.clock.utc(), reads.ages[STATUS]
        venue = replace(known.venue, next_pause=next_pause(known.pauses, now))
        if venue.phase is VenuePhase.TRADING or read.confirmed_at is None or not read.fault:
            return venue
        age = (now - read.confirmed_at).total_seconds() / self.clock.speed
        return replace(venue, phase=VenuePhase.UNKNOWN) if age > PAUSE_BELIEVED else venue


def _listen_anew(known: _Known, reads: RepeatedReads, markets: dict[Ticker, Market]) -> None:
    """What was announced before may have been taken back since: nothing that is held waits for a word missed."""
    known.heard = {ticker: each.after_silence() for ticker, each in known.heard.items()}
    markets |= {ticker: after_silence(each) for ticker, each in markets.items()}
    reads.wake()


def _fees_of(series: str) -> str:
    return f"fees of {series}"


def _event_fees_of(series: str) -> str:
    return f"fees of the events of {series}"


def _markets_of(series: str) -> str:
    return f"markets of {series}"


def _sentence(known: _Known, reads: RepeatedReads) -> str:
    events = len({each.event_ticker for each in known.markets.values()})
    failing = [each for each in reads.ages.values() if each.fault]
    fails = f"; reads that fail: {len(failing)}, {failing[0].name}: {failing[0].fault}" if failing else ""
    return f"markets known: {len(known.markets)}, events: {events}{fails}"
