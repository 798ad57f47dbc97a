"""How far account reads lag behind the venue, by the setting or by a fault; the moment they show never goes back."""

from __future__ import annotations

from recio.exchange_sim.clock import VenueClock
from recio.exchange_sim.engine.versions import PRESENT, Horizon


class ReadLag:
    """Moves the horizon along with the clock.

    A lag that begins freezes what was shown last until it is old enough, as a copy of the books that falls
    behind would, and one that ends jumps to the present. So what once was shown as of some moment stays true.
    """

    def __init__(
        self, horizon: Horizon, clock: VenueClock, *, configured_seconds: float, now_ms: int
    ) -> None:
        self._horizon = horizon
        self._clock = clock
        self._configured_seconds = configured_seconds
        self._shown_ms = now_ms
        self._single_ms = now_ms
        if configured_seconds:
            horizon.as_of_ms = now_ms

    @property
    def frozen_ms(self) -> int:
        """The latest moment that a read which lags shows; -1 while none does."""
        shown = (self._horizon.as_of_ms, self._horizon.single_ms)
        return max((moment for moment in shown if moment != PRESENT), default=-1)

    def update(self, now_ms: int, fault_seconds: float) -> None:
        """Follow the clock. `fault_seconds` are host seconds of lag that a fault asks for, 0 for none."""
        lag = max(self._configured_seconds, fault_seconds)
        if not lag:
            self._shown_ms = now_ms
            self._horizon.as_of_ms = PRESENT
            return
        self._shown_ms = max(self._shown_ms, now_ms - self._behind(lag))
        self._horizon.as_of_ms = self._shown_ms

    def update_single(self, now_ms: int, fault_seconds: float) -> None:
        """The same of reads of single orders, which a fault can make later than the lists."""
        if not fault_seconds:
            self._single_ms = now_ms
            self._horizon.single_ms = PRESENT
            return
        self._single_ms = max(self._single_ms, now_ms - self._behind(fault_seconds))
        self._horizon.single_ms = self._single_ms

    def _behind(self, seconds: float) -> int:
        return round(seconds * self._clock.speed * 1000)
