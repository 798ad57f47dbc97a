"""Token buckets of one account by tier, and what each endpoint costs; it reads no request and no clock.

The buckets fill in host time, not in the venue's: a client paces itself by the clock of the machine it runs
on, and on a venue clock that runs twenty times as fast the limit would be twenty times as generous, which is
none at all; on a slow one it would starve a client that keeps to the published rates.
"""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

DEFAULT_COST = 10
AUTO = "auto"
SHARDS = (1, 2, 3)
"""Shards with a write bucket of their own; shard 0 is billed to the unscoped one."""

COSTS: dict[tuple[str, str], int] = {
    ("DELETE", "/portfolio/events/orders/{order_id}"): 2,
    ("DELETE", "/portfolio/events/orders"): 2,
    ("DELETE", "/portfolio/events/orders/batched"): 2,
    ("GET", "/portfolio/orders/{order_id}"): 2,
    ("GET", "/cfbenchmarks/values"): 50,
    ("GET", "/cfbenchmarks/history/values"): 50,
}
"""What does not cost the default. Batches cost this, or the default, for every item."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    rate: int
    capacity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    name: str
    read: Limit
    write: Limit
    balance: Limit
    """Of reads of the balance, in requests: they have a bucket of their own that holds one second of refill."""


_PUBLISHED = {
    "basic": (200, 100),
    "advanced": (300, 300),
    "expert": (600, 600),
    "premier": (1_200, 1_200),
    "paragon": (2_400, 2_400),
    "prime": (4_800, 4_800),
    "prestige": (12_000, 9_600),
}
_READ_BURSTS, _WRITE_BURSTS = {"basic": 3, "advanced": 3}, {"basic": 1}
"""Seconds of refill that a bucket holds by tier; those of reads above hold 1, those of writes 3."""
_SLOW_BALANCE = ("basic", "advanced")
UNLIMITED = Tier(
    name="prestige",
    read=Limit(rate=1_000_000, capacity=1_000_000),
    write=Limit(rate=1_000_000, capacity=1_000_000),
    balance=Limit(rate=1_000_000, capacity=1_000_000),
)
"""What an exchange tells that enforces nothing; so much it would take without asking."""


def tier_of(name: str | None, *, speed: float, burst_seconds: float | None = None) -> Tier | None:
    """The tier to enforce; None for no limits. `auto` is basic while the venue's clock runs at host speed.

    Without a burst of its own a bucket holds what the venue says that it does.
    """
    if name == AUTO:
        name = "basic" if speed == 1.0 else None
    if name is None:
        return None
    if name not in _PUBLISHED:
        raise ValueError(f"no rate limit tier {name!r}; there are {', '.join(_PUBLISHED)}")
    read, write = _PUBLISHED[name]
    held = _READ_BURSTS.get(name, 1) if burst_seconds is None else burst_seconds
    written = _WRITE_BURSTS.get(name, 3) if burst_seconds is None else burst_seconds
    balance = 1 if name in _SLOW_BALANCE else 5
    return Tier(
        name=name,
        read=Limit(rate=read, capacity=max(round(read * held), DEFAULT_COST)),
        write=Limit(rate=write, capacity=max(round(write * written), DEFAULT_COST)),
        balance=Limit(rate=balance, capacity=balance),
    )


@dataclass(slots=True)
class Bucket:
    """Tokens that come back steadily, up to the capacity."""

    limit: Limit
    level: float
    filled_at: float

    def holds(self, tokens: int, now: float) -> bool:
        passed = max(now - self.filled_at, 0.0)
        self.level = min(self.level + passed * self.limit.rate, float(self.limit.capacity))
        self.filled_at = now
        return self.level >= tokens

    def take(self, tokens: int) -> None:
        self.level -= tokens


class RateLimits:
    """One account's buckets: reads, the balance, unscoped writes, and writes that name their shard."""

    def __init__(self, tier: Tier | None, now: float) -> None:
        self.tier = tier
        published = tier or UNLIMITED
        self._read = _full(published.read, now)
        self._balance = _full(published.balance, now)
        self._write = _full(published.write, now)
        self._by_shard = {shard: _full(published.write, now) for shard in SHARDS}

    def published(self) -> Tier:
        """What the account reads of its limits."""
        return self.tier or UNLIMITED

    def allow_read(self, cost: int, now: float) -> bool:
        return self._charge([self._read], cost, now)

    def allow_balance(self, now: float) -> bool:
        return self._charge([self._balance], 1, now)

    def allow_write(self, cost: int, now: float, *, shard: int) -> bool:
        """A named shard pays from its own bucket; 0 is unscoped; anything else pays everywhere."""
        if shard == 0:
            return self._charge([self._write], cost, now)
        named = self._by_shard.get(shard)
        buckets = [self._write, *self._by_shard.values()] if named is None else [named]
        return self._charge(buckets, cost, now)

    def _charge(self, buckets: list[Bucket], cost: int, now: float) -> bool:
        """All or nothing, from every bucket alike."""
        if self.tier is None:
            return True
        if not all(bucket.holds(cost, now) for bucket in buckets):
            return False
        for bucket in buckets:
            bucket.take(cost)
        return True


def _full(limit: Limit, now: float) -> Bucket:
    return Bucket(limit, float(limit.capacity), now)


LIMITS = web.AppKey("limits", list[RateLimits])
"""Every member's, the first one's first."""
