"""One socket's subscriptions: sids, sequence numbers and a bounded queue of frames; it decides no content."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field

import msgspec

MOST_QUEUED = 20_000
"""Frames a slow client may be behind before its subscription ends with error 25."""

SEQUENCED = frozenset({"orderbook_delta", "trade", "market_lifecycle_v2", "cfbenchmarks_value"})
PRIVATE = frozenset({"fill", "user_orders", "market_positions"})
CHANNELS = SEQUENCED | PRIVATE | {"ticker"}

BUFFER_OVERFLOW = 25


@dataclass(slots=True, eq=False)
class Subscription:
    """One channel of one socket. `markets` None means every market."""

    session: Session
    channel: str
    sid: int
    markets: set[str] | None
    yes_price: bool = False
    sequence: int = 0
    ended: bool = False

    def wants(self, ticker: str) -> bool:
        return self.markets is None or ticker in self.markets

    def number(self) -> int:
        self.sequence += 1
        return self.sequence

    def send(self, kind: bytes, body: bytes) -> None:
        """Queue a data message; the sequence number is spent even when the queue has no room."""
        if self.channel in SEQUENCED:
            frame = b'{"type":"%b","sid":%d,"seq":%d,"msg":%b}' % (kind, self.sid, self.number(), body)
        else:
            frame = b'{"type":"%b","sid":%d,"msg":%b}' % (kind, self.sid, body)
        self.session.send(frame, self)


@dataclass(slots=True, eq=False)
class Session:
    """A connected client: what it subscribed to and what is still to be written to it."""

    queue: deque[bytes] = field(default_factory=deque[bytes])
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    subscriptions: dict[int, Subscription] = field(default_factory=dict[int, Subscription])
    most_queued: int = MOST_QUEUED
    _sids: int = 0

    def subscribe(self, channel: str, markets: set[str] | None, *, yes_price: bool) -> Subscription:
        self._sids += 1
        subscription = Subscription(self, channel, self._sids, markets, yes_price)
        self.subscriptions[subscription.sid] = subscription
        return subscription

    def on_channel(self, channel: str) -> Subscription | None:
        return next((found for found in self.subscriptions.values() if found.channel == channel), None)

    def send(self, frame: bytes, subscription: Subscription | None = None) -> None:
        """Queue a frame. A data frame that finds the queue full ends its subscription instead."""
        if subscription is not None:
            if subscription.ended:
                return
            if len(self.queue) >= self.most_queued:
                self._overflow(subscription)
                return
        self.queue.append(frame)
        self.wake.set()

    def send_object(self, message: object) -> None:
        self.send(msgspec.json.encode(message))

    def end(self, subscription: Subscription) -> None:
        subscription.ended = True
        self.subscriptions.pop(subscription.sid, None)

    def _overflow(self, subscription: Subscription) -> None:
        self.end(subscription)
        error = {"code": BUFFER_OVERFLOW, "msg": "subscription buffer overflow"}
        self.send_object({"type": "error", "sid": subscription.sid, "msg": error})
