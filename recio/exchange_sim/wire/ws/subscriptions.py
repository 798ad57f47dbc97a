"""One socket's subscriptions: sids, sequence numbers and a bounded queue of frames; it decides no content."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from recio.exchange_sim.wire.outbox import Outbox
from recio.exchange_sim.wire.ws.rules import SocketRules

BOOK = "orderbook_delta"
TICKER = "ticker"
INDEX = "cfbenchmarks_value"
FAST_INDEX = "cfbenchmarks_value_5hz"
LIFECYCLE = "market_lifecycle_v2"
COMMUNICATIONS = "communications"
PYTH = "pyth_value"

INDEX_CHANNELS = frozenset({INDEX, FAST_INDEX})
FILTERED = frozenset({BOOK, TICKER, "trade", "fill", "user_orders", "market_positions"})
"""Channels that can be narrowed to markets, at once and later."""
SEQUENCED = frozenset({BOOK, "trade", LIFECYCLE, "order_group_updates", COMMUNICATIONS}) | INDEX_CHANNELS
CHANNELS = FILTERED | SEQUENCED | {PYTH, "multivariate_market_lifecycle"}


@dataclass(slots=True, eq=False)
class Subscription:
    """One channel of one socket. `keys` are the markets or indices it names, None for every one."""

    session: Session
    channel: str
    sid: int
    keys: set[str] | None
    yes_price: bool = False
    by_id: bool = False
    """The client names markets by their ids, so replies do too."""
    skip_list: bool = False
    """Replies to updates leave out the list of markets."""
    sequence: int = 0
    queued: int = 0
    ended: bool = False
    held: bytes | None = None
    """A frame that waits to be sent after its successor."""
    late: deque[tuple[float, bytes]] = field(default_factory=deque[tuple[float, bytes]])
    """Frames on their way, each with the host time at which it comes."""

    def wants(self, key: str) -> bool:
        return self.keys is None or key in self.keys

    def number(self) -> int:
        self.sequence += 1
        return self.sequence

    def frame(self, kind: bytes, body: bytes, command_id: int = 0) -> bytes:
        """A data message's frame. Its sequence number is spent whether or not the frame gets anywhere."""
        if self.session.rules.sending_times:
            body += b',"sending_ts_ms":%d' % self.session.outbox.state.now_ms
        if command_id:
            head = b'{"type":"%b","id":%d,"sid":%d,"seq":%d,"msg":%b}'
            return head % (kind, command_id, self.sid, self.number(), body)
        if self.channel in SEQUENCED:
            return b'{"type":"%b","sid":%d,"seq":%d,"msg":%b}' % (kind, self.sid, self.number(), body)
        return b'{"type":"%b","sid":%d,"msg":%b}' % (kind, self.sid, body)

    def put_late(self, frame: bytes, due: float) -> None:
        """Queue a frame that comes at a host time, after those that are on their way already."""
        self.late.append((max(due, self.late[-1][0]) if self.late else due, frame))

    def arrive(self, host_now: float) -> None:
        """Queue what has come by now."""
        while self.late and self.late[0][0] <= host_now:
            self.put(self.late.popleft()[1])

    def put(self, frame: bytes) -> None:
        """Queue a data frame. One that finds the subscription's queue full ends the subscription instead."""
        if self.ended:
            return
        if self.queued >= self.session.rules.most_queued:
            self.session.fail(self, 25, "Subscription buffer overflow")
            return
        self.session.outbox.put(frame, self)


class Register(Protocol):
    """Where the subscriptions of all sockets are found by what they name."""

    def admit(self, subscription: Subscription, keys: set[str] | None) -> None: ...

    def widen(self, subscription: Subscription, keys: Iterable[str]) -> None: ...

    def narrow(self, subscription: Subscription, keys: Iterable[str]) -> None: ...

    def dismiss(self, subscription: Subscription) -> None: ...


@dataclass(slots=True, eq=False)
class Session:
    """A connected client and what it subscribed to."""

    audience: Register
    member: int = 0
    """Whose key it was opened with, from 0."""
    outbox: Outbox = field(default_factory=Outbox)
    rules: SocketRules = field(default_factory=SocketRules)
    subscriptions: dict[int, Subscription] = field(default_factory=dict[int, Subscription])
    second: int = 0
    """The host second that the client's commands are being counted in."""
    commands: int = 0
    _sids: int = 0

    def subscribe(
        self, channel: str, keys: set[str] | None, *, yes_price: bool = False, by_id: bool = False
    ) -> Subscription:
        self._sids += 1
        subscription = Subscription(self, channel, self._sids, None, yes_price, by_id)
        self.subscriptions[subscription.sid] = subscription
        self.audience.admit(subscription, keys)
        return subscription

    def on_channel(self, channel: str) -> Subscription | None:
        return next((found for found in self.subscriptions.values() if found.channel == channel), None)

    def end(self, subscription: Subscription) -> None:
        subscription.ended = True
        subscription.late.clear()
        self.subscriptions.pop(subscription.sid, None)
        self.audience.dismiss(subscription)

    def fail(self, subscription: Subscription, code: int, text: str) -> None:
        """End a subscription with an error; its sequence simply stops."""
        self.end(subscription)
        error = {"code": code, "msg": text}
        self.say({"type": "error", "sid": subscription.sid, "msg": error})

    def say(self, message: dict[str, object]) -> None:
        """Queue an answer to a command, or the end of a subscription."""
        if self.rules.sending_times:
            message = message | {"sending_ts_ms": self.outbox.state.now_ms}
        self.outbox.put_object(message)

    def close(self) -> None:
        for subscription in tuple(self.subscriptions.values()):
            self.end(subscription)
