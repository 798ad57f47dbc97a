"""How wild a coming stretch of time usually is, against one that passed, by New York's clock; it knows nothing of prices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache

from recio.rules.price.volatility import HORIZONS
from recio.rules.pricing.average_fit import TimeOfDay
from recio.times import NEW_YORK

HALF_HOUR = 1_800
SATURDAY = 5
LONGEST = 7 * 86_400.0
"""Seconds: beyond a week all hours have their part."""


def factor(usual: TimeOfDay, unix: float) -> float:
    """Variance of the half hour that holds this instant, against the average."""
    weekend, place = _local(math.floor(unix / HALF_HOUR))
    return (usual.weekend if weekend else usual.weekday)[place]


@lru_cache(maxsize=1_024)
def _local(half_hour: int) -> tuple[bool, int]:
    """(weekend, half hour of the day) in New York. Its clock is moved on the hour, so all of a half hour is in one row."""
    local = datetime.fromtimestamp(half_hour * HALF_HOUR, UTC).astimezone(NEW_YORK)
    return local.weekday() >= SATURDAY, 2 * local.hour + local.minute // 30


def mean_factor(usual: TimeOfDay, since: float, until: float) -> float:
    """The average from one instant to another; that of the instant where both are one."""
    until = min(until, since + LONGEST)
    if until <= since:
        return factor(usual, since)
    length = until - since
    if until <= (math.floor(since / HALF_HOUR) + 1) * HALF_HOUR:
        return length * factor(usual, since) / length  # nearly always, and the same to the last bit
    parts, at = list[float](), since
    while at < until:
        end = min(until, (math.floor(at / HALF_HOUR) + 1) * HALF_HOUR)
        parts.append((end - at) * factor(usual, at))
        at = end
    return math.fsum(parts) / length


def growth(
    usual: TimeOfDay | None, now: float, until: float, unmeasured: Sequence[tuple[int, int]] = ()
) -> float:
    """By what factor volatility measured over the past horizons changes for the time from now to then.

    `unmeasured` are stretches of the past, ascending, that the measured figure knows nothing of.
    """
    if usual is None:
        return 1.0
    if not unmeasured:
        past = math.fsum(part * mean_factor(usual, now - seconds, now) for seconds, part in HORIZONS if part)
        return math.sqrt(mean_factor(usual, now, until) / past)
    known = [
        (part, mean)
        for seconds, part in HORIZONS
        if part and (mean := _measured_factor(usual, now - seconds, now, unmeasured)) is not None
    ]
    whole = sum(part for part, _ in known)
    past = sum(part * mean for part, mean in known) / whole if whole else factor(usual, now)
    return math.sqrt(mean_factor(usual, now, until) / past)


def _measured_factor(
    usual: TimeOfDay, since: float, until: float, unmeasured: Sequence[tuple[int, int]]
) -> float | None:
    """The average over what was measured; None where nothing was."""
    parts, length, at = list[float](), 0.0, since
    for first, end in (*unmeasured, (until, until)):
        stop = min(max(first, at), until)
        if stop > at:
            parts.append((stop - at) * mean_factor(usual, at, stop))
            length += stop - at
        at = max(at, min(end, until))
    return math.fsum(parts) / length if length else None
