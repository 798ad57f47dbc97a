"""Times a piece of work against a floor, by the fastest round: the one that the machine disturbed least."""

from __future__ import annotations

import time
from collections.abc import Callable

from benchmarks.figures import Figure

ROUNDS = 5
MICROSECONDS = 1e6


def best_of(work: Callable[[], object]) -> float:
    """Seconds of the fastest round."""
    times: list[float] = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)


def against(name: str, ours: float, floor: float, what: str) -> Figure:
    return Figure(
        name=name,
        value=ours * MICROSECONDS,
        unit="µs",
        beside=f"{ours / floor:.2f} x {what} ({floor * MICROSECONDS:.1f} µs)",
        ratio=ours / floor,
    )
