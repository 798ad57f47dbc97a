"""How far the venue's clock is ahead of ours, from the times its answers carry; it never trusts one odd answer.

An answer's Date has whole seconds only, but the true offset lies in every answer's interval, so their
intersection is far narrower than a second. What was learnt widens with age, so a clock that drifts
is followed, and two answers that contradict it and agree with each other replace it: a clock that was set.
"""

from __future__ import annotations

from dataclasses import dataclass

DRIFT = 5e-4
"""Seconds per second: the fastest that a clock is slewed by those who correct it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockReading:
    """Between `sent` and `received` of our clock, the venue's stood in [`earliest`, `latest`]; Unix seconds."""

    sent: float
    received: float
    earliest: float
    latest: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The offset is not below `low` and not above `high`, as was known at `at` of our clock."""

    low: float
    high: float
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockOffset:
    """What the answers so far say; begins empty."""

    trusted: Bounds | None = None
    rival: Bounds | None = None
    """An answer that cannot be true together with the ones before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offset:
    """Seconds by which the venue's clock is ahead of ours, give or take `uncertainty`."""

    nearest: float
    uncertainty: float

    @property
    def proven(self) -> float:
        """The part of it that is certain: 0 while the clocks may agree."""
        return max(0.0, self.nearest - self.uncertainty) + min(0.0, self.nearest + self.uncertainty)


def learned(known: ClockOffset, reading: ClockReading) -> ClockOffset:
    """The same with one more answer. One that took less than no time says nothing: our clock was set."""
    if reading.received < reading.sent or reading.latest < reading.earliest:
        return known
    fresh = Bounds(
        low=reading.earliest - reading.received, high=reading.latest - reading.sent, at=reading.received
    )
    if known.trusted is None:
        return ClockOffset(trusted=fresh)
    if (both := _meet(known.trusted, fresh)) is not None:
        return ClockOffset(trusted=both)
    if known.rival is not None and (agreed := _meet(known.rival, fresh)) is not None:
        return ClockOffset(trusted=agreed)
    return ClockOffset(trusted=known.trusted, rival=fresh)


def estimate(known: ClockOffset, now: float) -> Offset | None:
    """What is known at `now` of our clock; None while nothing is."""
    if known.trusted is None:
        return None
    bounds = _aged(known.trusted, now)
    return Offset(nearest=(bounds.low + bounds.high) / 2, uncertainty=(bounds.high - bounds.low) / 2)


def _aged(bounds: Bounds, now: float) -> Bounds:
    slack = max(0.0, now - bounds.at) * DRIFT
    return Bounds(low=bounds.low - slack, high=bounds.high + slack, at=now)


def _meet(old: Bounds, fresh: Bounds) -> Bounds | None:
    aged = _aged(old, fresh.at)
    low, high = max(aged.low, fresh.low), min(aged.high, fresh.high)
    return Bounds(low=low, high=high, at=fresh.at) if low <= high else None
