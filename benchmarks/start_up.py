"""How long from the start of the process until it may trade: the first time, again, and again after a long life."""

from __future__ import annotations

import time
from pathlib import Path

from benchmarks.daemon import daemon
from benchmarks.figures import Figure, Subject, quantile
from benchmarks.run import RECORDED_RATE, Run
from benchmarks.stand_in import StandIn, stand_in

ORDERS, AUDIT_ROWS = 10_000, 100_000
RESTARTS = 3


def measure(run: Run) -> Subject:
    root = run.world("start")
    with stand_in(root) as venue:
        venue.rate(RECORDED_RATE)
        figures = [
            _figure("first start to ready, its own PostgreSQL made", [_start(root / "own", venue, "")]),
            _figure("second start to ready, its own PostgreSQL started", [_start(root / "own", venue, "")]),
            _figure(
                "start to ready, empty database of another server",
                [_start(root / "empty", venue, run.databases.fresh("start"))],
            ),
            _figure(
                f"restart to ready, {run.many(ORDERS):,} orders, {run.many(AUDIT_ROWS):,} audit rows",
                _restarts(run, root, venue),
                "5 s",
                5.0,
            ),
        ]
    return Subject(title="Start", figures=figures)


def _restarts(run: Run, root: Path, venue: StandIn) -> list[float]:
    dsn = run.databases.fresh("aged", run.many(ORDERS), run.many(AUDIT_ROWS))
    found: list[float] = []
    for _ in range(RESTARTS):
        run.databases.refresh_prices(dsn)
        found.append(_start(root / "aged", venue, dsn))
    return found


def _start(root: Path, venue: StandIn, dsn: str) -> float:
    """Seconds to ready, the interpreter's own start included."""
    began = time.perf_counter()
    with daemon(root, venue, dsn) as started:
        started.until_ready()
        return time.perf_counter() - began


def _figure(name: str, seconds: list[float], target: str = "", most: float | None = None) -> Figure:
    middle = quantile(seconds, 0.5)
    return Figure(
        name=name,
        value=middle,
        unit="s",
        beside="" if len(seconds) == 1 else f"of {len(seconds)}: {min(seconds):.2f} to {max(seconds):.2f}",
        target=target,
        met=None if most is None else middle < most,
    )
