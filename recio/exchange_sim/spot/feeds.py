"""The spot venues beside the exchange: they follow the indices, meet faults, and send to their listeners."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from aiohttp import web

from recio.exchange_sim.engine.events import Event
from recio.exchange_sim.faults.faults import Faults
from recio.exchange_sim.faults.kinds import FaultKind
from recio.exchange_sim.market.events import IndexTicked
from recio.exchange_sim.spot.spot_market import STEP_MS, Listing, SpotMarket, SpotTrade, Step
from recio.exchange_sim.wire.outbox import Outbox, SocketState

HEARTBEAT_MS = 1_000

PublishStep = Callable[["Feed", SpotMarket, Step], None]
Heartbeat = Callable[["Feed", SpotMarket], None]


class Feed:
    """One spot venue: its markets, who listens to which channel of them, and the faults it meets."""

    def __init__(
        self, name: str, faults: Faults, *, publish: PublishStep, heartbeat: Heartbeat, books: frozenset[str]
    ) -> None:
        self.name = name
        self.markets: dict[str, SpotMarket] = {}
        self.state = SocketState()
        self.quiet = False
        """Nothing but heartbeats goes out."""
        self._faults = faults
        self._publish = publish
        self._heartbeat = heartbeat
        self._books = books
        self._listeners: dict[tuple[str, str], dict[Outbox, None]] = {}

    def add(self, listing: Listing, seed: int, *, level: float, now_ms: int) -> None:
        market = SpotMarket(listing, f"{seed}:{self.name}:{listing.name}", level=level, now_ms=now_ms)
        self.markets[listing.name] = market

    def subscribe(self, outbox: Outbox, channel: str, product: str) -> None:
        if channel in self._books and not self._shown(product):
            self.markets[product].open_book()
        self._listeners.setdefault((channel, product), {})[outbox] = None

    def unsubscribe(self, outbox: Outbox, channel: str, product: str) -> None:
        self._listeners.get((channel, product), {}).pop(outbox, None)

    def forget(self, outbox: Outbox) -> None:
        for listeners in self._listeners.values():
            listeners.pop(outbox, None)

    def has_listeners(self, channel: str, product: str) -> bool:
        return bool(self._listeners.get((channel, product)))

    def send(self, channel: str, product: str, body: Callable[[], bytes]) -> None:
        """Send a message, made once and only if somebody listens."""
        listeners = self._listeners.get((channel, product))
        if listeners:
            frame = body()
            for outbox in listeners:
                outbox.put(frame)

    def moved(self, event: IndexTicked) -> None:
        for market in self.markets.values():
            if market.listing.index_id == event.index_id:
                market.level = event.exact

    def repeat(self, product: str, trade: SpotTrade, now_ms: int) -> None:
        """A recorded trade takes place now, unless a fault holds the feed still."""
        market = self.markets[product]
        if not self.quiet and not market.frozen:
            market.repeat(trade, now_ms)
            self._publish(self, market, Step(trades=[market.last], quote_moved=True))

    def run_to(self, now_ms: int) -> None:
        """Bring every market that somebody listens to up to this moment."""
        for product, market in self.markets.items():
            if not any(
                self.has_listeners(channel, one) for channel, one in self._listeners if one == product
            ):
                market.rest_until(now_ms // STEP_MS * STEP_MS)
            while market.now_ms + STEP_MS <= now_ms:
                self._step(market, (market.now_ms // STEP_MS + 1) * STEP_MS)

    def meet_faults(self, host_now: float) -> None:
        """Bring the armed faults of this feed into force."""
        dead = self._faults.lasting(FaultKind.FEED_DEAD, self.name, host_now) is not None
        silent = self._faults.lasting(FaultKind.FEED_SILENT, self.name, host_now) is not None
        frozen = self._faults.lasting(FaultKind.FEED_FROZEN, self.name, host_now) is not None
        off = self._faults.lasting(FaultKind.FEED_OFF, self.name, host_now)
        self.state.silent = dead
        self.quiet = dead or silent
        for market in self.markets.values():
            market.frozen = frozen
            market.factor = 1.0 if off is None else 1 + (off.percent or 0.0) / 100

    def _shown(self, product: str) -> bool:
        """Whether somebody keeps the book of this product."""
        return any(self.has_listeners(book, product) for book in self._books)

    def _step(self, market: SpotMarket, now_ms: int) -> None:
        if self.quiet:
            market.now_ms = now_ms
        else:
            product = market.listing.name
            step = market.step(now_ms, with_book=self._shown(product))
            self._publish(self, market, step)
        if now_ms % HEARTBEAT_MS == 0:
            self._heartbeat(self, market)


class Feeds:
    """Every spot venue, moved by what happens at the exchange."""

    def __init__(self, feeds: Iterable[Feed]) -> None:
        self.by_name = {feed.name: feed for feed in feeds}

    def follow(self, events: list[Event], now_ms: int) -> None:
        """Move on to the present along the indices' own path."""
        host_now = time.time()
        for feed in self.by_name.values():
            feed.meet_faults(host_now)
        for event in events:
            if isinstance(event, IndexTicked):
                for feed in self.by_name.values():
                    feed.run_to(event.now_ms)
                    feed.moved(event)
        for feed in self.by_name.values():
            feed.run_to(now_ms)


FEEDS = web.AppKey("feeds", Feeds)
