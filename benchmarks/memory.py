"""Memory: the daemon beside the ten services, and whether it grows while it is fed as much as it can take of a day's messages."""

from __future__ import annotations

import time

from benchmarks.daemon import daemon
from benchmarks.figures import Figure, Subject
from benchmarks.run import RECORDED_RATE, Run
from benchmarks.stand_in import stand_in
from benchmarks.tick_to_order import TickToOrder

FED_SECONDS = 45.0
DAY = 86_400 * RECORDED_RATE
"""Messages."""
CHUNK = 50_000
WARM_PART = 3
"""The first third warms up caches that have a bound, and is left out of the slope."""
ENOUGH = 10
"""Less than this part of a day says nothing about a day."""
MEGABYTE = 1e6


def measure(run: Run, ticks: TickToOrder) -> Subject:
    ratio = ticks.daemon.resident / ticks.services.resident
    beside = Figure(
        name="daemon in memory, after the orders above",
        value=ticks.daemon.resident / MEGABYTE,
        unit="MB",
        beside=f"{ratio:.2f} x ten services ({ticks.services.resident / MEGABYTE:.0f} MB)",
        ratio=ratio,
        target="1/5 x",
        met=ratio <= 1 / 5,
    )
    return Subject(title="Memory", figures=[beside, *growth(run)])


def growth(run: Run) -> list[Figure]:
    root = run.world("memory")
    with stand_in(root) as venue, daemon(root / "daemon", venue, run.databases.fresh("memory")) as started:
        started.until_ready()
        seen, fed = [(0, started.resident())], 0
        until = time.perf_counter() + run.seconds(FED_SECONDS)
        while fed < DAY and time.perf_counter() < until:
            fed += venue.flood(CHUNK)["messages"]
            seen.append((fed, started.resident()))
    kept = seen[len(seen) // WARM_PART :]
    grown = (kept[-1][1] - kept[0][1]) / MEGABYTE
    a_day = slope(kept) * DAY / MEGABYTE
    return [
        Figure(
            name="growth over the messages of a day",
            value=a_day,
            unit="MB",
            beside=f"fed {fed / DAY:.0%} of a day; {grown:+.2f} MB after the first third",
            target="1 MB",
            met=a_day < 1 if fed > DAY / ENOUGH else None,
        )
    ]


def slope(seen: list[tuple[int, int]]) -> float:
    """Bytes a message, by least squares; 0 where there are too few points."""
    if len(seen) < 3:
        return 0.0
    middle = sum(at for at, _ in seen) / len(seen)
    level = sum(size for _, size in seen) / len(seen)
    spread = sum((at - middle) ** 2 for at, _ in seen)
    return sum((at - middle) * (size - level) for at, size in seen) / spread
