"""Messages a second through socket, parser, book and decision on one core, and the share of a core that usual rates cost.

Processor seconds of the daemon's process, not those of the clock: a busy machine slows a run down and changes the figure little.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from benchmarks.daemon import Daemon, daemon
from benchmarks.figures import Figure, Subject
from benchmarks.run import RECORDED_RATE, Run
from benchmarks.stand_in import StandIn, stand_in

FLOOD = 200_000
WARM = 5_000
WATCHED_SECONDS = 15.0
AFTERMATH = 0.5
"""Seconds after the flood in which what it left is still counted."""
LADDER = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Usual:
    """What a usual rate costs."""

    share: float
    """Of one core."""
    rate: int


def measure(run: Run) -> Subject:
    figures: list[Figure] = []
    for strikes, name, most in ((1, "one window", 1.0), (LADDER, f"a ladder of {LADDER}", 5.0)):
        root = run.world(f"flow-{strikes}")
        dsn = run.databases.fresh(f"flow_{strikes}")
        with stand_in(root, strikes) as venue, daemon(root / "daemon", venue, dsn) as started:
            venue.rate(RECORDED_RATE)
            started.until_ready()
            share = 100 * core_share(started, run.seconds(WATCHED_SECONDS))
            figures.append(
                Figure(
                    name=f"one core at {RECORDED_RATE} messages a second, {name}",
                    value=share,
                    unit="%",
                    target=f"{most:g} %",
                    met=share < most,
                )
            )
            figures.append(flooded(started, venue, run.many(FLOOD), name))
    return Subject(
        title="Messages through socket, book and decision",
        figures=figures,
        notes=(
            "A message counts once it was read and what it caused was done: the daemon answers a ping sent behind all.",
        ),
    )


def core_share(started: Daemon, seconds: float) -> float:
    """The part of one core that the daemon uses."""
    time.sleep(1)
    began, used = time.perf_counter(), started.cpu_seconds()
    time.sleep(seconds)
    return (started.cpu_seconds() - used) / (time.perf_counter() - began)


def flooded(started: Daemon, venue: StandIn, messages: int, name: str) -> Figure:
    venue.flood(WARM)
    used = started.cpu_seconds()
    found = venue.flood(messages)
    time.sleep(AFTERMATH)
    a_second = found["messages"] / (started.cpu_seconds() - used)
    return Figure(
        name=f"messages per second of one core, {name}",
        value=a_second,
        unit="/s",
        beside=f"{found['messages']:,} in {found['seconds']:.1f} s by the clock",
        target="200,000/s",
        met=a_second >= 200_000,
    )
