"""What every request handler shares: the simulation kept up with the clock, and who is connected; no route."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from aiohttp import web

from recio.exchange_sim.clock import VenueClock
from recio.exchange_sim.faults.faults import Faults
from recio.exchange_sim.rest.auth import Verifier
from recio.exchange_sim.simulation import Simulation
from recio.exchange_sim.venue import Venue
from recio.exchange_sim.ws.commands import CommandDesk
from recio.exchange_sim.ws.hub import Hub

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
    desk: CommandDesk
    strict_shards: bool
    transports: dict[web.WebSocketResponse, asyncio.Transport] = field(
        default_factory=dict[web.WebSocketResponse, asyncio.Transport]
    )
    """Every open socket and the connection under it."""
    last_activity: float = field(default_factory=time.monotonic)

    @property
    def venue(self) -> Venue:
        return self.simulation.venue

    def catch_up(self) -> bool:
        """Bring the venue to the present and send what happened. True when nothing is due any more."""
        done = self.simulation.advance(self.clock.milliseconds(), most_steps=MOST_STEPS_AT_ONCE)
        self.publish()
        return done

    def publish(self) -> None:
        self.hub.publish(self.venue.collect())

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


def exchange_of(request: web.Request) -> Exchange:
    return request.app[EXCHANGE]
