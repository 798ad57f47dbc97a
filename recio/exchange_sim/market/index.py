"""A simulated settlement index: a seeded path with stochastic volatility, printed once a second; it knows no market."""

from __future__ import annotations

from math import exp, expm1, sqrt
from random import Random

from recio.exchange_sim.market.series import BITCOIN, Asset
from recio.exchange_sim.market.settlement_average import PRINTS, Fixing

YEAR_SECONDS = 365 * 86_400
TICK_MS = 100
_TICK_ROOT = sqrt(TICK_MS / 1000)
LOG_VOLATILITY_SD = 0.30
LOG_VOLATILITY_DECAY = 1 / 1_300
"""Per second: a burst of volatility halves in about fifteen minutes."""
BURST_SD = 0.9
BURST_HALF_LIFE_SECONDS = 2.0
"""Moves come in bursts of seconds: the logarithm of their size wanders, its mean square does not."""
_BURST_KEPT = exp(-TICK_MS / 1000 * 0.6931471805599453 / BURST_HALF_LIFE_SECONDS)
_BURST_SHOCK = BURST_SD * sqrt(1 - _BURST_KEPT**2)

_KEPT_PRINTS = 14_400


class IndexPath:
    """Moves every 100 ms of venue time and prints on every whole second.

    Prints are integers of 10**-digits dollars: cents for Bitcoin. Every asset draws from a generator of its
    own, so that its path does not depend on which others run.
    """

    def __init__(self, seed: int, *, start_second: int, history_seconds: int, asset: Asset = BITCOIN) -> None:
        self.asset = asset
        self._random = Random(f"{seed}:index" if asset is BITCOIN else f"{seed}:index:{asset.symbol}")
        self._bursts = Random(f"{seed}:bursts:{asset.symbol}")
        self._burst = self._bursts.gauss(0.0, BURST_SD)
        self.level = asset.level
        self.base_sigma = asset.yearly_volatility / sqrt(YEAR_SECONDS)
        """Standard deviation of one second's return in calm times."""
        self._log_volatility = self._random.gauss(0.0, LOG_VOLATILITY_SD)
        self._tick_sigma = self.sigma * _TICK_ROOT
        self._first_second = start_second - history_seconds
        self._prints: list[int] = []
        for second in range(self._first_second, start_second + 1):
            for tick in range(10):
                self.tick(second * 1000 - 900 + tick * TICK_MS)

    @property
    def last_second(self) -> int:
        return self._first_second + len(self._prints) - 1

    @property
    def sigma(self) -> float:
        """Standard deviation of one second's return right now."""
        return self.base_sigma * exp(self._log_volatility - LOG_VOLATILITY_SD**2)

    def tick(self, milliseconds: int) -> int | None:
        """Move by 100 ms; on a whole second print and return the print."""
        self._burst = self._burst * _BURST_KEPT + self._bursts.gauss(0.0, _BURST_SHOCK)
        self.level *= exp(self._random.gauss(0.0, self._tick_sigma * exp(self._burst - BURST_SD**2)))
        if milliseconds % 1000:
            return None
        self._move_volatility()
        value = round(self.level * self.asset.scale)
        self._prints.append(value)
        self._forget()
        return value

    def print_at(self, second: int) -> int:
        return self._prints[second - self._first_second]

    def prints(self, first: int, last: int) -> list[tuple[int, int]]:
        """The prints of these seconds, as far as they are known, each with its second."""
        first, last = max(first, self._first_second), min(last, self.last_second)
        return [(second, self.print_at(second)) for second in range(first, last + 1)]

    def mean_before(self, second: int) -> int:
        """The settlement value at `second`: mean of the sixty prints before it, half-up to a whole unit."""
        first = second - PRINTS - self._first_second
        total = sum(self._prints[first : first + PRINTS])
        return (2 * total + PRINTS) // (2 * PRINTS)

    @property
    def value_e8(self) -> int:
        """Where the index stands now, in $0.00000001."""
        return round(self.exact_e8)

    @property
    def exact_e8(self) -> float:
        """The same to the last part: of the cheapest coins a whole $0.00000001 is a large step."""
        return self.level * 10**8

    def fixing(self, close_second: int, milliseconds: int) -> Fixing:
        """What of the settlement average of `close_second` has been printed by now."""
        first = close_second - PRINTS
        printed = max(0, min(self.last_second + 1, close_second) - first)
        begin = first - self._first_second
        done = sum(self._prints[begin : begin + printed]) if printed else 0
        following = max(self.last_second + 1, first)
        return Fixing(
            printed_sum=done / self.asset.scale,
            remaining=PRINTS - printed,
            wait_seconds=max(0.0, following - milliseconds / 1000),
        )

    def expected_variance(self, seconds: float) -> float:
        """Mean variance per second over the coming span: the present one, fading into the long-run one."""
        long_run = self.base_sigma**2
        reach = 2 * LOG_VOLATILITY_DECAY * max(seconds, 1.0)
        return long_run + (self.sigma**2 - long_run) * (-expm1(-reach) / reach)

    def _move_volatility(self) -> None:
        kept = exp(-LOG_VOLATILITY_DECAY)
        shock = LOG_VOLATILITY_SD * sqrt(1 - kept * kept)
        self._log_volatility = self._log_volatility * kept + self._random.gauss(0.0, shock)
        self._tick_sigma = self.sigma * _TICK_ROOT

    def _forget(self) -> None:
        if len(self._prints) > 2 * _KEPT_PRINTS:
            del self._prints[:_KEPT_PRINTS]
            self._first_second += _KEPT_PRINTS
