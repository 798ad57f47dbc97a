"""The simulated traders of a series of windows: makers round a fair price that strays, and noise takers.

They see only the book, the index and the clock of the venue and must never see whose order is whose beyond
leaving alone what they did not place.
"""

from __future__ import annotations

from math import exp, inf, sqrt
from random import Random

from recio.exchange_sim.engine.execution import publish_book
from recio.exchange_sim.engine.price_grids import Grid
from recio.exchange_sim.engine.traded_market import Status
from recio.exchange_sim.engine.venue import Venue
from recio.exchange_sim.market.lifecycle import ListedEvent
from recio.exchange_sim.market.listings import Listings
from recio.exchange_sim.market.markets import Market
from recio.exchange_sim.market.series import DEFAULT_SERIES, SeriesSpec
from recio.exchange_sim.market.settlement_average import PRINTS
from recio.exchange_sim.order_flow.fair_value import probability
from recio.exchange_sim.order_flow.figures import (
    ACTIONS_PER_CHANGE,
    MISPRICING_HALF_LIFE_SECONDS,
    MISPRICING_SD,
    PACE_HALF_LIFE_SECONDS,
    PACE_SD,
    PATIENCE,
    REACTION,
    SOON_PART,
    SOON_SHARE,
    TAKER_ORDERS_PER_SECOND,
    THROUGH,
    URGENT_GAP_MS,
    actions_per_second,
    build_depth,
)
from recio.exchange_sim.order_flow.makers import Makers

STEP_MS = 50
_BUILD_PER_STEP = 24
KEPT_PER_STEP = exp(-STEP_MS / 1000 * 0.6931471805599453 / MISPRICING_HALF_LIFE_SECONDS)
_PACE_KEPT = exp(-STEP_MS / 1000 * 0.6931471805599453 / PACE_HALF_LIFE_SECONDS)
_PACE_SHOCK = PACE_SD * sqrt(1 - _PACE_KEPT**2)
SHOCK_PER_STEP = sqrt(1 - KEPT_PER_STEP * KEPT_PER_STEP)


def due_again(due_ms: float, now_ms: int) -> float:
    """When somebody acts next: what nobody could do during a pause is not made up for at its end."""
    return now_ms if due_ms < now_ms - STEP_MS else due_ms


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
        self._tops = (-1, 0)
        """Places on the grid of the best bid and ask that makers want."""
        self._grid: Grid | None = None
        """The one that they are places on: a market may get another while it trades."""
        self._pace = 0.0
        self.quote = 0.0
        self.fair = 0.5
        self.due_ms = inf
        """When the next of them acts."""

    def step(self, event: ListedEvent) -> None:
        """Look at the index, every 50 ms: what the makers want from now on, and who takes what they left behind."""
        market = event.markets[0]
        if market.status is not Status.ACTIVE or market.strike is None:
            self.due_ms = inf
            return
        if market is not self._market:
            self._start_window(market)
        self.due_ms = due_again(self.due_ms, self._venue.now_ms)
        self._update_quote(market)
        self._pace = self._pace * _PACE_KEPT + self._random.gauss(0.0, _PACE_SHOCK)
        if market.grid is not self._grid or (self._has_passed(market) and self._random.random() < REACTION):
            self._grid = market.grid
            self._tops = self._makers.tops(market, self.quote, self._seconds_left(market))
            self.due_ms = min(self.due_ms, self._venue.now_ms + self._random.expovariate(1.0) * URGENT_GAP_MS)
        if self._to_build:
            self._build(market, *self._tops)
        self._makers.pick_off(market, self.quote, self._patience(market))
        publish_book(self._venue, market)

    def act(self) -> None:
        """What somebody does at `due_ms`, and when the next one will."""
        market = self._market
        if market is None or market.status is not Status.ACTIVE:
            self.due_ms = inf
            return
        if market.grid is not self._grid:
            self.due_ms += URGENT_GAP_MS  # nobody knows a price on the new grid before the next look
            return
        urgent = self._makers.put_right(market, *self._tops)
        rate = self._rate(market)
        if not urgent:
            if self._random.random() < TAKER_ORDERS_PER_SECOND / max(rate, 2 * TAKER_ORDERS_PER_SECOND):
                self._trade(market)
            else:
                self._makers.shuffle(market, *self._tops, 1)
        publish_book(self._venue, market)
        self.due_ms += self._random.expovariate(1.0) * (URGENT_GAP_MS if urgent else self._gap(rate))

    def _has_passed(self, market: Market) -> bool:
        """Whether the fair value has left the makers' quotes behind."""
        levels = market.grid.levels
        bid_top, ask_top = self._tops
        patience = self._patience(market)
        low = levels[bid_top] if bid_top >= 0 else -inf
        high = levels[ask_top] if ask_top < len(levels) else inf
        return not low - patience <= self.quote <= high + patience

    def _patience(self, market: Market) -> float:
        """In $0.0001: a part of the step between prices where the quote is."""
        return PATIENCE * market.grid.step_at(self.quote)

    def _rate(self, market: Market) -> float:
        """Actions a second now."""
        seconds_left = self._seconds_left(market)
        return ACTIONS_PER_CHANGE * actions_per_second(seconds_left) * exp(self._pace - PACE_SD**2 / 2)

    def _seconds_left(self, market: Market) -> float:
        return (market.close_ms - self._venue.now_ms) / 1000

    def _gap(self, rate: float) -> float:
        """Mean milliseconds to the next action: many come in answer to one, then there is a pause."""
        rest = (1 - SOON_SHARE * SOON_PART) / (1 - SOON_SHARE)
        return (SOON_PART if self._random.random() < SOON_SHARE else rest) * 1000 / rate

    def _start_window(self, market: Market) -> None:
        """A new window: a fresh mispricing and an empty book to fill."""
        self._market = market
        self._mispricing = self._random.gauss(0.0, 1.0)
        self._update_quote(market)
        self._grid = market.grid
        self._tops = self._makers.tops(market, self.quote, self._seconds_left(market))
        self.due_ms = self._venue.now_ms
        self._to_build = [(bid, index) for index in range(len(market.grid.levels)) for bid in (True, False)]
        self._random.shuffle(self._to_build)

    def _update_quote(self, market: Market) -> None:
        """Fair probability and the price the makers quote round, which strays from it for a while."""
        now = self._venue.now_ms
        index = self._listings.indices[market.spec.asset.index_id]
        seconds_left = self._seconds_left(market)
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

    def _trade(self, market: Market) -> None:
        """Somebody takes for reasons of his own."""
        lean = 0.04 * self._mispricing
        drawn = self._random.random()
        through = next(beyond for share, beyond in THROUGH if drawn < share)
        self._makers.take(market, bid=self._random.random() > 0.5 + lean, through=through)
