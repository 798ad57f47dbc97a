"""Simulated other traders: makers round a fair price and noise takers, driven by venue steps and a seeded generator.

They see only the book, the index and the clock of the venue and must never see whose order is whose beyond
leaving alone what they did not place.
"""

from __future__ import annotations

from bisect import bisect
from math import exp, sqrt
from random import Random

from recio.exchange_sim.market.crowd_figures import (
    ASK_OR_BID_GAP,
    DISTANCE_CUMULATIVE,
    MAKERS,
    MISPRICING_HALF_LIFE_SECONDS,
    MISPRICING_SD,
    TAKER_ORDERS_PER_SECOND,
    TAKERS,
    actions_per_second,
    build_depth,
    half_spread,
    order_sizes,
    target_depth,
    trade_sizes,
)
from recio.exchange_sim.market.fair import PRINTS, probability
from recio.exchange_sim.market.markets import Market
from recio.exchange_sim.matching.book import Ladder
from recio.exchange_sim.matching.execution import publish_book, rest, take
from recio.exchange_sim.matching.grid import LEVELS, index_at_or_above, index_at_or_below
from recio.exchange_sim.venue import ACCOUNT_OWNER, Venue

STEP_MS = 50
_BUILD_PER_STEP = 24
_STALE_PER_STEP = 8
_KEPT = exp(-STEP_MS / 1000 * 0.6931471805599453 / MISPRICING_HALF_LIFE_SECONDS)
_SHOCK = sqrt(1 - _KEPT * _KEPT)


class Crowd:
    """All simulated traders of the market that is open."""

    def __init__(self, venue: Venue, seed: int) -> None:
        self._venue = venue
        self._random = Random(f"{seed}:crowd")
        self._sizes = order_sizes(self._random)
        self._trade_sizes = trade_sizes(self._random)
        self._market: Market | None = None
        self._mispricing = 0.0
        self._to_build: list[tuple[bool, int]] = []
        self.quote = 0.0
        self.fair = 0.5

    def step(self, market: Market) -> None:
        """One 50 ms step of everybody's behaviour in this market."""
        if market is not self._market:
            self._enter(market)
        self._think(market)
        bid_top, ask_top = self._tops()
        if self._to_build:
            self._build(market, bid_top, ask_top)
        self._pull_stale(market, bid_top, ask_top)
        self._top_up(market, bid_top, ask_top)
        self._shuffle(market, bid_top, ask_top)
        self._trade(market)
        publish_book(self._venue, market)

    def _enter(self, market: Market) -> None:
        """A new window: a fresh mispricing and an empty book to fill."""
        self._market = market
        self._mispricing = self._random.gauss(0.0, 1.0)
        self._to_build = [(bid, index) for index in range(len(LEVELS)) for bid in (True, False)]
        self._random.shuffle(self._to_build)

    def _think(self, market: Market) -> None:
        """Fair probability and the price the makers quote round, which strays from it for a while."""
        now = self._venue.now_ms
        index = self._venue.index
        seconds_left = (market.close_ms - now) / 1000
        self.fair = probability(
            level=index.level,
            strike=(market.strike or 0) / 100,
            fixing=index.fixing(market.close_second, now),
            variance_per_second=index.expected_variance(seconds_left),
        )
        self._mispricing = self._mispricing * _KEPT + self._random.gauss(0.0, _SHOCK)
        room = 4 * self.fair * (1 - self.fair) * min(1.0, seconds_left / PRINTS)
        self.quote = 10_000 * (self.fair + MISPRICING_SD * room * self._mispricing)

    def _tops(self) -> tuple[int, int]:
        """Level index of the best bid and the best ask that makers want; -1 or len(LEVELS) when none."""
        half = half_spread(self.quote)
        low, high = self.quote - half, self.quote + half
        bid_top = index_at_or_below(low) if low >= LEVELS[0] else -1
        ask_top = index_at_or_above(high) if high <= LEVELS[-1] else len(LEVELS)
        return bid_top, ask_top

    def _build(self, market: Market, bid_top: int, ask_top: int) -> None:
        """Fill the empty book level by level in the window's first second."""
        for _ in range(min(_BUILD_PER_STEP, len(self._to_build))):
            bid, index = self._to_build.pop()
            if (index < bid_top) if bid else (index > ask_top):
                top = LEVELS[bid_top if bid else ask_top]
                size = build_depth(self._random, LEVELS[index], abs(top - LEVELS[index]))
                if size:
                    self._add(market, bid=bid, price=LEVELS[index], size=size)

    def _pull_stale(self, market: Market, bid_top: int, ask_top: int) -> None:
        """Makers whose price the fair value has passed withdraw, most of them within a tenth of a second."""
        for bid, top in ((True, bid_top), (False, ask_top)):
            ladder = market.book.side(bid=bid)
            for _ in range(_STALE_PER_STEP):
                price = self._worst_stale(ladder, bid=bid, top=top)
                if price is None or self._random.random() < 0.4:
                    break
                if not self._cancel_newest(market, ladder, price):
                    break

    def _worst_stale(self, ladder: Ladder, *, bid: bool, top: int) -> int | None:
        if not ladder.prices:
            return None
        best = ladder.prices[-1] if bid else ladder.prices[0]
        if bid:
            return best if top < 0 or best > LEVELS[top] else None
        return best if top >= len(LEVELS) or best < LEVELS[top] else None

    def _top_up(self, market: Market, bid_top: int, ask_top: int) -> None:
        """Somebody soon quotes at the best level that makers want."""
        for bid, top in ((True, bid_top), (False, ask_top)):
            if 0 <= top < len(LEVELS):
                ladder = market.book.side(bid=bid)
                missing = ladder.totals.get(LEVELS[top], 0) == 0
                if missing and self._random.random() < 0.5:
                    self._add(market, bid=bid, price=LEVELS[top], size=self._size())

    def _shuffle(self, market: Market, bid_top: int, ask_top: int) -> None:
        """The makers' constant adding and cancelling, most of it near the best prices."""
        seconds_left = (market.close_ms - self._venue.now_ms) / 1000
        mean = actions_per_second(seconds_left) * STEP_MS / 1000
        count = int(mean * self._random.expovariate(1.0) + self._random.random())
        for _ in range(count):
            bid = self._random.random() < 0.5
            top = bid_top if bid else ask_top
            if 0 <= top < len(LEVELS):
                self._shuffle_level(market, bid=bid, top=top)

    def _shuffle_level(self, market: Market, *, bid: bool, top: int) -> None:
        index, distance = self._pick_level(bid=bid, top=top)
        if not 0 <= index < len(LEVELS):
            return
        price = LEVELS[index]
        ladder = market.book.side(bid=bid)
        wanted = target_depth(price, distance) * 2 * self._random.random()
        if ladder.totals.get(price, 0) < wanted:
            self._add(market, bid=bid, price=price, size=self._size())
        else:
            self._cancel_newest(market, ladder, price)

    def _pick_level(self, *, bid: bool, top: int) -> tuple[int, int]:
        """A level by its distance from the best: whole cents in the middle, finer steps near 0 and 1."""
        cents = bisect(DISTANCE_CUMULATIVE, self._random.random())
        best = LEVELS[top]
        fine = not 1_000 < best < 9_000
        step = ASK_OR_BID_GAP if fine and self._random.random() < 0.7 else 100
        away = cents * step
        wanted = best - away if bid else best + away
        if not LEVELS[0] <= wanted <= LEVELS[-1]:
            return -1, away
        return (index_at_or_below(wanted) if bid else index_at_or_above(wanted)), away

    def _trade(self, market: Market) -> None:
        """Noise takers, and traders who take what stands clearly beyond the makers' price."""
        if self._random.random() < TAKER_ORDERS_PER_SECOND * STEP_MS / 1000:
            lean = 0.04 * self._mispricing
            self._take(market, bid=self._random.random() > 0.5 + lean, through=0)
        best_bid, best_ask = market.book.best_bid(), market.book.best_ask()
        gap = 3 * half_spread(self.quote)
        if best_ask is not None and best_ask < self.quote - gap and self._random.random() < 0.15:
            self._take(market, bid=True, through=0)
        if best_bid is not None and best_bid > self.quote + gap and self._random.random() < 0.15:
            self._take(market, bid=False, through=0)

    def _take(self, market: Market, *, bid: bool, through: int) -> None:
        best = market.book.best_ask() if bid else market.book.best_bid()
        if best is None:
            return
        size = self._trade_sizes[self._random.randrange(len(self._trade_sizes))]
        owner = MAKERS + 1 + self._random.randrange(TAKERS)
        limit = best + through if bid else best - through
        publish_book(self._venue, market)
        take(self._venue, market, owner=owner, bid=bid, limit=limit, quantity=size, stop_at_own=False)

    def _add(self, market: Market, *, bid: bool, price: int, size: int) -> None:
        """A maker's order, never one that would cross."""
        if market.book.crosses(bid=bid, price=price):
            return
        owner = 1 + self._random.randrange(MAKERS)
        rest(self._venue, market, owner=owner, bid=bid, price=price, quantity=size)

    def _cancel_newest(self, market: Market, ladder: Ladder, price: int) -> bool:
        """Cancel the traders' youngest order of a level; the account's orders are not theirs to cancel."""
        for order in reversed(ladder.levels.get(price, {}).values()):
            if order.owner != ACCOUNT_OWNER:
                market.book.cancel(order)
                return True
        return False

    def _size(self) -> int:
        return self._sizes[self._random.randrange(len(self._sizes))]
