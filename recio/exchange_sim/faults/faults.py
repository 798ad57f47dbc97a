"""Faults that a test arms over loopback and the next requests, frames or markets meet; nothing fails unarmed."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field
from random import Random

from recio.exchange_sim.faults.kinds import (
    FEED_KINDS,
    ONLY_IF_ASKED_FOR,
    REQUEST_KINDS,
    FaultKind,
    RequestKind,
)
from recio.exchange_sim.faults.latency import Latency
from recio.exchange_sim.faults.reads import FailingRead, Manner


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    kind: FaultKind
    count: int = 1
    seconds: float = 0.0
    lag_seconds: float = 0.0
    on: RequestKind = RequestKind.ORDERS
    ticker: str = ""
    percent: float | None = None
    """None for what is usual of its kind."""
    path: str = ""
    """Below /trade-api/v2; empty for every read."""
    status: int = 503
    manner: Manner = Manner.NO_JSON
    """Of a read that fails with 200."""
    channel: str = ""
    """Of the WebSocket."""
    spread: float = 0.5
    """Of a distribution of delays round `lag_seconds`; 0 for always the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomFaults:
    """A seeded stream: each request it concerns meets one of the kinds with the probability `rate`."""

    seed: int
    rate: float
    kinds: tuple[FaultKind, ...] = ()
    """Empty for every request kind but the late ones."""
    on: RequestKind = RequestKind.ALL
    seconds: float = 0.0
    """Host seconds until the stream ends; 0 for never."""
    delay_seconds: float = 0.2
    """How late a late answer of this stream is."""


class FaultStream:
    """Draws twice for every request, hit or not, so that the draws depend on nothing but their number."""

    def __init__(self, asked: RandomFaults, host_now: float) -> None:
        self.asked = asked
        self.drawn = 0
        self._kinds = sorted(asked.kinds or REQUEST_KINDS - ONLY_IF_ASKED_FOR)
        self._until = host_now + asked.seconds if asked.seconds else None
        self._random = Random(asked.seed)

    def is_over(self, host_now: float) -> bool:
        return self._until is not None and host_now >= self._until

    def draw(self) -> Fault | None:
        self.drawn += 1
        hit, kind = self._random.random() < self.asked.rate, self._random.choice(self._kinds)
        return Fault(kind=kind, seconds=self.asked.delay_seconds, on=self.asked.on) if hit else None


@dataclass(slots=True)
class Faults:
    """What is armed: requests in a queue of their own, other kinds by count or until a host time."""

    requests: deque[Fault] = field(default_factory=deque[Fault])
    counts: dict[FaultKind, int] = field(default_factory=dict[FaultKind, int])
    until: dict[FaultKind, float] = field(default_factory=dict[FaultKind, float])
    met: dict[FaultKind, int] = field(default_factory=dict[FaultKind, int])
    """How often each kind has happened: what a fault report counts."""
    lags: dict[FaultKind, float] = field(default_factory=dict[FaultKind, float])
    """How late what lasts makes things, in host seconds."""
    usual_latency: Latency | None = None
    """What every message takes while no fault asks for another; None for no time at all."""
    fault_latency: Latency | None = None
    silent_channels: dict[str, float] = field(default_factory=dict[str, float])
    """By channel, the host time until which nothing comes on it."""
    stream: FaultStream | None = None
    failing: dict[str, FailingRead] = field(default_factory=dict[str, FailingRead])
    """By the beginning of a path, what every read of it gets."""
    feeds: dict[tuple[FaultKind, str], tuple[float, Fault]] = field(
        default_factory=dict[tuple[FaultKind, str], tuple[float, Fault]]
    )
    """What lasts for one spot feed, and until which host time."""

    def arm(self, fault: Fault, host_now: float) -> None:
        if fault.kind in FEED_KINDS:
            self.feeds[fault.kind, fault.ticker] = (host_now + fault.seconds, fault)
            self.count(fault.kind)
            return
        if fault.kind is FaultKind.FAIL_READS:
            self.failing[fault.path] = FailingRead(status=fault.status, manner=fault.manner)
            return
        if fault.kind is FaultKind.CHANNEL_SILENT:
            self.silent_channels[fault.channel] = host_now + fault.seconds
            self.count(fault.kind)
            return
        if fault.kind is FaultKind.LATENCY:
            self.fault_latency = Latency(median_seconds=fault.lag_seconds, spread=fault.spread)
        if fault.kind in REQUEST_KINDS:
            self.requests.extend([fault] * fault.count)
            return
        if fault.seconds:
            self.until[fault.kind] = host_now + fault.seconds
        self.counts[fault.kind] = self.counts.get(fault.kind, 0) + fault.count
        if fault.seconds and fault.lag_seconds:
            self.lags[fault.kind] = fault.lag_seconds

    def next_for_request(self, kinds: Collection[RequestKind], host_now: float) -> Fault | None:
        """The oldest armed request fault that waits for one of these kinds of request, or a random one.

        The stream draws for every request it concerns, so that the same requests meet the same faults.
        """
        drawn = self._drawn(kinds, host_now)
        for fault in self.requests:
            if fault.on in kinds:
                self.requests.remove(fault)
                self.count(fault.kind)
                return fault
        if drawn is not None:
            self.count(drawn.kind)
        return drawn

    def failing_read(self, path: str) -> FailingRead | None:
        """What a read of this path gets instead of its answer; the longest path that is armed decides."""
        armed = max((each for each in self.failing if path.startswith(each)), key=len, default=None)
        if armed is None:
            return None
        self.count(FaultKind.FAIL_READS)
        return self.failing[armed]

    def _drawn(self, kinds: Collection[RequestKind], host_now: float) -> Fault | None:
        if self.stream is None:
            return None
        if self.stream.is_over(host_now):
            self.stream = None
            return None
        return self.stream.draw() if self.stream.asked.on in kinds else None

    def disarm(self) -> None:
        """Nothing is armed any more; how often each kind was met stays known."""
        self.requests.clear()
        self.counts.clear()
        self.until.clear()
        self.feeds.clear()
        self.failing.clear()
        self.silent_channels.clear()
        self.stream = None

    def take(self, kind: FaultKind) -> bool:
        """Use up one of a counted kind; False when none is armed."""
        left = self.counts.get(kind, 0)
        if left <= 0:
            return False
        self.counts[kind] = left - 1
        self.count(kind)
        return True

    def lasts(self, kind: FaultKind, host_now: float) -> bool:
        """Whether a kind that lasts for a time lasts now."""
        return host_now < self.until.get(kind, 0.0)

    def lag(self, kind: FaultKind, host_now: float) -> float:
        """By how many host seconds a kind that lasts makes things late now; 0 when it does not last."""
        return self.lags.get(kind, 0.0) if self.lasts(kind, host_now) else 0.0

    def latency(self, host_now: float) -> Latency | None:
        """What messages take now; None for no time at all."""
        return self.fault_latency if self.lasts(FaultKind.LATENCY, host_now) else self.usual_latency

    def lasting(self, kind: FaultKind, feed: str, host_now: float) -> Fault | None:
        """The fault of this kind that one spot feed is suffering now."""
        until, fault = self.feeds.get((kind, feed), (0.0, None))
        return fault if host_now < until else None

    def count(self, kind: FaultKind) -> None:
        self.met[kind] = self.met.get(kind, 0) + 1
