"""The simulated traders of a series with many strikes: busy near the index, one lone cheap offer far from it.

What they do does not grow with the number of strikes. They look at the index every 50 ms and act between those looks, each at a
millisecond of its own. Like all of them they see only the book, the index and the clock, and never place an order for a member.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from math import inf
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
    LADDER_ACTIONS_PER_SECOND,
    LADDER_BUILD_LEVELS,
    LADDER_ERROR_SD,
    LADDER_LOOKS_PER_STEP,
    LADDER_PATIENCE,
    LADDER_TAKERS_PER_SECOND,
    NEAR_DEVIATIONS,
    THROUGH,
    URGENT_GAP_MS,
    build_depth,
    ladder_half_spread,
)
from recio.exchange_sim.order_flow.makers import Makers
from recio.exchange_sim.order_flow.window_order_flow import KEPT_PER_STEP, SHOCK_PER_STEP, due_again

_FAR_PER_STEP = 4
_FAR_EVERY_STEPS = 20
_CENT = 100


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
        self._tops: dict[int, tuple[int, int]] = {}
        """Places on the grid of the best bid and ask that makers want, of the near strikes that have a book."""
        self._passed: deque[int] = deque()
        """Near strikes whose quotes the index has left behind, or that have none yet."""
        self._waiting: deque[int] = deque()
        """Strikes to be looked at as far ones: all at first, then those that the index has left."""
        self._steps = 0
        self._looked = 0
        """Whose turn among the near strikes it was."""
        self.due_ms = inf
        """When the next of them acts."""

    def step(self, event: ListedEvent) -> None:
        """A look at the index: what makers of near strikes want from now on, and now and then a visit to a far strike."""
        if event is not self._event:
            self._start_event(event)
        self.due_ms = due_again(self.due_ms, self._venue.now_ms)
        self._steps += 1
        forecast = self._forecast(event)
        self._move_near(forecast)
        for place in self._far_due():
            self._visit_far(event.markets[place], forecast)
        for _ in range(min(LADDER_LOOKS_PER_STEP, len(self._near))):
            self._looked = (self._looked + 1) % len(self._near)
            place = self._near[self._looked]
            self._follow(event.markets[place], place, self.quote(event.markets[place], forecast))
        if self._near:
            self._pick_off(event.markets[self._random.choice(self._near)], forecast)

    def act(self) -> None:
        """What somebody does at `due_ms`, and when the next one will."""
        urgent = bool(self._passed) and self._put_right(self._passed[0])
        if self._passed and not urgent:
            self._passed.popleft()
        elif not urgent and self._tops:
            self._trade_or_shuffle(self._random.choice(list(self._tops)))
        mean_ms = URGENT_GAP_MS if urgent or self._passed else 1000 / LADDER_ACTIONS_PER_SECOND
        self.due_ms += self._random.expovariate(1.0) * mean_ms

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
        self._tops = {}
        self._passed = deque()
        self.due_ms = self._venue.now_ms
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
            for place in left:
                self._tops.pop(place, None)
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

    def _follow(self, market: Market, place: int, quote: float) -> None:
        """Makers want other prices once the fair value has left the middle of theirs clearly."""
        if market.status is not Status.ACTIVE:
            self._tops.pop(place, None)
            return
        tops = self._makers.tops(market, quote, half=ladder_half_spread(quote))
        if place not in self._tops:
            self._tops[place] = tops
            self._build(market, *tops)
        elif tops != self._tops[place] and self._has_passed(market, place, quote):
            self._tops[place] = tops
            if place not in self._passed:
                self._passed.append(place)
                gap = self._random.expovariate(1.0) * URGENT_GAP_MS
                self.due_ms = min(self.due_ms, self._venue.now_ms + gap)
        else:
            return
        publish_book(self._venue, market)

    def _has_passed(self, market: Market, place: int, quote: float) -> bool:
        """Near 0 and 1, where one side has no price, everything else than what is wanted has been passed."""
        levels, (bid_top, ask_top) = market.grid.levels, self._tops[place]
        if not 0 <= bid_top < ask_top < len(levels):
            return True
        middle = (levels[bid_top] + levels[ask_top]) / 2
        return abs(quote - middle) > LADDER_PATIENCE * market.grid.step_at(quote)

    def _put_right(self, place: int) -> bool:
        """One order that the index has passed goes, or a quote comes where nobody is. False when all is well."""
        market = self._active(place)
        if market is None:
            return False
        done = self._makers.put_right(market, *self._tops[place])
        publish_book(self._venue, market)
        return done

    def _trade_or_shuffle(self, place: int) -> None:
        market = self._active(place)
        if market is None:
            return
        if self._random.random() < LADDER_TAKERS_PER_SECOND / LADDER_ACTIONS_PER_SECOND:
            drawn = self._random.random()
            through = next(beyond for share, beyond in THROUGH if drawn < share)
            self._makers.take(market, bid=self._random.random() < 0.5, through=through)
        elif not self._makers.put_right(market, *self._tops[place]):
            self._makers.shuffle(market, *self._tops[place], 1)
        publish_book(self._venue, market)

    def _active(self, place: int) -> Market | None:
        """A near strike that trades and has a book."""
        if self._event is None or place not in self._tops:
            return None
        market = self._event.markets[place]
        return market if market.status is Status.ACTIVE else None

    def _pick_off(self, market: Market, forecast: SettlementForecast) -> None:
        if market.status is Status.ACTIVE:
            quote = self.quote(market, forecast)
            self._makers.pick_off(market, quote, 2 * ladder_half_spread(quote))
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
