"""Tick to order beside two hundred open pages, one of which takes nothing, in turns with none: what looking on costs trading."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.children import child, python, until
from benchmarks.daemon import Daemon, daemon
from benchmarks.figures import Figure, Subject, at_most, quantile
from benchmarks.readers import served
from benchmarks.run import RECORDED_RATE, Run
from benchmarks.stand_in import StandIn, stand_in
from benchmarks.tick_to_order import DAEMON_REST

READERS, STRIKES, TURNS = 200, 186, 2
MOST, TURN_SECONDS = 250, 9.0
OPEN_WITHIN = 15.0
MOST_MORE = 1.1


def measure(run: Run) -> Subject:
    root = run.world("readers")
    without, beside, shares = list[float](), list[float](), list[float]()
    with (
        stand_in(root, STRIKES) as venue,
        daemon(root / "daemon", venue, run.databases.fresh("readers")) as started,
    ):
        venue.rate(RECORDED_RATE)
        started.until_ready()
        _orders(run, venue)  # whatever happens once only
        for _ in range(TURNS):
            without += _orders(run, venue)
            with _pages(started):
                began, before = time.perf_counter(), started.cpu_seconds()
                beside += _orders(run, venue)
                shares.append((started.cpu_seconds() - before) / (time.perf_counter() - began))
    alone, watched = quantile(without, 0.5), quantile(beside, 0.5)
    ratio = watched / alone
    return Subject(
        title=f"Beside {READERS} open pages of {STRIKES} strikes and one that takes nothing",
        figures=[
            Figure(
                name="tick to order, p50",
                value=watched * 1_000,
                unit="ms",
                beside=f"{ratio:.2f} x without a page ({alone * 1_000:.2f} ms), {len(beside)} and {len(without)} orders in {TURNS} turns",
                ratio=ratio,
                target=f"{MOST_MORE} x",
                **at_most(ratio, MOST_MORE),
            ),
            Figure(
                name="tick to order, p99",
                value=quantile(beside, 0.99) * 1_000,
                unit="ms",
                beside=f"without a page {quantile(without, 0.99) * 1_000:.2f} ms",
            ),
            Figure(name="one core meanwhile", value=100 * quantile(shares, 0.5), unit="%"),
        ],
    )


def _orders(run: Run, venue: StandIn) -> list[float]:
    """Seconds from a change of the book to the order, of entries and exits."""
    found = venue.cycles(
        "book", most=run.many(MOST), seconds=run.seconds(TURN_SECONDS), fill=True, rest=DAEMON_REST
    )
    return [*found["entries"], *found["exits"]]


@contextmanager
def _pages(started: Daemon) -> Iterator[None]:
    """All of them open, and one more that has asked and reads nothing."""
    url = f"http://127.0.0.1:{started.port}/events?changes=1"
    log = started.root / "readers.log"
    with child(python("-m", "benchmarks.readers", url, str(READERS)), log), socket.socket() as stalled:
        until(lambda: served(log) == READERS, OPEN_WITHIN, f"{READERS} pages did not open")
        stalled.connect(("127.0.0.1", started.port))
        stalled.sendall(b"GET /events?changes=1 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        yield
