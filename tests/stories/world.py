"""A world of real processes for the stories: the exchange, the daemon with its own PostgreSQL, and their books."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
import asyncpg

from recio.db.embedded import EmbeddedServer, start_embedded
from tests.conftest import unused_port

PATIENCE = 120.0
"""Host seconds: a slow machine may wait for a whole market, and a test that holds never waits so long."""
LOOK_EVERY = 0.05
EAGER = """
mode = "demo"
data_dir = "{data}"
[kalshi]
environment = "sim"
credentials_dir = "{credentials}"
request_timeout_seconds = 1.0
reconcile_every_seconds = 2.0
[prices]
warmup_seconds = 20
[entry]
enabled = true
min_edge_dollars = 0.0
min_price_dollars = 0.05
max_price_dollars = 0.95
cooldown_seconds = 0
max_entries_per_market = "off"
min_seconds_to_close = 20
max_price_age_seconds = 60.0
max_book_age_seconds = 60.0
[exit]
max_price_age_seconds = 60.0
[risk]
max_send_delay_seconds = 60.0
max_entries_per_event = 50
max_orders_per_minute = 1000
max_consecutive_losses = 1000
[status]
port = {port}
[log]
format = "json"
"""


@dataclass(slots=True)
class World:
    """Everything lives under one folder; `speed` market seconds pass in one host second."""

    root: Path
    speed: float = 15.0
    port: int = 0
    exchange: subprocess.Popen[bytes] | None = None
    daemon: subprocess.Popen[bytes] | None = None
    lives: int = 0
    surroundings: dict[str, str] = field(default_factory=dict[str, str])
    """Environment variables of the processes started from now on, beside the present ones."""

    @property
    def credentials(self) -> dict[str, Any]:
        return json.loads((self.root / "exchange" / "credentials.json").read_text(encoding="utf-8"))

    async def start_exchange(self, *options: str, align: bool = True) -> None:
        command = [
            "exchange",
            "--credentials",
            str(self.root / "exchange"),
            "--speed",
            str(self.speed),
            *(["--align"] if align else []),
        ]
        self.exchange = self._spawn([*command, *options], "exchange.log")
        await until(lambda: (self.root / "exchange" / "credentials.json").exists())

    def start_daemon(self, *, settings: Callable[[str], str] = lambda text: text) -> None:
        self.port = self.port or unused_port()
        config = self.root / "recio.toml"
        text = EAGER.format(data=self.root / "data", credentials=self.root / "exchange", port=self.port)
        config.write_text(settings(text), encoding="utf-8")
        self.lives += 1
        self.daemon = self._spawn(["run", "--config", str(config)], f"daemon-{self.lives}.log")

    def _spawn(self, arguments: list[str], log: str) -> subprocess.Popen[bytes]:
        with (self.root / log).open("wb") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "recio", *arguments],
                cwd=self.root,
                env=os.environ | self.surroundings,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def log(self) -> str:
        return (self.root / f"daemon-{self.lives}.log").read_text(encoding="utf-8", errors="replace")

    def events(self, phrase: str) -> list[dict[str, Any]]:
        """Log lines of the present life with this phrase."""
        lines = [json.loads(line) for line in self.log().splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == phrase]

    def kill(self) -> None:
        assert self.daemon is not None
        self.daemon.kill()
        self.daemon.wait()

    def stop(self) -> int:
        assert self.daemon is not None
        self.daemon.send_signal(signal.SIGTERM)
        return self.daemon.wait(timeout=40)

    def arm(self, kind: str, **options: float | str | tuple[str, ...]) -> None:
        self._admin("/admin/faults", {"kind": kind, **options})

    def disarm(self) -> None:
        self._admin("/admin/faults", None, method="DELETE")

    def ledger(self) -> dict[str, Any]:
        """The account's books as the exchange keeps them."""
        return self._admin("/admin/ledger", None)

    def status(self) -> dict[str, Any]:
        return self.page("status")

    def page(self, path: str) -> dict[str, Any]:
        """What the page's port answers as JSON."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/{path}", timeout=5) as answer:
            return json.load(answer)

    def shows(self, condition: Callable[[dict[str, Any]], object]) -> bool:
        """Of the page; not so while nothing answers there."""
        try:
            return bool(condition(self.status()))
        except OSError:
            return False

    def _admin(self, path: str, body: dict[str, object] | None, method: str | None = None) -> dict[str, Any]:
        url = self.credentials["rest_url"].removesuffix("/trade-api/v2") + path
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            url, data=data, method=method, headers={"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.load(answer)

    async def rows(self, query: str) -> list[asyncpg.Record]:
        """What the daemon's database says; the server must be running."""
        server = await self.server()
        connection = await asyncpg.connect(server.dsn("recio"))
        try:
            return await connection.fetch(query)
        finally:
            await connection.close()

    async def server(self) -> EmbeddedServer:
        return await start_embedded(self.root / "data")


@contextmanager
def a_world() -> Iterator[World]:
    with tempfile.TemporaryDirectory(prefix="recio-story-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)
        world = World(root=Path(folder))
        try:
            with _ended_by_sigterm():
                yield world
        except BaseException:
            for log in sorted(world.root.glob("*.log")):
                sys.stdout.write(f"--- {log.name}\n{log.read_text(errors='replace')[-6000:]}\n")
            raise
        finally:
            for process in (world.daemon, world.exchange):
                if process is not None and process.poll() is None:
                    process.kill()
                    process.wait()
            _stop_server(world)


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Whoever ends a long proof leaves no daemon, exchange or server of it behind."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _stop_server(world: World) -> None:
    pid_file = world.root / "data" / "postgres" / "postmaster.pid"
    if not pid_file.exists():
        return
    with suppress(ProcessLookupError):
        os.kill(int(pid_file.read_text(encoding="utf-8").split()[0]), signal.SIGQUIT)


async def until(condition: Callable[[], object], patience: float = PATIENCE) -> None:
    """Wait for a state that only another process can bring about."""
    with anyio.fail_after(patience):
        while not condition():  # noqa: ASYNC110 - another process has no event of ours
            await anyio.sleep(LOOK_EVERY)


async def books_come_to_agree(world: World) -> None:
    """Under a running daemon that buys nothing any more: an order or a fill may be on its way at any one instant."""
    await until(lambda: world.shows(bool))
    await world.rows(
        "INSERT INTO switches (name, is_on, at, set_by) VALUES ('entry', false, now(), 'me') RETURNING name"
    )
    await until(lambda: world.shows(lambda seen: seen["switches"]["entry"] is False))
    with anyio.fail_after(PATIENCE):
        while True:
            with suppress(AssertionError):
                await books_agree(world)
                break
            await anyio.sleep(0.5)


async def books_agree(world: World) -> None:
    """The rows of the daemon against the exchange's own books: ids, quantities, money."""
    ledger = world.ledger()
    orders = await world.rows("SELECT client_order_id, venue_order_id, state, filled FROM orders")
    fills = await world.rows("SELECT fill_id, quantity, fee FROM fills")
    at_venue = {order["client_order_id"]: order for order in ledger["orders"]}
    assert len(at_venue) == len(ledger["orders"]), "an order was doubled"
    ours = {row["client_order_id"]: row for row in orders}
    assert set(at_venue) <= set(ours), "the venue has an order that we forgot"
    for name, row in ours.items():
        if row["state"] in ("filled", "cancelled", "resting"):
            assert f"{row['filled']:.2f}" == at_venue[name]["fill_count_fp"]
        else:
            assert name not in at_venue, f"{name} is {row['state']} here and lives at the venue"
    assert {row["fill_id"] for row in fills} == {fill["trade_id"] for fill in ledger["fills"]}
    fees = sum((row["fee"] for row in fills), 0)
    assert fees == Decimal(ledger["fees"])
    await cash_agrees(world)


async def cash_agrees(world: World) -> None:
    """The cash of our books against the exchange's, a person's trades and what was paid in and out among it."""
    ledger = world.ledger()
    known = {row["ticker"] for row in await world.rows("SELECT ticker FROM settlements")}
    booked = await world.rows("SELECT coalesce(sum(amount), 0) AS cash FROM postings WHERE account = 'cash'")
    unheard = sum(row["revenue"] for row in ledger["settlements"] if row["ticker"] not in known)
    moved = Decimal(ledger["cash"]) - Decimal(ledger["deposits"])
    assert booked[0]["cash"] == moved - Decimal(unheard).scaleb(-2), (
        "the books' cash differs from the venue's"
    )
