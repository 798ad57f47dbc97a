"""The simulated Coinbase tape: trades round the index with a small basis; it knows no market and no socket."""

from __future__ import annotations

from collections.abc import Iterator
from math import exp, sqrt
from random import Random

from recio.exchange_sim.events import SpotHeartbeat, SpotTraded

TRADES_PER_SECOND = 7.0
BASIS_SD = 4.0
BASIS_HALF_LIFE_SECONDS = 120.0
HALF_SPREAD = 0.5
FIRST_TRADE_ID = 1_100_000_000
FIRST_SEQUENCE = 140_000_000_000


class SpotTape:
    """Trades and heartbeats of one product, in order."""

    def __init__(self, seed: int, *, level: float, now_ms: int, step_ms: int) -> None:
        self._random = Random(f"{seed}:spot")
        self._step_ms = step_ms
        self._kept = exp(-step_ms / 1000 * 0.6931471805599453 / BASIS_HALF_LIFE_SECONDS)
        self._shock = BASIS_SD * sqrt(1 - self._kept**2)
        self._basis = self._random.gauss(0.0, BASIS_SD)
        self._trade_id = FIRST_TRADE_ID
        self._sequence = FIRST_SEQUENCE
        self.last = self._trade(level, now_ms)

    def step(self, level: float, now_ms: int) -> Iterator[SpotTraded | SpotHeartbeat]:
        """What one step of venue time brings."""
        self._basis = self._basis * self._kept + self._random.gauss(0.0, self._shock)
        mean = TRADES_PER_SECOND * self._step_ms / 1000
        count = int(mean * self._random.expovariate(1.0) + self._random.random())
        for part in range(count):
            self.last = self._trade(level, now_ms - self._step_ms + (part + 1) * self._step_ms // (count + 1))
            yield self.last
        if now_ms % 1000 == 0:
            self._sequence += self._random.randrange(1, 300)
            yield SpotHeartbeat(self._trade_id, self._sequence, now_ms)

    def _trade(self, level: float, at_ms: int) -> SpotTraded:
        buyer_is_maker = self._random.random() < 0.5
        side = -HALF_SPREAD if buyer_is_maker else HALF_SPREAD
        price = level + self._basis + side + self._random.gauss(0.0, 0.6)
        self._trade_id += 1
        self._sequence += self._random.randrange(1, 120)
        size = max(1, int(exp(self._random.gauss(-5.5, 2.2)) * 1e8))
        return SpotTraded(self._trade_id, self._sequence, round(price * 100), size, buyer_is_maker, at_ms)
