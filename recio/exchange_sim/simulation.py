"""Runs the venue in steps of 50 ms of its own time, always in the same order; it never waits and sends nothing."""

from __future__ import annotations

from recio.exchange_sim.events import IndexPrinted
from recio.exchange_sim.market.crowd import STEP_MS, Crowd
from recio.exchange_sim.market.index import TICK_MS, IndexPath
from recio.exchange_sim.market.lifecycle import MarketCalendar
from recio.exchange_sim.market.markets import SHARD
from recio.exchange_sim.market.spot import SpotTape
from recio.exchange_sim.matching.account import Account
from recio.exchange_sim.matching.execution import publish_ticker
from recio.exchange_sim.matching.order_entry import expire
from recio.exchange_sim.venue import Venue

HISTORY_SECONDS = 3_600
TICKER_MS = 1_000


class Simulation:
    """The venue and everything that moves it except its clients."""

    def __init__(
        self,
        *,
        seed: int,
        instance: str,
        now_ms: int,
        series: str,
        window_seconds: int,
        balance: int,
        user_id: str,
        traders: bool,
    ) -> None:
        start_ms = now_ms // STEP_MS * STEP_MS
        history = max(HISTORY_SECONDS, window_seconds + 120)
        index = IndexPath(seed, start_second=start_ms // 1000, history_seconds=history)
        account = Account(user_id=user_id, cash={0: 0, SHARD: balance}, deposits=balance)
        self.venue = Venue(account=account, index=index, instance=instance, now_ms=start_ms)
        self.series = series
        self.started_ms = start_ms
        self._stepped_ms = start_ms
        self.window_seconds = window_seconds
        self.calendar = MarketCalendar(self.venue, series=series, window_seconds=window_seconds)
        self.spot = SpotTape(seed, level=index.level, now_ms=start_ms, step_ms=STEP_MS)
        self._crowd = Crowd(self.venue, seed) if traders else None

    def advance(self, to_ms: int, *, most_steps: int) -> bool:
        """Take the steps that are due, at most so many. True when the venue has caught up."""
        for _ in range(most_steps):
            if self._stepped_ms + STEP_MS > to_ms:
                break
            self._stepped_ms += STEP_MS
            self._step(self._stepped_ms)
        caught_up = self._stepped_ms + STEP_MS > to_ms
        if caught_up:
            # What a client does between two steps is stamped with its own time, not the step's.
            self.venue.now_ms = max(self._stepped_ms, to_ms)
        return caught_up

    def _step(self, now_ms: int) -> None:
        venue = self.venue
        venue.now_ms = now_ms
        if now_ms % TICK_MS == 0:
            printed = venue.index.tick(now_ms)
            if printed is not None:
                venue.emit(IndexPrinted(now_ms // 1000, printed))
        self.calendar.step()
        if venue.open_orders:
            expire(venue)
        for event in self.spot.step(venue.index.level, now_ms):
            venue.emit(event)
        self._trade()
        if now_ms % TICKER_MS == 0:
            self._publish_tickers()

    def _trade(self) -> None:
        if self._crowd is None:
            return
        market = self.calendar.open_market()
        if market is not None and market.strike is not None:
            self._crowd.step(market)

    def _publish_tickers(self) -> None:
        market = self.calendar.open_market()
        if market is not None and market.quotes_changed:
            publish_ticker(self.venue, market)
