"""The simulated traders of a series with many strikes: busy near the index, one lone cheap offer far from it.

What they do in a step does not grow with the number of strikes. Like all of them they see only the book, the
index and the clock.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from random import Random

from recio.exchange_sim.engine.book import BookSide
from recio.exchange_sim.engine.execution import publish_book
from recio.exchange_sim.engine.traded_market import Status
from recio.exchange_sim.engine.units import ONE_DOLLAR
from recio.exchange_sim.engine.venue import Venue
from recio.exchange_sim.market.lifecycle import ListedEvent
from recio.exchange_sim.market.listings import Listings
from recio.exchange_sim.market.markets import Market
from recio.exchange_sim.market.series import SeriesSpec
from recio.exchange_sim.order_flow.fair_value import (
    SettlementForecast,
    probability_above,
    settlement_forecast,
)
from recio.exchange_sim.order_flow.figures import (
    FAR_CONTRACTS,
    LADDER_BUILD_LEVELS,
    LADDER_ERROR_SD,
    LADDER_TAKERS_PER_SECOND,
    LADDER_VISITS_PER_STEP,
    NEAR_DEVIATIONS,
    build_depth,
)
from recio.exchange_sim.order_flow.makers import Makers
from recio.exchange_sim.order_flow.window_order_flow import KEPT_PER_STEP, SHOCK_PER_STEP, STEP_MS

_FAR_PER_STEP = 4
_FAR_EVERY_STEPS = 20
_CENT = 100
_SHUFFLES = (0, 1, 1, 2)


class LadderOrderFlow:
    """All simulated traders of the event that is open."""

    def __init__(self, venue: Venue, listings: Listings, seed: int, spec: SeriesSpec) -> None:
        self._venue = venue
        self._listings = listings
        self._random = Random(f"{seed}:crowd:{spec.ticker}")
        self._makers = Makers(venue, self._random)
        self._scale = spec.asset.scale
        self._event: ListedEvent | None = None
        self._error = 0.0
        self._edges: list[int] = []
        self._near = range(0)
        self._built: set[int] = set()
        self._waiting: deque[int] = deque()
        """Strikes to be looked at as far ones: all at first, then those that the index has left."""
        self._steps = 0

    def step(self, event: ListedEvent) -> None:
        """One 50 ms step: a few visits to near strikes, now and then one to a far strike."""
        if event is not self._event:
            self._start_event(event)
        self._steps += 1
        forecast = self._forecast(event)
        self._move_near(forecast)
        for place in self._far_due():
            self._visit_far(event.markets[place], forecast)
        for _ in range(min(LADDER_VISITS_PER_STEP, len(self._near))):
            self._visit_near(event.markets, self._random.choice(self._near), forecast)

    def quote(self, market: Market, forecast: SettlementForecast) -> float:
        """What the makers hold a contract to be worth, in $0.0001. Higher strikes are never worth more."""
        win, lose = market.edges
        above = 1.0 if win is None else probability_above(forecast, win / self._scale)
        beyond = 0.0 if lose is None else probability_above(forecast, lose / self._scale)
        return 10_000 * (above - beyond)

    def _start_event(self, event: ListedEvent) -> None:
        self._event = event
        self._error = self._random.gauss(0.0, 1.0)
        self._edges = [_place(market) for market in event.markets]
        self._near = range(0)
        self._built = set()
        order = list(range(len(event.markets)))
        self._random.shuffle(order)
        self._waiting = deque(order)

    def _forecast(self, event: ListedEvent) -> SettlementForecast:
        """What the settlement value will be, as the makers see it: all strikes share their one error."""
        now = self._venue.now_ms
        index = self._listings.indices[event.spec.asset.index_id]
        close_ms = event.open_ms + event.spec.period_seconds * 1000
        forecast = settlement_forecast(
            level=index.level,
            fixing=index.fixing(close_ms // 1000, now),
            variance_per_second=index.expected_variance((close_ms - now) / 1000),
        )
        self._error = self._error * KEPT_PER_STEP + self._random.gauss(0.0, SHOCK_PER_STEP)
        return SettlementForecast(
            forecast.expected + LADDER_ERROR_SD * self._error * forecast.spread, forecast.spread
        )

    def _move_near(self, forecast: SettlementForecast) -> None:
        """Which strikes are worth a two-sided market now; those left behind are cleared soon."""
        reach = NEAR_DEVIATIONS * forecast.spread
        low = bisect_left(self._edges, (forecast.expected - reach) * self._scale)
        high = bisect_left(self._edges, (forecast.expected + reach) * self._scale)
        near = range(max(0, low - 1), min(len(self._edges), high + 1))
        if near != self._near:
            left = [place for place in self._near if place not in near]
            self._waiting.extend(left)
            self._built.difference_update(left)
            self._near = near

    def _far_due(self) -> list[int]:
        due = [self._waiting.popleft() for _ in range(min(_FAR_PER_STEP, len(self._waiting)))]
        if not due and self._steps % _FAR_EVERY_STEPS == 0:
            due = [self._random.randrange(len(self._edges))]
        return [place for place in due if place not in self._near]

    def _visit_far(self, market: Market, forecast: SettlementForecast) -> None:
        """Nothing but a large offer at a cent, or a large bid at 99."""
        if market.status is not Status.ACTIVE:
            return
        quote = self.quote(market, forecast)
        bid = 2 * quote > ONE_DOLLAR
        kept = ONE_DOLLAR - _CENT if bid else _CENT
        for side in (True, False):
            self._withdraw(market, market.book.side(bid=side), kept if side == bid else None)
        self._makers.pick_off(market, quote)
        low, high = FAR_CONTRACTS
        missing = self._random.randrange(low, high) * 100 - market.book.side(bid=bid).totals.get(kept, 0)
        if missing > 0:
            self._makers.add(market, bid=bid, price=kept, size=missing)
        publish_book(self._venue, market)

    def _withdraw(self, market: Market, book_side: BookSide, kept: int | None) -> None:
        for price in book_side.prices[:]:
            if price != kept:
                for order in list(book_side.levels[price].values()):
                    if order.owner > 0:
                        market.book.cancel(order)

    def _visit_near(self, markets: list[Market], place: int, forecast: SettlementForecast) -> None:
        market = markets[place]
        if market.status is not Status.ACTIVE:
            return
        quote = self.quote(market, forecast)
        bid_top, ask_top = self._makers.tops(market, quote)
        self._makers.pull_stale(market, bid_top, ask_top)
        if place not in self._built:
            self._built.add(place)
            self._build(market, bid_top, ask_top)
        self._makers.top_up(market, bid_top, ask_top)
        self._makers.shuffle(market, bid_top, ask_top, self._random.choice(_SHUFFLES))
        visits_per_second = LADDER_VISITS_PER_STEP * 1000 / STEP_MS
        if self._random.random() < LADDER_TAKERS_PER_SECOND / visits_per_second:
            self._makers.take(market, bid=self._random.random() < 0.5)
        self._makers.pick_off(market, quote)
        publish_book(self._venue, market)

    def _build(self, market: Market, bid_top: int, ask_top: int) -> None:
        """A few levels behind each best price."""
        levels = market.grid.levels
        for bid, top in ((True, bid_top), (False, ask_top)):
            if not 0 <= top < len(levels):
                continue
            book_side = market.book.side(bid=bid)
            for away in range(LADDER_BUILD_LEVELS):
                place = top - away if bid else top + away
                if 0 <= place < len(levels) and not book_side.totals.get(levels[place]):
                    size = build_depth(self._random, levels[place], 100 * away)
                    if size:
                        self._makers.add(market, bid=bid, price=levels[place], size=size)


def _place(market: Market) -> int:
    """Where the market is among the strikes of its event."""
    win, lose = market.edges
    return win if win is not None else lose or 0
