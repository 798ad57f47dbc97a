"""What an order costs the database before it leaves, counted on the wire of the real daemon, never timed."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import anyio.to_thread
import pytest

from benchmarks.daemon import Daemon, daemon
from benchmarks.database import fresh
from benchmarks.stand_in import StandIn, stand_in
from recio.db.embedded import SUPERUSER, EmbeddedServer
from tests.stories.database_relay import database_relay

pytestmark = pytest.mark.timeout(240)

ENTRY_ROUND_TRIPS = 60
EXIT_ROUND_TRIPS = 20
"""The most that may lie between the message that makes an order worth it and the order's first byte. Only ever lower them."""
ORDERS = 10
"""Of each kind: what other tasks ask meanwhile falls into some of them, and the least counts."""
AFTERMATH = 1.2
"""Seconds in which what an order leaves to be done is done, so that none of it is counted for the next."""


async def test_an_order_waits_for_no_more_round_trips_than_counted(postgres: EmbeddedServer):
    with tempfile.TemporaryDirectory(prefix="recio-counted-", ignore_cleanup_errors=True) as folder:
        root = Path(folder)
        root.chmod(0o711)
        await fresh(postgres, "counted")
        async with database_relay(root / "wire", postgres.place.socket_dir) as relay:
            dsn = f"postgresql:///counted?host={relay.folder}&user={SUPERUSER}"
            with stand_in(root) as venue, daemon(root / "daemon", venue, dsn) as started:
                spans = await anyio.to_thread.run_sync(_orders, venue, started)
                asked = tuple(relay.asked)
                await anyio.to_thread.run_sync(_end, started)
    counted = {what: _least(asked, [each for each in spans if each[0] == what]) for what in ("entry", "exit")}
    assert counted["entry"] <= ENTRY_ROUND_TRIPS
    assert counted["exit"] <= EXIT_ROUND_TRIPS
    assert min(counted.values()) > 0, "an order left before anything was written down"


Span = tuple[str, float, float]
"""Entry or exit, when its message left, and how long until the order's first byte came."""


def _orders(venue: StandIn, started: Daemon) -> Sequence[Span]:
    venue.rate(20)
    started.until_ready()
    return venue.cycles("book", most=ORDERS, seconds=60, fill=True, rest=AFTERMATH)["spans"]


def _end(started: Daemon) -> None:
    """While the wire still carries it: what is stopped later finds its database gone."""
    started.running.terminate()
    started.running.wait(30)


def _least(asked: Iterable[float], spans: Sequence[Span]) -> int:
    assert len(spans) >= ORDERS / 2
    return min(sum(began <= at <= began + took for at in asked) for _, began, took in spans)
