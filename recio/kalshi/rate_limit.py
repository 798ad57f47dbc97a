"""Admits our requests by the venue's token buckets, urgent ones first; a request never waits longer than it may.

The venue counts reads and writes apart, writes by shard, and reads of the balance by themselves; what it allows is told to
`learn`. A request is admitted before it is sent; one whose tokens would come too late is never admitted. A 429 on one kind of
read slows that kind alone; one on a write slows all that its bucket pays for.
"""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from functools import lru_cache

import anyio

from recio.kalshi.token_bucket import LONGEST_BACKOFF, Backoff, BucketLimit, TokenBucket, full

__all__ = [
    "LONGEST_BACKOFF",
    "BilledRequest",
    "BucketLimit",
    "EndpointCosts",
    "Priority",
    "RateLimits",
    "Ticket",
]

BASIC_READ = BucketLimit(refill=200, capacity=200)
BASIC_WRITE = BucketLimit(refill=100, capacity=100)
"""The buckets of the lowest tier, as the smallest ever seen: good until we are told."""
BALANCE = "portfolio/balance"
BALANCE_SLOW = BucketLimit(refill=1, capacity=1)
BALANCE_FAST = BucketLimit(refill=5, capacity=5)
"""Reads of the balance a second, which have a bucket of their own without a burst, and cost one each."""
FAST_TIERS = frozenset({"expert", "premier", "paragon", "prime", "prestige"})
DEFAULT_COST = 10
UNSCOPED = 0
EVERY_SHARD = -1
SHARDS = (1, 2, 3)
SHORTEST_WAIT = 0.001
_NAME = re.compile(r"[a-z_]+", re.ASCII)


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
    balance_left: int
    balance_capacity: int
    refusals: int
    """Answers 429 since the start."""
    tier: str
    slowed: tuple[str, ...] = ()
    """Kinds of reads that wait after a 429."""


@dataclass(frozen=True, slots=True)
class _Bill:
    """What a request costs, which buckets pay, and the pause of its own kind; a write has none of its own."""

    cost: int
    buckets: tuple[TokenBucket, ...]
    pause: Backoff | None = None

    def wait(self, now: float) -> float:
        """Seconds until it could go, were nobody before it."""
        return max(max(bucket.wait(now, self.cost) for bucket in self.buckets), self.paused(now))

    def paused(self, now: float) -> float:
        return 0.0 if self.pause is None else self.pause.left(now)

    def spend(self, now: float) -> Ticket:
        for bucket in self.buckets:
            bucket.level -= self.cost
        return Ticket(now, self)


@dataclass(frozen=True, slots=True)
class Ticket:
    """An admitted request: when, and what it was billed."""

    at: float
    bill: _Bill


@dataclass(frozen=True, slots=True)
class _Waiter:
    rank: tuple[int, int]
    bill: _Bill


def _write_buckets() -> dict[int, TokenBucket]:
    return {shard: full(BASIC_WRITE) for shard in (UNSCOPED, *SHARDS)}


@lru_cache(maxsize=1_024)
def kind_of(path: str) -> str:
    """A path without what it names: everything that is no plain word of the venue's is a parameter."""
    return "/".join(part if _NAME.fullmatch(part) else "{}" for part in path.strip("/").split("/"))


@dataclass(slots=True)
class RateLimits:
    """All buckets of one account, and who waits for them."""

    read: TokenBucket = field(default_factory=lambda: full(BASIC_READ))
    balance: TokenBucket = field(default_factory=lambda: full(BALANCE_SLOW))
    writes: dict[int, TokenBucket] = field(default_factory=_write_buckets)
    costs: EndpointCosts = field(default_factory=EndpointCosts)
    tier: str = "basic until the venue says"
    refusals: int = 0
    jitter: Callable[[], float] = random.random
    pauses: dict[str, Backoff] = field(default_factory=dict[str, Backoff])
    """Of each kind of read."""
    _waiting: list[_Waiter] = field(default_factory=list[_Waiter])
    _changed: anyio.Event = field(default_factory=anyio.Event)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def learn(self, tier: str, read: BucketLimit, write: BucketLimit, costs: EndpointCosts) -> None:
        """What the venue really allows; what has been spent stays spent."""
        self.tier, self.costs = tier, costs
        self.read.relearn(read)
        self.balance.relearn(BALANCE_FAST if tier.lower() in FAST_TIERS else BALANCE_SLOW)
        for bucket in self.writes.values():
            bucket.relearn(write)
        self._wake()

    async def admit(self, request: BilledRequest, until: float) -> Ticket | None:
        """Spend the tokens of a request, waiting for them no longer than `until` by the event loop's clock.

        None if they cannot be there in time. What is there at once is given at once, also after `until`.
        """
        bill = self._bill(request)
        if any(bill.cost > bucket.limit.capacity for bucket in bill.buckets):
            return None
        now = anyio.current_time()
        if not self._waiting and bill.wait(now) <= 0.0:
            return bill.spend(now)  # nobody is before it, and nobody waits to hear of it
        waiter = _Waiter((request.priority, next(self._numbers)), bill)
        self._waiting.append(waiter)
        try:
            return await self._turn(waiter, until)
        finally:
            self._waiting.remove(waiter)
            self._wake()

    def answered(self, ticket: Ticket, *, refused: bool) -> None:
        """What came of an admitted request: 429, or any other answer."""
        bill, now = ticket.bill, anyio.current_time()
        self.refusals += refused
        if bill.pause is not None:
            # Whichever of the venue's buckets it was, others are asked for by their own kinds of reads.
            bill.pause.refuse(now, ticket.at, self.jitter()) if refused else bill.pause.served(ticket.at)
            return
        for bucket in bill.buckets:
            if refused:
                bucket.refuse(now, ticket.at, self.jitter())
            else:
                bucket.backoff.served(ticket.at)

    def view(self) -> LimitsView:
        """Called within the event loop."""
        now = anyio.current_time()
        for bucket in (self.read, self.balance, *self.writes.values()):
            bucket.top_up(now)
        scarce = min(self.writes.values(), key=lambda bucket: bucket.level)
        return LimitsView(
            read_left=int(self.read.level),
            read_capacity=self.read.limit.capacity,
            write_left=int(scarce.level),
            write_capacity=scarce.limit.capacity,
            balance_left=int(self.balance.level),
            balance_capacity=self.balance.limit.capacity,
            refusals=self.refusals,
            tier=self.tier,
            slowed=tuple(sorted(kind for kind, pause in self.pauses.items() if pause.left(now) > 0.0)),
        )

    async def _turn(self, waiter: _Waiter, until: float) -> Ticket | None:
        waited = False
        while True:
            now = anyio.current_time()
            shared = max(
                bucket.wait(now, self._before(waiter, bucket, now)) for bucket in waiter.bill.buckets
            )
            wait = max(shared, waiter.bill.paused(now))
            if wait <= 0.0 and (now <= until or not waited):
                return waiter.bill.spend(now)
            if now + wait > until:
                return None
            waited = True
            with anyio.move_on_after(max(wait, SHORTEST_WAIT)):
                await self._changed.wait()

    def _before(self, waiter: _Waiter, bucket: TokenBucket, now: float) -> int:
        """Tokens of a bucket that `waiter` wants, and everybody before it who could go now."""
        return sum(
            each.bill.cost
            for each in self._waiting
            if each.rank <= waiter.rank
            and any(bucket is other for other in each.bill.buckets)
            and (each is waiter or not each.bill.paused(now))
        )

    def _bill(self, request: BilledRequest) -> _Bill:
        if request.method == "GET":
            kind = kind_of(request.path)
            pause = self.pauses.setdefault(kind, Backoff())
            if kind == BALANCE:
                return _Bill(1, (self.balance,), pause)
            return _Bill(self.costs.of("GET", request.path), (self.read,), pause)
        cost = self.costs.of(request.method, request.path) * request.items
        if request.shard == EVERY_SHARD:
            return _Bill(cost, tuple(self.writes.values()))
        if request.shard not in self.writes:
            self.writes[request.shard] = full(self.writes[UNSCOPED].limit)
        return _Bill(cost, (self.writes[request.shard],))

    def _wake(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()
