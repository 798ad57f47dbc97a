"""price_feed: keeps what every coin is worth, from all its sources and the index; it never invents a price.

Writes the prices wire and the price_seconds table. A source that fails is opened again by itself and takes neither the
task nor the other sources with it. A restart recalls the last quarter of an hour from the table. The time of a price is
the newest moment at which a believed source named it or confirmed that nothing changed, so a quiet market keeps a
current price, and a price ages as soon as nobody vouches for it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

import aiohttp
import anyio
import asyncpg
import structlog

from recio.bells import Bells, woken_by
from recio.clock import Clock
from recio.db import market_data
from recio.db.pool import transient_faults
from recio.errors import Transient
from recio.messages.prices import IndexHistory, Prices, SourceState
from recio.prices.feed import Heard, Heartbeat, Quoted, Source, Unpriced, open_feed
from recio.prices.sources import source_named
from recio.rules.price import consensus, price_sources
from recio.rules.price.coin_price import INDEX, Coin, CoinMemory
from recio.rules.price.consensus import Panel
from recio.rules.price.momentum import BASIS_POINTS, MINUTES_REMEMBERED
from recio.rules.price.price_sources import Limits, apart_bp
from recio.rules.price.volatility import CONFIRMED_WITHIN, REMEMBERED_SECONDS, PriceMemory
from recio.settings.prices import PricesSection, SymbolSection
from recio.supervisor import Say
from recio.test_hooks.freeze_points import Task, cycle_of
from recio.wires import Reads, Writes

log: structlog.stdlib.BoundLogger = structlog.get_logger()

LONGEST_CYCLE = 1.0
"""Host seconds after which every coin is judged even if nothing was heard: time alone makes a source silent."""
STORE_EVERY = 10
"""Host seconds between two writes of price seconds."""
KEEP_SECONDS = 7 * 86_400
FIRST_WAIT, LONGEST_WAIT = 1.0, 30.0
"""Host seconds before a failed source is opened again, doubling."""
CALM = 30.0
"""Host seconds after which a connection counts as having worked, and the waiting begins anew."""
FRESH_SECONDS = 5.0
"""Market seconds, at speed 1, for which a price or a print of the index counts as the present."""
SPEED_OF_FRESH = 5.0
"""From this speed on the delay of messages, which is host time, decides what is fresh."""
FOUND_OUT = (SourceState.SILENT, SourceState.FROZEN, SourceState.OUTLIER)


@dataclass(slots=True, kw_only=True)
class _Kept:
    """A coin, and which of its seconds are not in the table yet."""

    coin: Coin
    stored: int
    unstored: list[tuple[int, Decimal]] = field(default_factory=list[tuple[int, Decimal]])

    def collect(self) -> None:
        fresh = self.coin.traded.memory.completed_since(self.stored)
        self.unstored.extend(fresh)
        self.stored = fresh[-1][0] if fresh else self.stored


@dataclass(slots=True)
class _Run:
    """What one run of the task works on; gone with it."""

    kept: dict[str, _Kept] = field(default_factory=dict[str, _Kept])
    fresh: set[str] = field(default_factory=set[str])
    """Coins of which something new was heard that was not published yet."""
    changed: Bells = field(default_factory=Bells)

    def heard(self, symbols: Iterable[str]) -> None:
        self.fresh.update(symbols)
        self.changed.ring()

    def coins(self, symbol: str | None) -> list[Coin]:
        """Of one symbol, or of all."""
        return [each.coin for name, each in self.kept.items() if symbol in (None, name)]


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceFeed:
    session: aiohttp.ClientSession
    pool: asyncpg.Pool[asyncpg.Record]
    clock: Clock
    settings: PricesSection
    urls: Mapping[str, str]
    symbols: Mapping[str, SymbolSection]
    index: Reads[IndexHistory]
    prices: Writes[Prices]

    async def run(self, say: Say) -> None:
        run, sources = _Run(), self._sources()
        for symbol, section in self.symbols.items():
            run.kept[symbol] = await self._recalled(symbol, section, sources)
        async with anyio.create_task_group() as group:
            for source in sources:
                group.start_soon(self._follow, source, run)
            group.start_soon(self._follow_index, run)
            group.start_soon(self._store, run)
            await self._publish(run, say)

    def _sources(self) -> list[Source]:
        return [self._source(each) for each in dict.fromkeys(self.settings.sources) if each in self.urls]

    def _source(self, name: str) -> Source:
        names = {section.products[name]: symbol for symbol, section in self.symbols.items()}
        return source_named(name, self.urls[name], names)

    def _limits(self, section: SymbolSection) -> Limits:
        """Silence is a matter of the machinery and so of host time; how old a price may be is market time."""
        return Limits(
            silence_seconds=self.settings.idle_timeout_seconds * self.clock.speed,
            frozen_seconds=self.settings.frozen_seconds,
            fresh_seconds=self._delayed(FRESH_SECONDS),
            divergence_bp=Decimal(str(self.settings.max_divergence_bp)),
            usual_basis=section.usual_basis_bp / BASIS_POINTS,
            largest_error=section.max_price_error_bp / BASIS_POINTS,
        )

    def _unheard(self, name: str) -> price_sources.Heard:
        # Never so late that it would be silent from its first word.
        late = timedelta(
            seconds=min(self.settings.unstamped_delay_seconds, self.settings.idle_timeout_seconds / 2)
        )
        return price_sources.Heard(source=name, lag=late)

    def _delayed(self, seconds: float) -> float:
        """Market seconds within which word of the present comes, however fast market time runs."""
        return seconds * max(1.0, self.clock.speed / SPEED_OF_FRESH)

    def _memory(self) -> CoinMemory:
        memory = PriceMemory(
            warmup_seconds=self.settings.warmup_seconds, confirmed_within=self._delayed(CONFIRMED_WITHIN)
        )
        return CoinMemory(memory)

    async def _follow(self, source: Source, run: _Run) -> None:
        """Listen to one source for ever, opening it again with growing patience."""
        wait = FIRST_WAIT
        while True:
            opened = anyio.current_time()
            try:
                await self._listen(source, run)
            except Transient as error:
                wait = FIRST_WAIT if anyio.current_time() - opened > CALM else wait
                log.warning("price source lost", source=source.name, why=str(error), again_in=wait)
                for coin in run.coins(None):
                    gone = price_sources.lost(coin.panel.sources[source.name], str(error))
                    coin.panel = coin.panel.having(gone)
                run.heard(run.kept)
            await anyio.sleep(wait)
            wait = min(LONGEST_WAIT, wait * 2)

    async def _listen(self, source: Source, run: _Run) -> None:
        """Until the connection breaks. Raises Transient."""
        silence = self.settings.idle_timeout_seconds
        async with open_feed(self.session, source, idle_timeout_seconds=silence) as feed:
            log.info("price source connected", source=source.name)
            while True:
                for heard in await feed.receive():
                    self._hear(source.name, heard, run)
                    run.fresh.update(each.symbol for each in run.coins(heard.symbol))
                run.changed.ring()

    def _hear(self, name: str, heard: Heard, run: _Run) -> None:
        now = self.clock.utc()
        for coin in run.coins(heard.symbol):
            known = coin.panel.sources[name]
            match heard:
                case Quoted(price=price, at=at):
                    coin.panel = consensus.hears(coin.panel, name, price, at, now, coin.limits)
                case Heartbeat(at=at, unchanged=True):
                    coin.panel = coin.panel.having(price_sources.confirmed(known, at, now))
                case Heartbeat():
                    coin.panel = coin.panel.having(price_sources.alive(known, now))
                case Unpriced(why=why):
                    if known.note != why:
                        log.warning("price source has no price", source=name, symbol=coin.symbol, why=why)
                    coin.panel = coin.panel.having(price_sources.unpriced(known, why, now))

    async def _follow_index(self, run: _Run) -> None:
        version = 0
        while True:
            version = await self.index.newer_than(version)
            history = self.index.get()
            for coin in run.coins(None):
                if history is not None:
                    coin.hear_index(history, self.clock.utc())
            run.heard(run.kept)

    async def _publish(self, run: _Run, say: Say) -> None:
        """At each change at once: a coin is judged when something of it is new, and every one once in a while."""
        prices, looked_at = Prices(), -math.inf
        with woken_by(run.changed) as bell:
            while True:
                await cycle_of(Task.PRICE_FEED)
                is_due = anyio.current_time() - looked_at >= LONGEST_CYCLE
                fresh, run.fresh = run.fresh, set[str]()
                before, prices = prices, _judged(run, run.kept if is_due else fresh, prices, self.clock.utc())
                self.prices.set(prices)
                for symbol in run.kept:
                    _tell_changes(symbol, before, prices)
                if is_due:
                    looked_at = anyio.current_time()
                    say("; ".join(self._told(each.coin, prices) for each in run.kept.values()))
                await bell.wait(LONGEST_CYCLE)

    def _told(self, coin: Coin, prices: Prices) -> str:
        view = prices.by_symbol.get(coin.symbol)
        if view is None:
            return f"no price of {coin.symbol}"
        said = f"{coin.symbol} {view.tick.price:,} from {view.tick.source}"
        if view.unreliable:
            return f"{said}, unreliable: {view.unreliable}"
        if view.doubt:
            return f"{said}, not to be opened by: {view.doubt}"
        if view.volatility is None:
            seconds = len(coin.traded.memory.seconds)
            return f"{said}; {seconds} of {self.settings.warmup_seconds} s known"
        return f"{said}; volatility {view.volatility * 1e4:.2f} bp/√s"

    async def _recalled(self, symbol: str, section: SymbolSection, sources: list[Source]) -> _Kept:
        traded = self._memory()
        memory = traded.memory
        # As far back as a pause for momentum may have begun, and the half hour that its first figure needs.
        since = math.floor(self.clock.unix()) - REMEMBERED_SECONDS - 60 * MINUTES_REMEMBERED
        with transient_faults():
            async with self.pool.acquire() as connection:
                known = await market_data.recall_seconds(connection, symbol, since)
        traded.recall(known)
        coin = Coin(
            symbol=symbol,
            index_id=section.index,
            use_index=self.settings.use_index,
            limits=self._limits(section),
            traded=traded,
            index=self._memory(),
            panel=Panel(sources={each.name: self._unheard(each.name) for each in sources}),
        )
        return _Kept(coin=coin, stored=memory.seconds[-1][0] if memory.seconds else 0)

    async def _store(self, run: _Run) -> None:
        while True:
            await anyio.sleep(STORE_EVERY)
            try:
                for kept in run.kept.values():
                    await self._store_one(kept)
            except Transient as error:
                # Kept for the next time. Prices that are heard must not end with a database, nor the stops that need them.
                log.warning("prices not written yet", why=str(error))

    async def _store_one(self, kept: _Kept) -> None:
        batch, symbol = kept.unstored.copy(), kept.coin.symbol
        oldest = math.floor(self.clock.unix()) - KEEP_SECONDS
        with transient_faults():
            async with self.pool.acquire() as connection:
                if batch:
                    await market_data.note_seconds(connection, symbol, batch)
                await market_data.expire_seconds(connection, symbol, oldest)
        del kept.unstored[: len(batch)]


def _judged(run: _Run, symbols: Iterable[str], before: Prices, now: datetime) -> Prices:
    """The prices with these coins judged anew."""
    known, sources = dict(before.by_symbol), dict(before.sources)
    for symbol in symbols:
        kept = run.kept[symbol]
        view, sources[symbol] = kept.coin.judge(now)
        kept.collect()
        if view is not None:
            known[symbol] = view
        else:
            known.pop(symbol, None)
    return Prices(by_symbol=known, sources=sources)


def _tell_changes(symbol: str, before: Prices, after: Prices) -> None:
    """What nobody should find out from a loss: an unreliable price, a source that is not believed, a price from elsewhere."""
    was, now = before.by_symbol.get(symbol), after.by_symbol.get(symbol)
    if was is now and before.sources.get(symbol) is after.sources.get(symbol):
        return
    if bool(was and was.unreliable) is not bool(now and now.unreliable):
        if now is not None and now.unreliable:
            log.warning("price unreliable", symbol=symbol, why=now.unreliable)
        else:
            log.info("price reliable again", symbol=symbol)
    if bool(was and was.doubt) is not bool(now and now.doubt):
        if now is not None and now.doubt:
            log.warning("price in doubt", symbol=symbol, why=now.doubt)
        else:
            log.info("price no more in doubt", symbol=symbol)
    if was is not None and now is not None and (was.tick.source == INDEX) is not (now.tick.source == INDEX):
        jump = round(apart_bp(now.tick.price, was.tick.price), 2)
        log.warning(
            "price taken from elsewhere",
            symbol=symbol,
            was=was.tick.source,
            now=now.tick.source,
            apart_bp=jump,
        )
    states = {view.source: view.state for view in before.sources.get(symbol, ())}
    for view in after.sources.get(symbol, ()):
        past = states.get(view.source)
        if view.state in FOUND_OUT and past is not view.state:
            log.warning(
                "price source not believed",
                symbol=symbol,
                source=view.source,
                state=view.state,
                why=view.note,
            )
        elif past in FOUND_OUT and view.state is SourceState.GOOD:
            log.info("price source believed again", symbol=symbol, source=view.source)
