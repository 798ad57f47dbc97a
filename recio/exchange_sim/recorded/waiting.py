"""Holds the beginning of a recording until a client is there, without ever moving the clock under one.

A client takes its clock from credentials.json before it sends anything, so the clock cannot stand still until
somebody subscribes. Instead the clock starts `lead` host seconds before the recording, and as long as nobody
has come it is started anew every half lead, with credentials.json written anew. The first signed request
ends that: the clock stays for good as that client read it, which its signature's timestamp tells, be it the
newest or the one before. So from then on at least half a lead is left until the first recorded message.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from recio.exchange_sim.clock import VenueClock

TIMESTAMP = "KALSHI-ACCESS-TIMESTAMP"
LONGEST_STAMP = 15

Announce = Callable[[VenueClock], None]


def announce_nothing(_: VenueClock) -> None:
    """For the clock that was announced with everything else."""


@dataclass(slots=True, kw_only=True)
class Waiting:
    """The clocks that were announced, newest last; a client may have read one of the last two."""

    begin_ms: int
    speed: float
    lead_seconds: float
    over: bool
    announce: Announce = announce_nothing
    clocks: list[VenueClock] = field(default_factory=list[VenueClock])

    @property
    def clock(self) -> VenueClock:
        return self.clocks[-1]

    def start(self) -> VenueClock:
        """A clock that reaches the recording's first message after the lead."""
        origin = self.begin_ms / 1000 - self.lead_seconds * self.speed
        clock = VenueClock(speed=self.speed, host_origin=time.time(), venue_origin=origin)
        self.clocks = [*self.clocks[-1:], clock]
        return clock

    def restart(self) -> None:
        """Begin anew when half the lead is used up and nobody is there."""
        if not self.over and time.time() - self.clock.host_origin >= self.lead_seconds / 2:
            self.announce(self.start())

    def meet(self, headers: Mapping[str, str]) -> None:
        """Keep the clock of the first client for good."""
        stamp = headers.get(TIMESTAMP, "")
        if self.over or not stamp.isdecimal() or len(stamp) > LONGEST_STAMP:
            return
        self.over = True
        newest = self.clock
        self.clocks.sort(key=lambda clock: -abs(clock.milliseconds() - int(stamp)))
        if self.clock is not newest:
            self.announce(self.clock)
