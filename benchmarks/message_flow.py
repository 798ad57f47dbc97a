"""Messages a second through socket, parser, book and decision on one core, and the share of a core that usual rates cost.

Processor seconds of the daemon's process, not those of the clock: a busy machine slows a run down and changes the figure little.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from benchmarks.children import cpu_seconds
from benchmarks.daemon import Daemon, daemon
from benchmarks.figures import Figure, Subject
from benchmarks.peers.start import single_process
from benchmarks.run import RECORDED_RATE, Run
from benchmarks.stand_in import StandIn, stand_in

FLOOD = 200_000
WARM = 5_000
WATCHED_SECONDS = 15.0
AFTERMATH = 0.5
"""Seconds after the flood in which what it left is still counted."""
LADDER = 200
ONE_WINDOW = "one window"


def measure(run: Run) -> Subject:
    figures: list[Figure] = []
    for strikes, name, most in ((1, ONE_WINDOW, 1.0), (LADDER, f"a ladder of {LADDER}", 5.0)):
        root = run.world(f"flow-{strikes}")
        dsn = run.databases.fresh(f"flow_{strikes}")
        with stand_in(root, strikes) as venue, daemon(root / "daemon", venue, dsn) as started:
            venue.rate(RECORDED_RATE)
            started.until_ready()
            figures += _usual(run, started, venue, name, most)
            figures.append(flooded(started, venue, run.many(FLOOD), name))
    return Subject(
        title="Messages through socket, book and decision",
        figures=figures,
        notes=(
            "A message counts once it was read and what it caused was done: the daemon answers a ping sent behind all.",
        ),
    )


def _usual(run: Run, started: Daemon, venue: StandIn, name: str, most: float) -> list[Figure]:
    """What the recorded rate costs, and what is left of it while the market says nothing."""
    share = 100 * core_share(started, run.seconds(WATCHED_SECONDS))
    venue.rate(0)
    quiet = 100 * core_share(started, run.seconds(WATCHED_SECONDS / 2))
    venue.rate(RECORDED_RATE)
    figures = [
        Figure(
            name=f"one core at {RECORDED_RATE} messages a second, {name}",
            value=share,
            unit="%",
            beside=f"{quiet:.2f} % while the market says nothing",
            target=f"{most:g} %",
            met=share < most,
        )
    ]
    return figures if name != ONE_WINDOW else [*figures, _peer(run)]


def _peer(run: Run) -> Figure:
    """A process that does nothing but read the books and decide: what waking so often costs by itself."""
    root = run.world("flow-peer")
    with stand_in(root) as venue, single_process(root, venue) as (pid,):
        venue.rate(RECORDED_RATE)
        share = 100 * _share(lambda: cpu_seconds(pid), run.seconds(WATCHED_SECONDS / 2))
    return Figure(
        name=f"the same of one usual process at {RECORDED_RATE} messages a second", value=share, unit="%"
    )


def core_share(started: Daemon, seconds: float) -> float:
    """The part of one core that the daemon uses."""
    return _share(started.cpu_seconds, seconds)


def _share(used: Callable[[], float], seconds: float) -> float:
    time.sleep(1)
    began, before = time.perf_counter(), used()
    time.sleep(seconds)
    return (used() - before) / (time.perf_counter() - began)


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
