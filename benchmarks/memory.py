"""Memory: the daemon beside the ten services, and whether it grows over a second day's messages, fed as fast as it takes them."""

from __future__ import annotations

import time

from benchmarks.daemon import daemon
from benchmarks.figures import Figure, Subject
from benchmarks.run import RECORDED_RATE, Run
from benchmarks.stand_in import stand_in
from benchmarks.tick_to_order import TickToOrder

FED_SECONDS = 110.0
DAYS = 2
DAY = 86_400 * RECORDED_RATE
"""Messages."""
CHUNK = 50_000
WARM_PART = 2
"""The first half warms up buffers and caches that have a bound, and is left out of the slope."""
ENOUGH = 1.5
"""Days that have to be fed for a word about the second."""
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
        while fed < DAYS * DAY and time.perf_counter() < until:
            fed += venue.flood(CHUNK)["messages"]
            seen.append((fed, started.resident()))
    kept = seen[len(seen) // WARM_PART :]
    grown = (kept[-1][1] - kept[0][1]) / MEGABYTE
    a_day = slope(kept) * DAY / MEGABYTE
    return [
        Figure(
            name="growth over the messages of a second day",
            value=a_day,
            unit="MB",
            beside=f"fed {fed / DAY:.1f} days; {grown:+.2f} MB in their second half",
            target="1 MB",
            met=a_day < 1 if fed > DAY * ENOUGH else None,
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
