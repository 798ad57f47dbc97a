"""The running exchange that every interface shares: kept up with its clock, telling who listens; it knows no interface."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from recio.exchange_sim.clock import VenueClock
from recio.exchange_sim.engine.events import Event, Trade
from recio.exchange_sim.engine.read_lag import ReadLag
from recio.exchange_sim.engine.venue import Venue
from recio.exchange_sim.faults.faults import Faults
from recio.exchange_sim.faults.kinds import FaultKind
from recio.exchange_sim.market.candle_recorder import CandleRecorder
from recio.exchange_sim.market.interventions import Calendar, Interventions
from recio.exchange_sim.market.listings import Listings
from recio.exchange_sim.market.series import SeriesSpec
from recio.exchange_sim.recorded.waiting import Waiting

MOST_STEPS_AT_ONCE = 2_000
"""A stalled host catches up in portions, so that requests are answered in between."""


Listener = Callable[[list[Event]], None]
"""Takes what happened since the last time, in order."""


class Run(Protocol):
    """What an exchange runs: a simulation or a recorded session."""

    @property
    def venue(self) -> Venue: ...

    @property
    def listings(self) -> Listings: ...

    @property
    def specs(self) -> Sequence[SeriesSpec]: ...

    @property
    def started_ms(self) -> int: ...

    @property
    def calendar(self) -> Calendar: ...

    @property
    def interventions(self) -> Interventions: ...

    @property
    def candle_recorder(self) -> CandleRecorder: ...

    def advance(self, to_ms: int, *, most_steps: int) -> bool: ...


class Connection(Protocol):
    """What lies under an open socket."""

    def abort(self) -> None: ...


@dataclass(slots=True, kw_only=True)
class Exchange:
    """One running exchange."""

    run: Run
    clock: VenueClock
    faults: Faults
    reads: ReadLag
    strict_shards: bool
    listeners: tuple[Listener, ...]
    connections: dict[object, Connection] = field(default_factory=dict[object, Connection])
    """Every open socket and the connection under it."""
    last_activity: float = field(default_factory=time.monotonic)
    waiting: Waiting | None = None
    """The clock of a recorded session until its first client has come; what it trades is not made public."""
    over: Callable[[], bool]
    """Whether there is nothing left to come; only a recorded session ends."""

    @property
    def venue(self) -> Venue:
        return self.run.venue

    @property
    def listings(self) -> Listings:
        return self.run.listings

    def catch_up(self) -> bool:
        """Bring the venue to the present and send what happened. True when nothing is due any more."""
        if self.waiting is not None:
            self.waiting.restart()
            self.clock = self.waiting.clock
        done = self.run.advance(self.clock.milliseconds(), most_steps=MOST_STEPS_AT_ONCE)
        self.follow_reads()
        self.publish()
        return done

    def follow_reads(self) -> None:
        """Let the state that account reads show follow the clock, as far behind as it has to be.

        What happens from now on is later than any moment that they show, though it were in the same millisecond.
        """
        now = time.time()
        self.reads.update(self.venue.now_ms, self.faults.lag(FaultKind.LAG_READS, now))
        self.reads.update_single(self.venue.now_ms, self.faults.lag(FaultKind.LAG_SINGLE_READS, now))
        self.venue.now_ms = max(self.venue.now_ms, self.reads.frozen_ms + 1)

    def publish(self) -> None:
        events = self.venue.collect()
        if self.waiting is not None:
            events = _without_trades(events)
        for listener in self.listeners:
            listener(events)

    def meet(self, headers: Mapping[str, str]) -> None:
        """A request has come: a recorded session may wait for its first one."""
        if self.waiting is not None:
            self.waiting.meet(headers)

    def touch(self) -> None:
        self.last_activity = time.monotonic()

    def drop_sockets(self) -> None:
        """Cut every open socket without a word."""
        for connection in self.connections.values():
            connection.abort()

    def idle_seconds(self) -> float:
        """Host seconds since the last request, 0 while a socket is open."""
        return 0.0 if self.connections else time.monotonic() - self.last_activity


def _without_trades(events: list[Event]) -> list[Event]:
    """What the account trades in a recorded session does not become public."""
    return [event for event in events if not isinstance(event, Trade)]
