"""In how many days the disk is full, by how its free space shrank lately; it measures nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from recio.messages.alerts import Alarm, Severity

EVERY = timedelta(minutes=10)
KEPT = timedelta(hours=48)
LEAST = timedelta(hours=6)
"""What fills in less time than this is no trend: a backup comes and goes."""
GIGABYTE = 1_000_000_000
Samples = tuple[tuple[datetime, int], ...]
"""(when, bytes free), ascending."""


def remember(before: Samples, now: datetime, free: int | None) -> Samples:
    if free is None or (before and now - before[-1][0] < EVERY):
        return before
    return (*(each for each in before if now - each[0] <= KEPT), (now, free))


def days_left(samples: Samples) -> float | None:
    """None while no trend is known, or where nothing shrinks."""
    if not samples or samples[-1][0] - samples[0][0] < LEAST:
        return None
    (since, first), (until, last) = samples[0], samples[-1]
    shrunk = first - last
    days = (until - since).total_seconds() / 86_400
    return last / (shrunk / days) if shrunk > 0 else None


def alarms(samples: Samples, least_days: int) -> Iterator[Alarm]:
    left = days_left(samples)
    if left is not None and left < least_days:
        yield Alarm(
            cause="disk",
            severity=Severity.WARNING,
            sentence=f"the disk is full in {left:.1f} days as it fills now: {samples[-1][1] / GIGABYTE:.1f} GB are left",
            resolution="Free space, or lower recorder.keep_megabytes: PostgreSQL stops on a full disk, and trading with it",
        )
