"""The time that the daemon lives by: aware UTC and monotonic seconds, at real or scaled speed.

Market time (`utc`, `seconds`) may run faster than real time in the demo; machinery (time-outs,
back-off) is measured by the event loop's own clock and never by this one.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """Market time = `venue_origin` + (host time - `host_origin`) x `speed`; both origins in Unix seconds."""

    speed: float = 1.0
    host_origin: float = 0.0
    venue_origin: float = 0.0

    def unix(self) -> float:
        """Market time in Unix seconds."""
        return self.venue_origin + (time.time() - self.host_origin) * self.speed

    def utc(self) -> datetime:
        """Market time as an aware UTC datetime."""
        return datetime.fromtimestamp(self.unix(), UTC)
