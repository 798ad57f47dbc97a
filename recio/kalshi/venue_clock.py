"""Keeps what the venue's responses say of its clock, and makes time stamps for signatures; none is ever given twice."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime

from recio.clock import Clock
from recio.rules.health.clock_offset import ClockOffset, ClockReading, Offset, estimate, learned

REMEMBERED = 10_000
"""Stamps that are not given again: minutes of them at the fastest rate that the venue allows."""


@dataclass(slots=True)
class VenueClock:
    """The offset of the venue's clock, in market time; its user is one client."""

    known: ClockOffset = field(default_factory=ClockOffset)
    offset: Offset | None = None
    """None while nothing is known."""
    _given: set[int] = field(default_factory=set[int])
    _in_order: deque[int] = field(default_factory=deque[int])

    def heard(self, clock: Clock, date: str, sent: float, received: float) -> None:
        """An answer with this Date came; `sent` and `received` are market time. An odd Date says nothing."""
        try:
            seconds = parsedate_to_datetime(date).replace(tzinfo=UTC).timestamp()
        except (ValueError, TypeError, OverflowError):
            return
        earliest, latest = _market_time(clock, seconds, received)
        self.known = learned(
            self.known, ClockReading(sent=sent, received=received, earliest=earliest, latest=latest)
        )
        self.offset = estimate(self.known, received)

    def now_ms(self, clock: Clock) -> int:
        """The venue's time now, as well as it is known."""
        return int((clock.unix() + (self.offset.proven if self.offset else 0.0)) * 1000)

    def stamp_ms(self, clock: Clock) -> int:
        """The venue's time for a signature: no two are alike, so no two signatures are.

        What was given before our clock was found to be ahead must not hold up the right time.
        """
        stamp = self.now_ms(clock)
        while stamp in self._given:
            stamp += 1
        self._given.add(stamp)
        self._in_order.append(stamp)
        if len(self._in_order) > REMEMBERED:
            self._given.discard(self._in_order.popleft())
        return stamp


def _market_time(clock: Clock, seconds: float, now: float) -> tuple[float, float]:
    """The second that a Date names, in market time.

    A simulated venue's clock may run apart from the host's, and its Date may be of either: the nearer one.
    """
    if abs(seconds - now) <= abs(_mapped(clock, seconds) - now):
        return seconds, seconds + 1.0
    return _mapped(clock, seconds), _mapped(clock, seconds + 1.0)


def _mapped(clock: Clock, host_seconds: float) -> float:
    return clock.venue_origin + (host_seconds - clock.host_origin) * clock.speed
