"""Starts a peer on a stand-in's sockets, and stops it again; what it needs stands in one environment variable."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.children import ROOT, child, fetched, python, until
from benchmarks.daemon import prepare, unused_port
from benchmarks.stand_in import StandIn
from benchmarks.venue.answers import ORDERS
from benchmarks.venue.market import LASTS, STRIKE

CALLED = ("trade_executor", "trade_manager", "auto_entry_supervisor")
WATCHING = ("kalshi_market_watchdog", "symbol_price_watchdog")
IDLE = (
    "main_app",
    "active_trade_supervisor",
    "kalshi_account_sync",
    "cascading_failure_detector",
    "strike_table_generator",
)
SERVICES = (*CALLED, *IDLE, *WATCHING)
ENVIRONMENT = ROOT / ".bench-venv" / "bin" / "python"
UP_WITHIN = 60.0


def _told(root: Path, venue: StandIn, ports: dict[str, int]) -> dict[str, str]:
    prepare(root, venue, "")
    where = {
        "ticker": venue.ticker,
        "strike": STRIKE,
        "seconds_left": LASTS.total_seconds(),
        "key": str(root / "key.pem"),
        "ws_url": venue.ws_url,
        "price_url": venue.price_url,
        "orders_url": f"{venue.rest_url}{ORDERS}",
        "ports": ports,
    }
    return {"PEER": json.dumps(where)}


@contextmanager
def single_process(root: Path, venue: StandIn) -> Iterator[list[int]]:
    """Its process id."""
    more = _told(root, venue, {})
    with child(python("-m", "benchmarks.peers.single_process"), root / "single.log", more=more) as running:
        yield [running.pid]


@contextmanager
def services(root: Path, venue: StandIn) -> Iterator[list[int]]:
    """The ids of all ten processes, once each of them answers."""
    ports = {name: unused_port() for name in SERVICES}
    more = _told(root, venue, ports)
    with ExitStack() as stack:
        # Whoever is called starts before whoever calls it.
        pids: list[int] = []
        for names in (CALLED, IDLE, WATCHING):
            for name in names:
                command = [str(ENVIRONMENT), str(Path(__file__).parent / "services.py"), name]
                pids.append(stack.enter_context(child(command, root / f"{name}.log", more=more)).pid)
            _until_up(ports, names)
        yield pids


def _until_up(ports: dict[str, int], names: tuple[str, ...]) -> None:
    for name in names:
        url = f"http://127.0.0.1:{ports[name]}/health"
        until(lambda url=url: fetched(url) is not None, UP_WITHIN, f"the service {name} did not start")
