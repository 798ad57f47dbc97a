"""One token bucket as the venue keeps it for us, and the pause after a 429; it never admits more than the bucket holds."""

from __future__ import annotations

from dataclasses import dataclass, field

FIRST_BACKOFF = 0.25
LONGEST_BACKOFF = 8.0
NEVER = 1e18
"""Longer than any wait: of a bucket that is not refilled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketLimit:
    """How fast a bucket fills and how much it holds."""

    refill: int
    """Tokens a second."""
    capacity: int


@dataclass(slots=True)
class Backoff:
    """The pause of one kind of request after refusals, by the clock of the event loop."""

    closed_until: float = 0.0
    refused_at: float = -1.0
    in_a_row: int = 0

    def left(self, now: float) -> float:
        """Seconds until it may be asked again."""
        return max(self.closed_until - now, 0.0)

    def refuse(self, now: float, sent_at: float, jitter: float) -> None:
        """A 429. Of many that were on their way together only the first makes the pause longer."""
        if sent_at < self.refused_at:
            return
        self.refused_at, self.in_a_row = now, self.in_a_row + 1
        pause = min(LONGEST_BACKOFF, FIRST_BACKOFF * 2 ** min(self.in_a_row - 1, 10))
        self.closed_until = now + pause * (0.5 + jitter / 2)

    def served(self, sent_at: float) -> None:
        """An answer other than 429: the next refusal begins with the shortest pause again."""
        if sent_at >= self.refused_at:
            self.in_a_row = 0


@dataclass(slots=True)
class TokenBucket:
    """One bucket: its tokens at a time of the event loop, and the pause of all that is billed to it."""

    limit: BucketLimit
    level: float
    at: float = 0.0
    backoff: Backoff = field(default_factory=Backoff)

    def top_up(self, now: float) -> None:
        """Add the tokens of the time since the last look."""
        self.level = min(self.limit.capacity, self.level + max(0.0, now - self.at) * self.limit.refill)
        self.at = now

    def wait(self, now: float, tokens: int) -> float:
        """Seconds until so many tokens are there."""
        self.top_up(now)
        missing = max(0.0, tokens - self.level)
        refilled = missing / self.limit.refill if self.limit.refill else (NEVER if missing else 0.0)
        return max(refilled, self.backoff.left(now))

    def refuse(self, now: float, sent_at: float, jitter: float) -> None:
        """A 429 on what all of its requests share: it is empty, whatever we thought."""
        self.level, self.at = 0.0, now
        self.backoff.refuse(now, sent_at, jitter)

    def relearn(self, limit: BucketLimit) -> None:
        """What the venue really allows; what has been spent stays spent."""
        self.level = max(0.0, self.level + limit.capacity - self.limit.capacity)
        self.limit = limit


def full(limit: BucketLimit) -> TokenBucket:
    return TokenBucket(limit, limit.capacity)
