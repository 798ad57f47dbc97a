"""Hands the venue's events to every subscription that wants them, encoded once; it answers no command."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import msgspec

from recio.exchange_sim.events import (
    BookChanged,
    BookCleared,
    Event,
    Filled,
    IndexPrinted,
    MarketCreated,
    MarketDetermined,
    MarketSettled,
    OrderChanged,
    PositionChanged,
    SpotHeartbeat,
    SpotTraded,
    StrikeSet,
    TickerChanged,
    Trade,
)
from recio.exchange_sim.faults.faults import FaultKind, Faults
from recio.exchange_sim.market.markets import Market
from recio.exchange_sim.rest.market_json import Json
from recio.exchange_sim.venue import Venue
from recio.exchange_sim.ws import frames
from recio.exchange_sim.ws.subscriptions import Session, Subscription

SpotEvent = SpotTraded | SpotHeartbeat
_encode = msgspec.json.Encoder().encode


class Hub:
    """All connected sessions, and the listeners of the spot tape."""

    def __init__(self, venue: Venue, faults: Faults) -> None:
        self._venue = venue
        self._faults = faults
        self._held: list[Event] = []
        self.sessions: set[Session] = set()
        self.spot_listeners: set[Callable[[SpotEvent], None]] = set()

    def publish(self, events: list[Event]) -> None:
        """Send what happened, in order. Held private messages go out first once their time is over."""
        holding = self._faults.lasts(FaultKind.HOLD_FILLS, time.time())
        if self._held and not holding:
            held, self._held = self._held, []
            self._deliver(held)
        if holding:
            self._held += [
                event for event in events if isinstance(event, Filled | OrderChanged | PositionChanged)
            ]
            events = [
                event for event in events if not isinstance(event, Filled | OrderChanged | PositionChanged)
            ]
        self._deliver(events)

    def send_snapshot(
        self, subscription: Subscription, market: Market, command_id: int | None = None
    ) -> None:
        """The book as it stands now, as the next message of this subscription."""
        body = _encode(frames.snapshot(market, yes_price=subscription.yes_price))
        if command_id is None:
            subscription.send(b"orderbook_snapshot", body)
            return
        head = b'{"type":"orderbook_snapshot","id":%d,"sid":%d,"seq":%d,"msg":%b}'
        frame = head % (command_id, subscription.sid, subscription.number(), body)
        subscription.session.send(frame, subscription)

    def _deliver(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, BookChanged):
                self._book_changed(event)
            elif isinstance(event, SpotTraded | SpotHeartbeat):
                for listener in tuple(self.spot_listeners):
                    listener(event)
            elif self.sessions:
                self._message(event)

    def _listening(self, channel: str, ticker: str | None) -> Iterator[Subscription]:
        for session in self.sessions:
            for subscription in tuple(session.subscriptions.values()):
                if subscription.channel == channel and (ticker is None or subscription.wants(ticker)):
                    yield subscription

    def _book_changed(self, event: BookChanged) -> None:
        bodies: dict[bool, bytes] = {}
        for subscription in self._listening("orderbook_delta", event.market.ticker):
            body = bodies.get(subscription.yes_price)
            if body is None:
                body = _encode(frames.delta(event, yes_price=subscription.yes_price))
                bodies[subscription.yes_price] = body
            if self._faults.take(FaultKind.SKIP_SEQ):
                subscription.number()
            else:
                subscription.send(b"orderbook_delta", body)

    def _broadcast(self, channel: str, kind: bytes, ticker: str | None, body: Json) -> None:
        encoded = _encode(body)
        for subscription in self._listening(channel, ticker):
            subscription.send(kind, encoded)

    def _message(self, event: Event) -> None:
        match event:
            case Trade():
                self._broadcast("trade", b"trade", event.market.ticker, frames.trade(event))
            case TickerChanged():
                body = frames.ticker(event)
                self._broadcast("ticker", b"ticker", event.market.ticker, body)
            case BookCleared():
                body = frames.empty_snapshot(event.market)
                self._broadcast("orderbook_delta", b"orderbook_snapshot", event.market.ticker, body)
            case IndexPrinted():
                body = frames.index_value(self._venue.index, event.second, event.cents)
                self._broadcast("cfbenchmarks_value", b"cfbenchmarks_value", None, body)
            case Filled() | OrderChanged() | PositionChanged():
                self._private(event)
            case MarketCreated():
                self._lifecycle(frames.event_created(event.market), kind=b"event_lifecycle")
                self._lifecycle(frames.market_created(event.market))
            case StrikeSet():
                self._lifecycle(frames.strike_set(event.market))
            case MarketDetermined():
                self._lifecycle(frames.determined(event.market))
            case MarketSettled():
                self._lifecycle(frames.settled(event.market))
            case _:
                pass

    def _private(self, event: Filled | OrderChanged | PositionChanged) -> None:
        account = self._venue.account
        match event:
            case Filled():
                self._broadcast("fill", b"fill", event.fill.order.ticker, frames.fill(event.fill))
            case OrderChanged():
                body = frames.user_order(event.order, account.user_id, event.reason, event.now_ms)
                self._broadcast("user_orders", b"user_order", event.order.ticker, body)
            case PositionChanged():
                body = frames.market_position(account.user_id, event.position)
                self._broadcast("market_positions", b"market_position", event.position.ticker, body)

    def _lifecycle(self, body: Json, kind: bytes = b"market_lifecycle_v2") -> None:
        self._broadcast("market_lifecycle_v2", kind, None, body)
