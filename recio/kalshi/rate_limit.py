"""Admits our requests by the venue's token buckets, urgent ones first; a request never waits longer than it may.

The venue counts reads and writes apart, and writes by shard; what it allows is told to `learn`. A request is
admitted before it is sent; one whose tokens would come too late is never admitted.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum

import anyio

BASIC_READ = 200
BASIC_WRITE = 100
"""Tokens a second and capacity of the lowest tier, as the smallest ever seen: good until we are told."""
DEFAULT_COST = 10
FIRST_BACKOFF = 0.25
LONGEST_BACKOFF = 8.0
UNSCOPED = 0
EVERY_SHARD = -1
SHARDS = (1, 2, 3)
SHORTEST_WAIT = 0.001
NEVER = 1e18
"""Longer than any wait: of a bucket that is not refilled."""


class Priority(IntEnum):
    """Who goes first where tokens are short."""

    CANCEL = 0
    ORDER = 1
    ORDER_READ = 2
    """A read that decides the state of an order."""
    READ = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class BilledRequest:
    """One request as the venue bills it; `path` is below the base URL."""

    method: str
    path: str
    priority: Priority = Priority.READ
    shard: int = UNSCOPED
    """The shard that is billed for a write; EVERY_SHARD where the venue finds the shard itself."""
    items: int = 1
    """How many orders a batch holds: each costs."""


def billed_shard(exchange_index: int | None) -> int:
    """Naming a shard bills that one; leaving it to the venue bills them all."""
    return EVERY_SHARD if exchange_index is None else exchange_index


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketLimit:
    """How fast a bucket fills and how much it holds."""

    refill: int
    """Tokens a second."""
    capacity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointCosts:
    """Tokens by method and path template; what is not listed costs `default`."""

    default: int = DEFAULT_COST
    listed: tuple[tuple[str, tuple[str, ...], int], ...] = (
        ("DELETE", ("portfolio", "events", "orders", "{}"), 2),
        ("DELETE", ("portfolio", "events", "orders"), 2),
        ("DELETE", ("portfolio", "events", "orders", "batched"), 2),
        ("GET", ("portfolio", "orders", "{}"), 2),
    )
    """(method, path in parts with {} for a parameter, tokens)."""

    def of(self, method: str, path: str) -> int:
        """A template that names a part beats one that has a parameter there."""
        parts = path.strip("/").split("/")
        fits = [
            (template.count("{}"), cost)
            for verb, template, cost in self.listed
            if verb == method
            and len(template) == len(parts)
            and all(one in ("{}", other) for one, other in zip(template, parts, strict=True))
        ]
        return min(fits)[1] if fits else self.default


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsView:
    """What is left, for the status page."""

    read_left: int
    read_capacity: int
    write_left: int
    """Of the write bucket that is nearest to empty."""
    write_capacity: int
    refusals: int
    """Answers 429 since the start."""
    tier: str


@dataclass(slots=True)
class TokenBucket:
    """One bucket: its tokens at a time of the event loop, and the pause after refusals."""

    limit: BucketLimit
    level: float
    at: float = 0.0
    closed_until: float = 0.0
    refused_at: float = -1.0
    in_a_row: int = 0

    def top_up(self, now: float) -> None:
        """Add the tokens of the time since the last look."""
        self.level = min(self.limit.capacity, self.level + max(0.0, now - self.at) * self.limit.refill)
        self.at = now

    def wait(self, now: float, tokens: int) -> float:
        """Seconds until so many tokens are there."""
        self.top_up(now)
        missing = max(0.0, tokens - self.level)
        refilled = missing / self.limit.refill if self.limit.refill else (NEVER if missing else 0.0)
        return max(refilled, self.closed_until - now, 0.0)

    def refuse(self, now: float, sent_at: float, jitter: float) -> None:
        """A 429. Of many that were on their way together only the first makes the pause longer."""
        self.level, self.at = 0.0, now
        if sent_at < self.refused_at:
            return
        self.refused_at, self.in_a_row = now, self.in_a_row + 1
        pause = min(LONGEST_BACKOFF, FIRST_BACKOFF * 2 ** min(self.in_a_row - 1, 10))
        self.closed_until = now + pause * (0.5 + jitter / 2)

    def served(self, sent_at: float) -> None:
        """An answer other than 429: the next refusal begins with the shortest pause again."""
        if sent_at >= self.refused_at:
            self.in_a_row = 0


@dataclass(frozen=True, slots=True)
class Ticket:
    """An admitted request: when, and which buckets paid."""

    at: float
    buckets: tuple[TokenBucket, ...]


def _spent(now: float, cost: int, buckets: tuple[TokenBucket, ...]) -> Ticket:
    for bucket in buckets:
        bucket.level -= cost
    return Ticket(now, buckets)


@dataclass(frozen=True, slots=True)
class _Waiter:
    rank: tuple[int, int]
    cost: int
    buckets: tuple[TokenBucket, ...]


def _full(tokens: int) -> TokenBucket:
    return TokenBucket(BucketLimit(refill=tokens, capacity=tokens), tokens)


def _write_buckets() -> dict[int, TokenBucket]:
    return {shard: _full(BASIC_WRITE) for shard in (UNSCOPED, *SHARDS)}


@dataclass(slots=True)
class RateLimits:
    """All buckets of one account, and who waits for them."""

    read: TokenBucket = field(default_factory=lambda: _full(BASIC_READ))
    writes: dict[int, TokenBucket] = field(default_factory=_write_buckets)
    costs: EndpointCosts = field(default_factory=EndpointCosts)
    tier: str = "basic until the venue says"
    refusals: int = 0
    jitter: Callable[[], float] = random.random
    _waiting: list[_Waiter] = field(default_factory=list[_Waiter])
    _changed: anyio.Event = field(default_factory=anyio.Event)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def learn(self, tier: str, read: BucketLimit, write: BucketLimit, costs: EndpointCosts) -> None:
        """What the venue really allows; what has been spent stays spent."""
        self.tier, self.costs = tier, costs
        for bucket, limit in [(self.read, read), *((each, write) for each in self.writes.values())]:
            bucket.level = max(0.0, bucket.level + limit.capacity - bucket.limit.capacity)
            bucket.limit = limit
        self._wake()

    async def admit(self, request: BilledRequest, until: float) -> Ticket | None:
        """Spend the tokens of a request, waiting for them no longer than `until` by the event loop's clock.

        None if they cannot be there in time. What is there at once is given at once, also after `until`.
        """
        cost, buckets = self.costs.of(request.method, request.path) * request.items, self._billed(request)
        if any(cost > bucket.limit.capacity for bucket in buckets):
            return None
        now = anyio.current_time()
        if not self._waiting and all(bucket.wait(now, cost) <= 0.0 for bucket in buckets):
            return _spent(now, cost, buckets)  # nobody is before it, and nobody waits to hear of it
        waiter = _Waiter((request.priority, next(self._numbers)), cost, buckets)
        self._waiting.append(waiter)
        try:
            return await self._turn(waiter, until)
        finally:
            self._waiting.remove(waiter)
            self._wake()

    def answered(self, ticket: Ticket, *, refused: bool) -> None:
        """What came of an admitted request: 429, or any other answer."""
        if not refused:
            for bucket in ticket.buckets:
                bucket.served(ticket.at)
            return
        self.refusals += 1
        now = anyio.current_time()
        for bucket in ticket.buckets:
            bucket.refuse(now, ticket.at, self.jitter())

    def view(self) -> LimitsView:
        """Called within the event loop."""
        now = anyio.current_time()
        for bucket in (self.read, *self.writes.values()):
            bucket.top_up(now)
        scarce = min(self.writes.values(), key=lambda bucket: bucket.level)
        return LimitsView(
            read_left=int(self.read.level),
            read_capacity=self.read.limit.capacity,
            write_left=int(scarce.level),
            write_capacity=scarce.limit.capacity,
            refusals=self.refusals,
            tier=self.tier,
        )

    async def _turn(self, waiter: _Waiter, until: float) -> Ticket | None:
        waited = False
        while True:
            now = anyio.current_time()
            wait = max(bucket.wait(now, self._before(waiter, bucket)) for bucket in waiter.buckets)
            if wait <= 0.0 and (now <= until or not waited):
                return _spent(now, waiter.cost, waiter.buckets)
            if now + wait > until:
                return None
            waited = True
            with anyio.move_on_after(max(wait, SHORTEST_WAIT)):
                await self._changed.wait()

    def _before(self, waiter: _Waiter, bucket: TokenBucket) -> int:
        """Tokens that `waiter` and everybody before it want of a bucket."""
        return sum(
            each.cost
            for each in self._waiting
            if each.rank <= waiter.rank and any(bucket is other for other in each.buckets)
        )

    def _billed(self, request: BilledRequest) -> tuple[TokenBucket, ...]:
        if request.method == "GET":
            return (self.read,)
        if request.shard == EVERY_SHARD:
            return tuple(self.writes.values())
        if request.shard not in self.writes:
            limit = self.writes[UNSCOPED].limit
            self.writes[request.shard] = TokenBucket(limit, limit.capacity)
        return (self.writes[request.shard],)

    def _wake(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()
