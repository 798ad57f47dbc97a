"""Faults that a test arms over loopback and the next requests, frames or markets meet; nothing fails unarmed."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random


class FaultKind(StrEnum):
    """What can go wrong. Host seconds where `seconds` is named; market time never moves for a fault."""

    LOSE_REQUEST = "lose_request"
    """The connection ends before the request is carried out."""
    LOSE_REPLY = "lose_reply"
    """The request is carried out and the connection ends without an answer."""
    DELAY_REPLY = "delay_reply"
    """The request is carried out and answered `seconds` late."""
    DUPLICATE_REPLY = "duplicate_reply"
    """The answer's bytes are sent twice on the connection."""
    TOO_MANY_REQUESTS = "too_many_requests"
    """429, not carried out."""
    ERROR_500 = "error_500"
    ERROR_502 = "error_502"
    ERROR_503 = "error_503"
    ERROR_504 = "error_504"
    """Answered with that status and not carried out; 502 and 504 as a proxy's page of text."""
    ERROR_IN_2XX = "error_in_2xx"
    """An error body under a success status, not carried out."""
    TRUNCATED_JSON = "truncated_json"
    """Carried out; the answer's body is cut in the middle although complete by its length."""
    UNKNOWN_FIELD = "unknown_field"
    """Carried out; the answer has a field and a word that nobody has seen before."""
    RESET = "reset"
    """The connection is reset (RST) after the request was read and before it is carried out."""
    FILL_FIRST = "fill_first"
    """An order's fill reaches the sockets `seconds` before its answer."""
    FAIL_READS = "fail_reads"
    """Every read whose path begins with `path` gets `status`, until disarmed: 0 never answers, 200 is no JSON."""
    LAG_READS = "lag_reads"
    """For `seconds`, account reads show the state of `lag_seconds` ago, and user_data_timestamp says so."""

    DROP_SOCKETS = "drop_sockets"
    """Every open WebSocket is cut now."""
    SILENCE = "silence"
    """For `seconds` the sockets carry pings and nothing else; what was due is lost."""
    SKIP_SEQ = "skip_seq"
    """The next book messages are numbered and never sent."""
    DUPLICATE_FRAME = "duplicate_frame"
    """The next sequenced frames are sent twice."""
    SWAP_FRAMES = "swap_frames"
    """The next two sequenced frames of a subscription change places."""
    EMPTY_SNAPSHOT = "empty_snapshot"
    """The next snapshots have no levels."""
    DROP_FILLS = "drop_fills"
    """The next fill messages are never sent."""
    HOLD_FILLS = "hold_fills"
    """Private messages wait `seconds`."""
    STRANGE_FRAME = "strange_frame"
    """The next frames carry an unknown field; one frame of an unknown type is sent before them."""
    CHANNEL_ERROR = "channel_error"
    """The book subscriptions end with error 10."""
    BUFFER_OVERFLOW = "buffer_overflow"
    """The book subscriptions end with error 25."""
    REFUSE_SUBSCRIBE = "refuse_subscribe"
    """The next subscribe commands are answered with error 18."""

    FEED_SILENT = "feed_silent"
    """For `seconds` the spot feed named by `ticker` sends heartbeats and nothing else."""
    FEED_DEAD = "feed_dead"
    """For `seconds` the spot feed named by `ticker` stays connected and sends nothing at all."""
    FEED_STUCK = "feed_stuck"
    """For `seconds` the spot feed named by `ticker` talks and its prices do not move."""
    FEED_OFF = "feed_off"
    """For `seconds` the prices of the spot feed named by `ticker` are off by `percent`."""

    TRADING_PAUSE = "trading_pause"
    """For `seconds`: no placing or amending, cancels work."""
    EXCHANGE_PAUSE = "exchange_pause"
    """For `seconds`: cancels are refused too."""
    SHARD_OUTAGE = "shard_outage"
    """For `seconds` the crypto shard is down: its requests get 503, its frames stop."""
    DEACTIVATE = "deactivate"
    """The market `ticker` is inactive for `seconds`, then active again, which cancels what rests."""
    EARLY_CLOSE = "early_close"
    """The market `ticker` closes now."""
    MOVE_CLOSE = "move_close"
    """The market `ticker` closes `seconds` later than it would."""
    DELAY_SETTLEMENT = "delay_settlement"
    """Markets that close from now on are determined `seconds` later than usual; `count` events."""
    CORRECT_SETTLEMENT = "correct_settlement"
    """The next determination is wrong, disputed and amended before it is final; `count` events."""
    CHANGE_GRID = "change_grid"
    """The market `ticker` changes its price structure while it is open."""


REQUEST_KINDS = frozenset(
    {
        FaultKind.LOSE_REQUEST,
        FaultKind.LOSE_REPLY,
        FaultKind.DELAY_REPLY,
        FaultKind.DUPLICATE_REPLY,
        FaultKind.TOO_MANY_REQUESTS,
        FaultKind.ERROR_500,
        FaultKind.ERROR_502,
        FaultKind.ERROR_503,
        FaultKind.ERROR_504,
        FaultKind.ERROR_IN_2XX,
        FaultKind.TRUNCATED_JSON,
        FaultKind.UNKNOWN_FIELD,
        FaultKind.RESET,
        FaultKind.FILL_FIRST,
    }
)
"""Kinds that one request meets; they are used up in the order they were armed."""

PASSING_KINDS = frozenset(
    {
        FaultKind.DROP_SOCKETS,
        FaultKind.SKIP_SEQ,
        FaultKind.DUPLICATE_FRAME,
        FaultKind.SWAP_FRAMES,
        FaultKind.EMPTY_SNAPSHOT,
        FaultKind.DROP_FILLS,
        FaultKind.STRANGE_FRAME,
        FaultKind.CHANNEL_ERROR,
        FaultKind.BUFFER_OVERFLOW,
        FaultKind.REFUSE_SUBSCRIBE,
    }
)
"""Socket kinds that are over once they have happened, so that a random stream may ask for them too."""

FEED_KINDS = frozenset({FaultKind.FEED_SILENT, FaultKind.FEED_DEAD, FaultKind.FEED_STUCK, FaultKind.FEED_OFF})
"""Kinds that last for one spot feed."""


class RequestKind(StrEnum):
    """Which requests a request fault waits for."""

    ORDERS = "orders"
    """Whatever changes something, order groups aside."""
    GROUPS = "order_groups"
    """Changes of order groups: a client may keep one all the time, and its orders are to meet the fault."""
    READS = "reads"
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    kind: FaultKind
    count: int = 1
    seconds: float = 0.0
    lag_seconds: float = 0.0
    on: RequestKind = RequestKind.ORDERS
    ticker: str = ""
    percent: float = 0.0
    path: str = ""
    """Below /trade-api/v2; empty for every read."""
    status: int = 503


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomFaults:
    """A seeded stream: each request it concerns meets one of the kinds with the probability `rate`."""

    seed: int
    rate: float
    kinds: tuple[FaultKind, ...] = ()
    """Empty for every request kind."""
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
        self._kinds = sorted(asked.kinds or REQUEST_KINDS)
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
    lag_seconds: float = 0.0
    stream: FaultStream | None = None
    failing: dict[str, int] = field(default_factory=dict[str, int])
    """By the beginning of a path, the status that every read of it gets."""
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
            self.failing[fault.path] = fault.status
            return
        if fault.kind in REQUEST_KINDS:
            self.requests.extend([fault] * fault.count)
            return
        if fault.seconds:
            self.until[fault.kind] = host_now + fault.seconds
        self.counts[fault.kind] = self.counts.get(fault.kind, 0) + fault.count
        if fault.kind is FaultKind.LAG_READS:
            self.lag_seconds = fault.lag_seconds

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

    def failing_status(self, path: str) -> int | None:
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

    def lasting(self, kind: FaultKind, feed: str, host_now: float) -> Fault | None:
        """The fault of this kind that one spot feed is suffering now."""
        until, fault = self.feeds.get((kind, feed), (0.0, None))
        return fault if host_now < until else None

    def count(self, kind: FaultKind) -> None:
        self.met[kind] = self.met.get(kind, 0) + 1
