"""How far a stream lags behind its sending, by the sender's own clock as well as it is known here; it judges nothing."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime

from recio.messages.account import PrivateStream

LAGS_KEPT = 100


@dataclass(slots=True)
class StreamLag:
    """Of the newest messages, in seconds of market time."""

    lags: deque[float] = field(default_factory=lambda: deque[float](maxlen=LAGS_KEPT))

    def heard(self, sent_at: datetime, now: datetime, clock_offset: float | None) -> PrivateStream:
        """One more message; `clock_offset` is how many seconds the sender's clock is ahead of ours, None while unknown."""
        lag = (now - sent_at).total_seconds() + (clock_offset or 0.0)
        self.lags.append(max(0.0, lag))
        return PrivateStream(
            heard_at=now,
            lag_seconds=self.lags[-1],
            worst_seconds=max(self.lags),
            messages=len(self.lags),
        )
