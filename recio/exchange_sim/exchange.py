"""What every request handler shares: the simulation kept up with the clock, and who is connected; no route."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from aiohttp import web

from recio.exchange_sim.clock import VenueClock
from recio.exchange_sim.engine.events import Event, Trade
from recio.exchange_sim.engine.read_lag import ReadLag
from recio.exchange_sim.engine.venue import Venue
from recio.exchange_sim.faults.faults import FaultKind, Faults
from recio.exchange_sim.recorded.waiting import Waiting
from recio.exchange_sim.simulation import Simulation
from recio.exchange_sim.spot.feeds import Feeds
from recio.exchange_sim.wire.auth import Verifier
from recio.exchange_sim.wire.rest.rate_limits import RateLimits
from recio.exchange_sim.wire.ws.commands import CommandDesk
from recio.exchange_sim.wire.ws.hub import Hub

MOST_STEPS_AT_ONCE = 2_000
"""A stalled host catches up in portions, so that requests are answered in between."""


@dataclass(slots=True, kw_only=True)
class Exchange:
    """One running exchange."""

    simulation: Simulation
    clock: VenueClock
    verifier: Verifier
    faults: Faults
    hub: Hub
    feeds: Feeds
    desk: CommandDesk
    limits: RateLimits
    reads: ReadLag
    strict_shards: bool
    transports: dict[web.WebSocketResponse, asyncio.Transport] = field(
        default_factory=dict[web.WebSocketResponse, asyncio.Transport]
    )
    """Every open socket and the connection under it."""
    arrivals: Counter[str] = field(default_factory=Counter[str])
    """How often each client order id was asked for, carried out or not."""
    last_activity: float = field(default_factory=time.monotonic)
    waiting: Waiting | None = None
    """The clock of a recorded session until its first client has come; what it trades is not made public."""
    over: Callable[[], bool]
    """Whether there is nothing left to come; only a recorded session ends."""

    @property
    def venue(self) -> Venue:
        return self.simulation.venue

    def catch_up(self) -> bool:
        """Bring the venue to the present and send what happened. True when nothing is due any more."""
        if self.waiting is not None:
            self.waiting.restart()
            self.clock = self.waiting.clock
        done = self.simulation.advance(self.clock.milliseconds(), most_steps=MOST_STEPS_AT_ONCE)
        self.follow_reads()
        self.publish()
        return done

    def follow_reads(self) -> None:
        """Let the state that account reads show follow the clock, as far behind as it has to be."""
        lagging = self.faults.lasts(FaultKind.LAG_READS, time.time())
        self.reads.update(self.venue.now_ms, self.faults.lag_seconds if lagging else 0.0)

    def publish(self) -> None:
        events = self.venue.collect()
        if self.waiting is not None:
            events = _without_trades(events)
        self.hub.publish(events)
        self.feeds.follow(events, self.venue.now_ms)

    def meet(self, headers: Mapping[str, str]) -> None:
        """A request has come: a recorded session may wait for its first one."""
        if self.waiting is not None:
            self.waiting.meet(headers)

    def touch(self) -> None:
        self.last_activity = time.monotonic()

    def drop_sockets(self) -> None:
        """Cut every open socket without a word."""
        for transport in self.transports.values():
            transport.abort()

    def idle_seconds(self) -> float:
        """Host seconds since the last request, 0 while a socket is open."""
        return 0.0 if self.transports else time.monotonic() - self.last_activity


EXCHANGE = web.AppKey("exchange", Exchange)


def _without_trades(events: list[Event]) -> list[Event]:
    """What the account trades in a recorded session does not become public."""
    kept: list[Event] = [event for event in events if not isinstance(event, Trade)]
    return kept


def exchange_of(request: web.Request) -> Exchange:
    return request.app[EXCHANGE]
