"""The daemon as a black box: its real process on the stand-in's sockets and a real database; nothing of it is imported or patched."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from benchmarks.children import DidNotHappen, child, cpu_seconds, fetched, python, resident, until
from benchmarks.stand_in import StandIn

READY_WITHIN = 60.0
DECISION_TO_ORDER = "recio_decision_to_order_seconds"
SETTINGS = """
mode = "demo"
data_dir = "{root}/data"
[database]
dsn = "{dsn}"
[kalshi]
environment = "sim"
credentials_dir = "{root}"
[prices]
sources = ["coinbase"]
use_index = false
max_divergence_bp = 100.0
warmup_seconds = 20
[symbols.BTC]
series = ["KXBTCD"]
[model]
time_of_day = false
[entry]
enabled = {trades}
cooldown_seconds = 0
max_entries_per_market = "off"
max_seconds_to_close = 86400
only_what_exit_keeps = false
[exit]
min_value_fraction = "off"
stop_price_dollars = 0.25
retry_seconds = 0
[risk]
max_entries_per_event = 1000000
max_event_cost_dollars = 1000000
max_open_cost_dollars = 1000000
max_daily_loss_dollars = 1000000
max_orders_per_minute = 1000000
max_consecutive_losses = 1000000
[health]
max_loop_lag_seconds = 5.0
max_database_seconds = 10.0
max_book_age_seconds = 60.0
min_free_disk_megabytes = 1
[status]
port = {port}
[log]
format = "json"
"""
"""The defaults, but for limits that a hundred orders a minute meet, and for alarms that a busy machine sets off."""


@dataclass(frozen=True, slots=True)
class Daemon:
    running: subprocess.Popen[str]
    port: int
    root: Path

    def status(self) -> dict[str, Any] | None:
        return fetched(f"http://127.0.0.1:{self.port}/status")

    def is_ready(self) -> bool:
        if self.running.poll() is not None:
            raise DidNotHappen(f"the daemon has ended: {self.last_words()}")
        said = self.status()
        return said is not None and bool(said["ready"])

    def until_ready(self) -> float:
        try:
            return until(self.is_ready, READY_WITHIN, "the daemon did not get ready")
        except DidNotHappen as error:
            reasons = (self.status() or {}).get("reasons")
            raise DidNotHappen(f"{error}: {reasons}: {self.last_words()}") from error

    def cpu_seconds(self) -> float:
        return cpu_seconds(self.running.pid)

    def resident(self) -> int:
        return resident(self.running.pid)

    def committed_after(self) -> tuple[float, int]:
        """Seconds from the decision to the committed row of an order, in the mean of so many, as it measures them itself."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        told = dict(line.rsplit(" ", 1) for line in lines if line.startswith(DECISION_TO_ORDER))
        orders = int(float(told[f"{DECISION_TO_ORDER}_count"]))
        return float(told[f"{DECISION_TO_ORDER}_sum"]) / max(1, orders), orders

    def last_words(self) -> str:
        return (self.root / "daemon.log").read_text(errors="replace")[-800:]

    def warnings(self) -> dict[str, int]:
        """Every warning and error of its log, counted by its words."""
        counted: dict[str, int] = {}
        for line in (self.root / "daemon.log").read_text(errors="replace").splitlines():
            with_level = line.startswith("{") and json.loads(line)
            if with_level and with_level.get("level") in ("warning", "error", "critical"):
                event = str(with_level.get("event"))
                counted[event] = counted.get(event, 0) + 1
        return counted


def prepare(root: Path, venue: StandIn, dsn: str, *, trades: bool = True) -> int:
    """Credentials and settings in `root`; returns the port of the page. An empty DSN: the daemon's own PostgreSQL."""
    root.mkdir(exist_ok=True)
    root.chmod(0o711)
    key = root / "key.pem"
    if not key.exists():
        private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        encoding, plain = serialization.Encoding.PEM, serialization.NoEncryption()
        key.write_bytes(private.private_bytes(encoding, serialization.PrivateFormat.PKCS8, plain))
        key.chmod(0o600)
        (root / "instance").write_text(uuid4().hex)
    credentials = {
        "key_id": "bench",
        "key_path": str(key),
        "rest_url": venue.rest_url,
        "ws_url": venue.ws_url,
        "price_url": venue.price_url,
        "instance": (root / "instance").read_text(),
        "pid": os.getpid(),
        "clock": {"speed": 1.0, "host_origin": 0.0, "venue_origin": 0.0},
    }
    (root / "credentials.json").write_text(json.dumps(credentials))
    port = unused_port()
    settings = SETTINGS.format(root=root, dsn=dsn, port=port, trades=str(trades).lower())
    (root / "recio.toml").write_text(settings)
    return port


@contextmanager
def daemon(root: Path, venue: StandIn, dsn: str, *, trades: bool = True) -> Iterator[Daemon]:
    """Started and not yet ready."""
    port = prepare(root, venue, dsn, trades=trades)
    command = python("-m", "recio", "run", "--config", str(root / "recio.toml"))
    with child(command, root / "daemon.log") as running:
        yield Daemon(running, port, root)


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
