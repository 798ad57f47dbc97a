"""One product at one spot venue: a quote round an index, a book and a tape; it writes no message.

Prices are integers of the product's own smallest decimal, sizes integers of 0.00000001.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import ceil, exp, floor, sqrt
from random import Random

STEP_MS = 50
BASIS_SD = 5e-5
BASIS_HALF_LIFE_SECONDS = 120.0
HALF_SPREAD = 6e-6
LEVEL_GAP = 1.5e-5
"""Mean distance of two levels, as a part of the price."""
FEWEST_LEVELS = 30
MOST_LEVELS = 60
_KEPT = exp(-STEP_MS / 1000 * 0.6931471805599453 / BASIS_HALF_LIFE_SECONDS)
_SHOCK = BASIS_SD * sqrt(1 - _KEPT**2)
_VALUE_DECIMALS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """How one venue lists one product."""

    name: str
    index_id: str
    decimals: int
    trades_per_second: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SpotTrade:
    trade_id: int
    sequence: int
    price: int
    size: int
    buyer_is_maker: bool
    now_ms: int
    kind: str = "match"
    stamp: str = ""
    """A recorded trade's own time, to the microsecond."""


@dataclass(slots=True, kw_only=True)
class Step:
    """What one step brought: trades, and the levels whose size is a new one (bid, price, size)."""

    trades: list[SpotTrade] = field(default_factory=list[SpotTrade])
    changes: list[tuple[bool, int, int]] = field(default_factory=list[tuple[bool, int, int]])
    bids_before: dict[int, int] = field(default_factory=dict[int, int])
    asks_before: dict[int, int] = field(default_factory=dict[int, int])
    quote_moved: bool = False


@dataclass(slots=True)
class Day:
    """The figures of the last day, which began when the exchange did."""

    open: int
    low: int
    high: int
    volume: int = 0
    value: int = 0
    """Sum of price x size."""


class SpotMarket:
    """Follows its index with a slowly wandering basis and noise of its own."""

    def __init__(self, listing: Listing, seed: str, *, level: float, now_ms: int) -> None:
        self.listing = listing
        self._random = Random(seed)
        self._scale = 10.0 ** (listing.decimals - _VALUE_DECIMALS)
        self._basis = self._random.gauss(0.0, BASIS_SD)
        self.level = level
        self.factor = 1.0
        """What a fault makes of every price."""
        self.frozen = False
        self.recorded = False
        """Trades come from a recording instead of from here."""
        self.now_ms = now_ms
        self.trade_id = 1_100_000_000 + self._random.randrange(10_000_000)
        self.sequence = 140_000_000_000 + self._random.randrange(10_000_000)
        self.bids: dict[int, int] = {}
        self.asks: dict[int, int] = {}
        self.bid = self.ask = 0
        self._requote()
        self.day = Day(self.bid, self.bid, self.ask)
        self.last = self._trade(now_ms)

    def step(self, now_ms: int, *, with_book: bool) -> Step:
        """Move to this moment."""
        step = Step()
        self._basis = self._basis * _KEPT + self._random.gauss(0.0, _SHOCK)
        if not self.frozen and not self.recorded:
            step.quote_moved = self._requote()
        if not self.recorded:
            mean = self.listing.trades_per_second * STEP_MS / 1000
            count = int(mean * self._random.expovariate(1.0) + self._random.random())
            for part in range(count):
                at = now_ms - STEP_MS + (part + 1) * STEP_MS // (count + 1)
                step.trades.append(self._trade(at))
        if with_book and not self.frozen:
            self._move_book(step)
        self.now_ms = now_ms
        return step

    def rest_until(self, now_ms: int) -> None:
        """Nobody listens: time passes, and the next listener finds numbers that went on."""
        passed = max(0, now_ms - self.now_ms)
        self.trade_id += int(passed / 1000 * self.listing.trades_per_second)
        self.sequence += passed // 10
        self.now_ms = now_ms
        if not self.frozen and not self.recorded:
            self._requote()

    def repeat(self, trade: SpotTrade, now_ms: int) -> None:
        """A recorded trade takes place here, and from now on only such."""
        self.recorded = True
        price = round(trade.price * self.factor)
        below = trade.buyer_is_maker
        self.bid, self.ask = (price, price + 1) if below else (price - 1, price)
        self.trade_id, self.sequence = trade.trade_id, max(self.sequence, trade.sequence)
        self.now_ms = now_ms
        self.last = replace(trade, price=price)
        self._count(self.last)

    def next_sequence(self) -> int:
        self.sequence += self._random.randrange(1, 120)
        return self.sequence

    def open_book(self) -> None:
        """A fresh book round the quote, because somebody wants to see it and nobody did."""
        self.bids.clear()
        self.asks.clear()
        self._refill()

    def _requote(self) -> bool:
        """Best prices round the index. True when one of them is another."""
        middle = self.level * self._scale * (1 + self._basis) * self.factor
        half = middle * HALF_SPREAD
        bid = max(1, floor(middle - half))
        ask = max(bid + 1, ceil(middle + half))
        moved = (bid, ask) != (self.bid, self.ask)
        self.bid, self.ask = bid, ask
        return moved

    def _trade(self, at_ms: int) -> SpotTrade:
        hit = self._random.random() < 0.5
        self.trade_id += 1
        self.last = SpotTrade(
            trade_id=self.trade_id,
            sequence=self.next_sequence(),
            price=self.bid if hit else self.ask,
            size=max(1, int(exp(self._random.gauss(-5.5, 2.2)) * 1e8)),
            buyer_is_maker=hit,
            now_ms=at_ms,
        )
        self._count(self.last)
        return self.last

    def _count(self, trade: SpotTrade) -> None:
        day = self.day
        day.low, day.high = min(day.low, trade.price), max(day.high, trade.price)
        day.volume += trade.size
        day.value += trade.size * trade.price

    def _move_book(self, step: Step) -> None:
        """Levels that the quote has passed go, others come near it."""
        step.bids_before, step.asks_before = dict(self.bids), dict(self.asks)
        for price in [price for price in self.bids if price > self.bid]:
            del self.bids[price]
        for price in [price for price in self.asks if price < self.ask]:
            del self.asks[price]
        if self._random.random() < 0.5:
            self._stir()
        self._refill()
        step.changes += _differences(True, step.bids_before, self.bids)
        step.changes += _differences(False, step.asks_before, self.asks)

    def _stir(self) -> None:
        """One level near the best price changes its size, appears or goes."""
        for levels, best, sign in ((self.bids, self.bid, -1), (self.asks, self.ask, 1)):
            away = int(self._random.expovariate(1 / (6 * self._gap())))
            price = best + sign * away
            if away and price in levels and self._random.random() < 0.5:
                del levels[price]
            elif price > 0:
                levels[price] = self._size()

    def _refill(self) -> None:
        for levels, best, sign in ((self.bids, self.bid, -1), (self.asks, self.ask, 1)):
            if best not in levels:
                levels[best] = self._size()
            worst = min(levels) if sign < 0 else max(levels)
            while len(levels) < FEWEST_LEVELS and worst + sign > 0:
                worst = max(1, worst + sign * (1 + int(self._random.expovariate(1 / self._gap()))))
                levels[worst] = self._size()
            while len(levels) > MOST_LEVELS:
                del levels[min(levels) if sign < 0 else max(levels)]

    def _gap(self) -> float:
        return max(0.5, self.bid * LEVEL_GAP)

    def _size(self) -> int:
        return max(1_000, int(exp(self._random.gauss(-1.0, 1.5)) * 1e8))


def _differences(bid: bool, before: dict[int, int], after: dict[int, int]) -> list[tuple[bool, int, int]]:
    gone = [(bid, price, 0) for price in before if price not in after]
    return gone + [(bid, price, size) for price, size in after.items() if before.get(price) != size]
