"""Hands the venue's events to every subscription that wants them, encoded once; it answers no command."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec
from aiohttp import web

from recio.exchange_sim.engine.events import (
    BookChanged,
    BookCleared,
    Event,
    Filled,
    OrderChanged,
    OrderGroupChanged,
    PositionChanged,
    TickerChanged,
    Trade,
)
from recio.exchange_sim.engine.traded_market import TradedMarket
from recio.exchange_sim.engine.venue import Venue, member_of
from recio.exchange_sim.faults.faults import Faults
from recio.exchange_sim.faults.kinds import FaultKind
from recio.exchange_sim.market.events import IndexPrinted, IndexTicked
from recio.exchange_sim.market.listings import Listings
from recio.exchange_sim.recorded.events import FrameRecorded
from recio.exchange_sim.wire.outbox import Outbox, SocketState
from recio.exchange_sim.wire.texts import Json
from recio.exchange_sim.wire.ws import frame_faults, frames, index_frames, lifecycle_frames, private_frames
from recio.exchange_sim.wire.ws.audience import Audience
from recio.exchange_sim.wire.ws.command_bodies import ERRORS
from recio.exchange_sim.wire.ws.rules import SocketRules
from recio.exchange_sim.wire.ws.shuffle import Shuffle
from recio.exchange_sim.wire.ws.subscriptions import (
    BOOK,
    FAST_INDEX,
    INDEX,
    INDEX_CHANNELS,
    LIFECYCLE,
    TICKER,
    Session,
    Subscription,
)

_encode = msgspec.json.Encoder().encode


class Hub:
    """All connected sessions and what reaches them."""

    def __init__(
        self, venue: Venue, listings: Listings, faults: Faults, rules: SocketRules | None = None
    ) -> None:
        self._venue = venue
        self._listings = listings
        self._held: list[Event] = []
        self._shuffled = Shuffle(_PRIVATE)
        self._late: set[Subscription] = set()
        """Subscriptions with frames on their way."""
        self._late_seconds = 0.0
        self._silent_channels: set[str] = set()
        self._frame_faults_armed = False
        self._shard_down = False
        self.faults = faults
        self.rules = rules or SocketRules()
        self.audience = Audience()
        self.state = SocketState()
        self.sessions: set[Session] = set()

    def join(self, member: int = 0) -> Session:
        """A session for a client of this member that has just connected."""
        session = Session(self.audience, member, Outbox(self.state), self.rules)
        self.sessions.add(session)
        return session

    def open_of(self, member: int) -> int:
        """How many sockets a member has."""
        return sum(session.member == member for session in self.sessions)

    def leave(self, session: Session) -> None:
        session.close()
        self.sessions.discard(session)

    def publish(self, events: list[Event]) -> None:
        """Send what happened, in order. Held private messages go out first once their time is over."""
        now = time.time()
        self._meet_faults(now)
        self.state.now_ms = self._venue.now_ms
        holding = self.faults.lasts(FaultKind.HOLD_FILLS, now)
        if self._held and not holding:
            held, self._held = self._held, []
            self._deliver(held)
        if holding:
            self._held += [event for event in events if isinstance(event, _PRIVATE)]
            events = [event for event in events if not isinstance(event, _PRIVATE)]
        self._deliver(self._shuffled.pass_through(events, self.faults, now))
        for subscription in self._late:
            subscription.arrive(now)
        self._late = {each for each in self._late if each.late}

    def send_snapshot(self, subscription: Subscription, market: TradedMarket, command_id: int = 0) -> None:
        """The book as it stands now, as the next message of this subscription."""
        if self.faults.take(FaultKind.EMPTY_SNAPSHOT):
            shown = frames.empty_snapshot(market)
        else:
            shown = frames.snapshot(market, yes_price=subscription.yes_price)
        self._send(subscription, b"orderbook_snapshot", _encode(shown), command_id)

    def send_ticker(self, subscription: Subscription, figures: TickerChanged) -> None:
        self._send(subscription, b"ticker", _encode(frames.ticker(figures)))

    def _meet_faults(self, now: float) -> None:
        """Bring the armed faults into force that concern every socket."""
        self.state.silent = self.faults.lasts(FaultKind.SILENCE, now)
        self._shard_down = self.faults.lasts(FaultKind.SHARD_OUTAGE, now)
        self._frame_faults_armed = frame_faults.armed(self.faults)
        self._late_seconds = self.faults.lag(FaultKind.LATE_BOOKS, now)
        self._silent_channels = {name for name, until in self.faults.silent_channels.items() if now < until}
        latency = self.faults.latency(now)
        self.state.under_way = None if latency is None else latency.draw
        for kind, code in ((FaultKind.CHANNEL_ERROR, 10), (FaultKind.BUFFER_OVERFLOW, 25)):
            books = self.audience.on_channel(BOOK) if self.faults.counts.get(kind) else []
            if books and self.faults.take(kind):
                for subscription in books:
                    subscription.session.fail(subscription, code, ERRORS[code])

    def _send(self, subscription: Subscription, kind: bytes, body: bytes, command_id: int = 0) -> None:
        down = self._shard_down and subscription.channel not in INDEX_CHANNELS
        if down or subscription.channel in self._silent_channels:
            subscription.frame(kind, body, command_id)
        elif subscription.late or (self._late_seconds and subscription.channel == BOOK):
            self._late.add(subscription)
            due = time.time() + self._late_seconds
            subscription.put_late(subscription.frame(kind, body, command_id), due)
        elif self._frame_faults_armed or subscription.held is not None:
            frame_faults.send(self.faults, subscription, kind, body, command_id)
        else:
            subscription.put(subscription.frame(kind, body, command_id))

    def _deliver(self, events: list[Event]) -> None:
        if not self.sessions:
            return
        for event in events:
            if isinstance(event, BookChanged):
                self._book_changed(event)
            elif isinstance(event, FrameRecorded):
                self._recorded(event)
            else:
                self._message(event)

    def _book_changed(self, event: BookChanged) -> None:
        bodies: dict[tuple[bool, bool], bytes] = {}
        owner = None if event.order is None else member_of(event.order.owner)
        for subscription in self.audience.listening(BOOK, event.market.ticker):
            how = subscription.yes_price, subscription.session.member == owner
            body = bodies.get(how)
            if body is None:
                body = bodies[how] = _encode(frames.delta(event, yes_price=how[0], own=how[1]))
            self._send(subscription, b"orderbook_delta", body)

    def _recorded(self, event: FrameRecorded) -> None:
        for subscription in self.audience.listening(event.channel, event.ticker):
            in_yes_prices = event.in_yes_prices if subscription.yes_price else None
            self._send(subscription, event.kind, event.body if in_yes_prices is None else in_yes_prices())

    def _broadcast(self, channel: str, kind: bytes, key: str | None, body_of: Callable[[], Json]) -> None:
        listening = self.audience.listening(channel, key)
        if listening:
            body = _encode(body_of())
            for subscription in listening:
                self._send(subscription, kind, body)

    def _message(self, event: Event) -> None:
        match event:
            case Trade():
                self._broadcast("trade", b"trade", event.market.ticker, lambda: frames.trade(event))
            case TickerChanged():
                self._broadcast(TICKER, b"ticker", event.market.ticker, lambda: frames.ticker(event))
            case BookCleared():
                empty = event.market
                self._broadcast(
                    BOOK, b"orderbook_snapshot", empty.ticker, lambda: frames.empty_snapshot(empty)
                )
            case IndexPrinted() | IndexTicked():
                self._index(event)
            case Filled() | OrderChanged() | PositionChanged() | OrderGroupChanged():
                self._private(event)
            case _:
                self._lifecycle(event)

    def _index(self, event: IndexPrinted | IndexTicked) -> None:
        if isinstance(event, IndexTicked):
            self._broadcast(
                FAST_INDEX, FAST_INDEX.encode(), event.index_id, lambda: index_frames.fast_value(event)
            )
        else:
            index = self._listings.indices[event.index_id]
            self._broadcast(INDEX, INDEX.encode(), event.index_id, lambda: index_frames.value(index, event))

    def _private(self, event: private_frames.PrivateEvent) -> None:
        """To nobody but the member whose it is, and to a key that is locked to a subaccount nothing of another."""
        whose = private_frames.subaccount_of(event)
        if self.rules.locked_to is not None and whose not in (None, self.rules.locked_to):
            return
        member = member_of(private_frames.owner_of(event))
        user = self._venue.members[member].account.user_id
        channel, kind, ticker, body = private_frames.message(event, user)
        if channel == "fill" and self.faults.take(FaultKind.DROP_FILLS):
            return
        for subscription in self.audience.listening(channel, ticker):
            if subscription.session.member == member:
                self._send(subscription, kind, _encode(body))

    def _lifecycle(self, event: Event) -> None:
        if isinstance(event, lifecycle_frames.LifecycleEvent):
            for kind, body in lifecycle_frames.messages(event):
                self._broadcast(LIFECYCLE, kind, None, lambda shown=body: shown)


_PRIVATE = (Filled, OrderChanged, PositionChanged, OrderGroupChanged)
HUB = web.AppKey("hub", Hub)
