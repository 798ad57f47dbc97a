"""The simulated traders of a series of windows: makers round a fair price that strays, and noise takers.

They see only the book, the index and the clock of the venue and must never see whose order is whose beyond
leaving alone what they did not place.
"""

from __future__ import annotations

from math import exp, sqrt
from random import Random

from recio.exchange_sim.engine.execution import publish_book
from recio.exchange_sim.engine.traded_market import Status
from recio.exchange_sim.engine.venue import Venue
from recio.exchange_sim.market.lifecycle import ListedEvent
from recio.exchange_sim.market.listings import Listings
from recio.exchange_sim.market.markets import Market
from recio.exchange_sim.market.series import DEFAULT_SERIES, SeriesSpec
from recio.exchange_sim.market.settlement_average import PRINTS
from recio.exchange_sim.order_flow.fair_value import probability
from recio.exchange_sim.order_flow.figures import (
    MISPRICING_HALF_LIFE_SECONDS,
    MISPRICING_SD,
    TAKER_ORDERS_PER_SECOND,
    actions_per_second,
    build_depth,
)
from recio.exchange_sim.order_flow.makers import Makers

STEP_MS = 50
_BUILD_PER_STEP = 24
KEPT_PER_STEP = exp(-STEP_MS / 1000 * 0.6931471805599453 / MISPRICING_HALF_LIFE_SECONDS)
SHOCK_PER_STEP = sqrt(1 - KEPT_PER_STEP * KEPT_PER_STEP)


class WindowOrderFlow:
    """All simulated traders of the window that is open."""

    def __init__(self, venue: Venue, listings: Listings, seed: int, spec: SeriesSpec) -> None:
        self._venue = venue
        self._listings = listings
        own = "" if spec.ticker == DEFAULT_SERIES.ticker else f":{spec.ticker}"
        # The text of the seed decides what the same seed means: it is kept as it always was.
        self._random = Random(f"{seed}:crowd{own}")
        self._makers = Makers(venue, self._random)
        self._market: Market | None = None
        self._mispricing = 0.0
        self._to_build: list[tuple[bool, int]] = []
        self.quote = 0.0
        self.fair = 0.5

    def step(self, event: ListedEvent) -> None:
        """One 50 ms step of everybody's behaviour in this window."""
        market = event.markets[0]
        if market.status is not Status.ACTIVE or market.strike is None:
            return
        if market is not self._market:
            self._start_window(market)
        self._update_quote(market)
        makers = self._makers
        bid_top, ask_top = makers.tops(market, self.quote)
        if self._to_build:
            self._build(market, bid_top, ask_top)
        makers.pull_stale(market, bid_top, ask_top)
        makers.top_up(market, bid_top, ask_top)
        makers.shuffle(market, bid_top, ask_top, self._actions(market))
        self._trade(market)
        publish_book(self._venue, market)

    def _start_window(self, market: Market) -> None:
        """A new window: a fresh mispricing and an empty book to fill."""
        self._market = market
        self._mispricing = self._random.gauss(0.0, 1.0)
        self._to_build = [(bid, index) for index in range(len(market.grid.levels)) for bid in (True, False)]
        self._random.shuffle(self._to_build)

    def _update_quote(self, market: Market) -> None:
        """Fair probability and the price the makers quote round, which strays from it for a while."""
        now = self._venue.now_ms
        index = self._listings.indices[market.spec.asset.index_id]
        seconds_left = (market.close_ms - now) / 1000
        self.fair = probability(
            level=index.level,
            strike=(market.strike or 0) / index.asset.scale,
            fixing=index.fixing(market.close_second, now),
            variance_per_second=index.expected_variance(seconds_left),
        )
        self._mispricing = self._mispricing * KEPT_PER_STEP + self._random.gauss(0.0, SHOCK_PER_STEP)
        room = 4 * self.fair * (1 - self.fair) * min(1.0, seconds_left / PRINTS)
        self.quote = 10_000 * (self.fair + MISPRICING_SD * room * self._mispricing)

    def _build(self, market: Market, bid_top: int, ask_top: int) -> None:
        """Fill the empty book level by level in the window's first second."""
        levels = market.grid.levels
        for _ in range(min(_BUILD_PER_STEP, len(self._to_build))):
            bid, index = self._to_build.pop()
            if index < len(levels) and ((index < bid_top) if bid else (index > ask_top)):
                top = levels[min(bid_top if bid else ask_top, len(levels) - 1)]
                size = build_depth(self._random, levels[index], abs(top - levels[index]))
                if size:
                    self._makers.add(market, bid=bid, price=levels[index], size=size)

    def _actions(self, market: Market) -> int:
        seconds_left = (market.close_ms - self._venue.now_ms) / 1000
        mean = actions_per_second(seconds_left) * STEP_MS / 1000
        return int(mean * self._random.expovariate(1.0) + self._random.random())

    def _trade(self, market: Market) -> None:
        """Noise takers, and traders who take what rests clearly beyond the makers' price."""
        if self._random.random() < TAKER_ORDERS_PER_SECOND * STEP_MS / 1000:
            lean = 0.04 * self._mispricing
            self._makers.take(market, bid=self._random.random() > 0.5 + lean)
        self._makers.pick_off(market, self.quote)
