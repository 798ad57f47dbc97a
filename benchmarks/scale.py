"""The same figures at 1, 10 and 100 times the strikes, rows and open pages, and the first thing that breaks by its name."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.children import child, python
from benchmarks.daemon import Daemon, daemon
from benchmarks.figures import Figure, Subject, quantile
from benchmarks.message_flow import core_share
from benchmarks.readers import served
from benchmarks.run import RECORDED_RATE, Run
from benchmarks.stand_in import stand_in
from benchmarks.tick_to_order import DAEMON_REST

TIMES = (1, 10, 100)
STRIKES, ORDERS, AUDIT_ROWS, READERS = 2, 100, 1_000, 1
CYCLES, CYCLE_SECONDS, WATCHED_SECONDS = 40, 16.0, 4.0
OPENING = 3.0
"""Seconds in which the pages open."""
SLOWER = 2.0
"""More than this many times the figure at 1 counts as broken."""
START_WITHIN, CORE = 5.0, 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class At:
    times: int
    ready: float
    entries: list[float]
    missed: int
    share: float
    resident: int
    readers: int
    served: int
    warnings: dict[str, int]

    @property
    def p50(self) -> float:
        return quantile(self.entries, 0.5) if self.entries else float("inf")


def measure(run: Run) -> Subject:
    found = [_at(run, each) for each in TIMES]
    figures = [figure for each in found for figure in _figures(each)]
    broken = next((said for each in found for said in _breaks(each, found[0])), "nothing broke")
    what = f"{STRIKES} strikes, {ORDERS} orders, {AUDIT_ROWS:,} audit rows and {READERS} open page, times so many"
    return Subject(
        title=f"At 1, 10 and 100 times: {what}",
        figures=figures,
        notes=(f"The first thing that breaks: {broken}.",),
    )


def _at(run: Run, times: int) -> At:
    root = run.world(f"scale-{times}")
    dsn = run.databases.fresh(f"scale_{times}", ORDERS * times, AUDIT_ROWS * times)
    run.databases.refresh_prices(dsn)
    with stand_in(root, STRIKES * times) as venue:
        venue.rate(RECORDED_RATE)
        began = time.perf_counter()
        with daemon(root / "daemon", venue, dsn) as started:
            started.until_ready()
            ready = time.perf_counter() - began
            with child(_pages(started, READERS * times), root / "readers.log"):
                time.sleep(OPENING)
                share = core_share(started, run.seconds(WATCHED_SECONDS))
                found = venue.cycles(
                    "book",
                    most=run.many(CYCLES),
                    seconds=run.seconds(CYCLE_SECONDS),
                    fill=True,
                    rest=DAEMON_REST,
                )
                pages = served(root / "readers.log")
            return At(
                times=times,
                ready=ready,
                entries=found["entries"],
                missed=found["missed"],
                share=share,
                resident=started.resident(),
                readers=READERS * times,
                served=pages,
                warnings=started.warnings(),
            )


def _pages(started: Daemon, readers: int) -> list[str]:
    return python(
        "-m", "benchmarks.readers", f"http://127.0.0.1:{started.port}/events?changes=1", str(readers)
    )


def _figures(each: At) -> Iterator[Figure]:
    name = f"{each.times:3} x"
    yield Figure(name=f"{name}: start to ready", value=each.ready, unit="s")
    beside = f"of {len(each.entries)}, {each.missed} without an order"
    if each.entries:
        longest = f"; p99 {quantile(each.entries, 0.99) * 1000:.0f} ms"
        yield Figure(
            name=f"{name}: tick to order, p50", value=each.p50 * 1000, unit="ms", beside=beside + longest
        )
    yield Figure(name=f"{name}: one core", value=100 * each.share, unit="%")
    yield Figure(
        name=f"{name}: in memory",
        value=each.resident / 1e6,
        unit="MB",
        beside=f"{each.served} of {each.readers} pages served",
    )


def _breaks(each: At, first: At) -> Iterator[str]:
    """What is no longer as it should be, the worst first."""
    at = f"at {each.times} times"
    if each.missed or not each.entries:
        yield f"{at} {each.missed} moves brought no order"
    if each.p50 > SLOWER * first.p50:
        yield f"{at} an order takes {each.p50 * 1000:.0f} ms instead of {first.p50 * 1000:.0f} ms"
    if each.ready > max(START_WITHIN, SLOWER * first.ready):
        yield f"{at} a start takes {each.ready:.1f} s"
    if each.share > max(CORE, SLOWER * first.share):
        yield f"{at} the daemon needs {each.share:.0%} of a core"
    if each.served < each.readers:
        yield f"{at} {each.readers - each.served} of {each.readers} open pages are refused"
