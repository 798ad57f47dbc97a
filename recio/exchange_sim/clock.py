"""Venue time: host time stretched by a speed, in whole milliseconds; nothing else here may read the host clock."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

ALIGNED_START_SECONDS = 3
LATEST_MS = 253_402_300_799_999
"""The last moment that can be written: the end of the year 9999."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueClock:
    """Venue time = venue_origin + (host time - host_origin) * speed, all in seconds since 1970."""

    speed: float
    host_origin: float
    venue_origin: float

    def milliseconds(self) -> int:
        return int((self.venue_origin + (time.time() - self.host_origin) * self.speed) * 1000)


def start_clock(*, speed: float, window_seconds: int, align: bool) -> VenueClock:
    """A clock that starts now, or three venue seconds into the current window when aligned."""
    host = time.time()
    venue = host
    if align:
        venue = float(int(host) // window_seconds * window_seconds + ALIGNED_START_SECONDS)
    return VenueClock(speed=speed, host_origin=host, venue_origin=venue)


@lru_cache(maxsize=4096)
def iso(milliseconds: int) -> str:
    """1781159489957 -> '2026-06-11T06:31:29.957Z': RFC 3339 with trailing zeros of the fraction trimmed."""
    seconds, fraction = divmod(milliseconds, 1000)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    if not fraction:
        return text + "Z"
    return f"{text}.{fraction:03d}".rstrip("0") + "Z"


def iso_micros(milliseconds: int, micros: int) -> str:
    """Six digits of fraction, always: '2026-07-07T22:58:17.164892Z'."""
    seconds, fraction = divmod(milliseconds, 1000)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{fraction:03d}{micros:03d}Z"
