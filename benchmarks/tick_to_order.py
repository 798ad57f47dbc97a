"""From a message's leaving the venue or the price source to the first byte of the order there, beside two peers and three floors.

Both stamps are taken in the stand-in's process, so no clock is compared with another. The daemon's time holds the
durable intention; the peers keep nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.children import resident
from benchmarks.daemon import daemon
from benchmarks.figures import Figure, Subject, at_most, quantile
from benchmarks.floors import Floors, floors
from benchmarks.peers.start import services, single_process
from benchmarks.run import BUSY_RATE, RECORDED_RATE, Run
from benchmarks.stand_in import StandIn, stand_in

RATES = {RECORDED_RATE: "recorded rate", BUSY_RATE: "ten times the recorded rate"}
MOST = 250
DAEMON_SECONDS, PEER_SECONDS = 30.0, 8.0
DAEMON_REST = 0.25
"""Seconds between two orders: entries wait where twenty were made since the balance was read, every two seconds."""
FLOOR_SAMPLES = 300
MILLISECONDS = 1_000.0

Samples = dict[tuple[str, str, int], list[float]]
"""Seconds by (entry or exit, book or price, rate)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    samples: Samples
    missed: int
    strays: int
    resident: int
    """Bytes of all its processes at the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TickToOrder:
    daemon: Timed
    services: Timed
    single: Timed
    floors: Floors
    warnings: dict[str, int]
    committed: tuple[float, int]
    """Seconds from the decision to the committed row, in the mean of so many orders."""

    @property
    def subjects(self) -> tuple[Subject, ...]:
        return tuple(self._subject(rate, name) for rate, name in RATES.items())

    def _subject(self, rate: int, name: str) -> Subject:
        insert = quantile(self.floors.insert, 0.5)
        figures = [
            figure
            for (what, by, at), samples in self.daemon.samples.items()
            if at == rate and samples
            for figure in self._of_daemon(f"{what} by a change of {by}", samples, by, rate, insert)
        ]
        for title, peer in (("ten services", self.services), ("one usual process", self.single)):
            for (what, by, at), samples in peer.samples.items():
                if at == rate and samples:
                    figures += _plain(f"{title}: {what} by a change of {by}", samples)
        for title, samples in (
            ("floor: one durable row", self.floors.insert),
            ("floor: one durable row, three a second", self.floors.seldom),
            ("floor: a POST to its first byte", self.floors.post),
            ("floor: one RSA signature", self.floors.sign),
        ):
            figures += _plain(title, samples)[:2]
        return Subject(
            title=f"Tick to order, {rate} messages a second ({name})", figures=figures, notes=self._notes()
        )

    def _of_daemon(
        self, name: str, samples: list[float], by: str, rate: int, insert: float
    ) -> Iterator[Figure]:
        old, usual = (each.samples[("entry", by, rate)] for each in (self.services, self.single))
        p50, p99 = quantile(samples, 0.5), quantile(samples, 0.99)
        if old:
            yield _against(f"{name}, p50", p50, quantile(old, 0.5), "ten services", 1 / 5, "1/5")
            yield _against(f"{name}, p99", p99, quantile(old, 0.99), "ten services", 1 / 4, "1/4")
        yield Figure(
            name=f"{name}, p99.9",
            value=quantile(samples, 0.999) * MILLISECONDS,
            unit="ms",
            beside=f"of {len(samples)}" + (", so the longest" if len(samples) < 1_000 else ""),
        )
        if usual:
            yield _against(f"{name}, p50", p50, quantile(usual, 0.5), "one usual process", 1.5, "1.5")
        above = (p50 - insert) * MILLISECONDS
        yield Figure(
            name=f"{name}, p50 above one durable row",
            value=above,
            unit="ms",
            beside=f"the row {insert * MILLISECONDS:.2f} ms",
            target="3 ms",
            **at_most(above, 3),
        )

    def _notes(self) -> tuple[str, ...]:
        told = [
            f"daemon: {self.daemon.missed} moves without an order, {self.daemon.strays} orders without a move;"
            f" services {self.services.missed} and {self.services.strays};"
            f" one process {self.single.missed} and {self.single.strays}"
        ]
        seconds, orders = self.committed
        told.append(
            f"From the decision to the committed row {seconds * MILLISECONDS:.2f} ms, the mean of {orders} orders by the daemon's own"
            " measure; the rest are the socket, the book, the decision, the signature and HTTP."
        )
        if self.warnings:
            told.append(
                "the daemon warned: "
                + ", ".join(f"{many} x {event}" for event, many in self.warnings.items())
            )
        return tuple(told)


def _against(name: str, ours: float, theirs: float, whose: str, most: float, words: str) -> Figure:
    ratio = ours / theirs
    return Figure(
        name=name,
        value=ours * MILLISECONDS,
        unit="ms",
        beside=f"{ratio:.2f} x {whose} ({theirs * MILLISECONDS:.2f} ms)",
        ratio=ratio,
        target=f"{words} x",
        **at_most(ratio, most),
    )


def _plain(name: str, samples: list[float]) -> list[Figure]:
    return [
        Figure(
            name=f"{name}, {word}",
            value=quantile(samples, part) * MILLISECONDS,
            unit="ms",
            beside=f"of {len(samples)}",
        )
        for word, part in (("p50", 0.5), ("p99", 0.99))
    ]


def measure(run: Run) -> TickToOrder:
    root = run.world("tick")
    with stand_in(root) as venue:
        own = daemon(root / "daemon", venue, run.databases.fresh("tick"))
        with own as started:
            started.until_ready()
            timed = _timed(run, venue, DAEMON_SECONDS, lambda: resident(started.running.pid), fill=True)
            warnings, committed = started.warnings(), started.committed_after()
        found = floors(
            venue, run.databases.server.dsn("tick"), root / "daemon" / "key.pem", run.many(FLOOR_SAMPLES)
        )
    return TickToOrder(
        daemon=timed,
        services=_peer(run, services),
        single=_peer(run, single_process),
        floors=found,
        warnings=warnings,
        committed=committed,
    )


Peer = Callable[[Path, StandIn], AbstractContextManager[list[int]]]


def _peer(run: Run, start: Peer) -> Timed:
    root = run.world(start.__name__)
    with stand_in(root) as venue, start(root, venue) as pids:
        return _timed(run, venue, PEER_SECONDS, lambda: sum(resident(each) for each in pids), fill=False)


def _timed(run: Run, venue: StandIn, seconds: float, in_memory: Callable[[], int], *, fill: bool) -> Timed:
    samples: Samples = {}
    missed = strays = 0
    for rate in RATES:
        venue.rate(rate)
        venue.cycles("book", most=3, seconds=10, fill=fill)  # whatever happens once only
        for by in ("book", "price"):
            found = venue.cycles(
                by,
                most=run.many(MOST),
                seconds=run.seconds(seconds),
                fill=fill,
                **({"rest": DAEMON_REST} if fill else {}),
            )
            samples[("entry", by, rate)] = found["entries"]
            if fill:
                samples[("exit", by, rate)] = found["exits"]
            missed, strays = missed + found["missed"], found["strays"]
    return Timed(samples=samples, missed=missed, strays=strays, resident=in_memory())
