"""Where one case after another is tried: an exchange, a database and the real daemon, all on this machine.

The exchange and the database outlive the cases, so that every run of the daemon finds what the ones
before it left; the books are compared whole each time.
"""

from __future__ import annotations

import json
import re
import time
import urllib.request
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import asyncpg

from recio.db import backup_rows
from recio.db.embedded import SUPERUSER, EmbeddedServer
from recio.test_hooks.crash_points import VARIABLE, CrashPoint
from tests.conftest import unused_port
from tests.faults.invariants import Bounds, Rows, at_any_instant, read_rows
from tests.faults.processes import spawn

SPEED = 30
WINDOW_SECONDS = 180
LOOK_EVERY = 0.05
UP_WITHIN = 30.0
BOUNDS = Bounds(open_cost=Decimal(100), open_trades=3, price_age=30.0)
# One source of prices and no recording: at thirty times the speed they take half of the machine and prove nothing about orders.
SETTINGS = """
mode = "demo"
data_dir = "{root}/data-{name}"
[database]
dsn = "{dsn}"
[kalshi]
environment = "sim"
credentials_dir = "{root}/exchange-{name}"
request_timeout_seconds = 0.6
reconcile_every_seconds = 1.0
[prices]
sources = ["coinbase"]
warmup_seconds = 20
[entry]
enabled = true
only_what_exit_keeps = false
min_edge_dollars = 0.0
min_price_dollars = 0.05
max_price_dollars = 0.95
cooldown_seconds = 0
max_entries_per_market = "off"
min_seconds_to_close = 20
max_price_age_seconds = {price_age}
max_book_age_seconds = 30.0
[exit]
enabled = {exits}
stop_probability = 1.0
min_value_fraction = "off"
retry_seconds = 1
max_price_age_seconds = 60.0
[risk]
max_send_delay_seconds = 30.0
max_entries_per_event = 1000
max_open_trades = {open_trades}
max_open_cost_dollars = {open_cost}
max_event_cost_dollars = {open_cost}
max_orders_per_minute = 1000
max_consecutive_losses = 100000
max_daily_loss_dollars = 1000000
[status]
port = {port}
[recorder]
enabled = false
[log]
format = "json"
"""
NO_DAEMON = (OSError, ValueError)


class DidNotHappen(Exception):
    """Something another process was to bring about did not come within its time."""


@dataclass(slots=True)
class Arena:
    """One exchange, one database and the daemon's lives on them."""

    root: Path
    server: EmbeddedServer
    name: str
    through: Path | None = None
    """The folder of a relay's socket by which the daemon reaches the database; None: the server's own."""
    port: int = field(default_factory=unused_port)
    exchange: ForkServerProcess | None = None
    daemon: ForkServerProcess | None = None
    lives: int = 0

    @property
    def dsn(self) -> str:
        if self.through is None:
            return self.server.dsn(self.name)
        return f"postgresql:///{self.name}?host={self.through}&user={SUPERUSER}"

    async def open(self) -> None:
        await self.server.ensure_database(self.name)
        folder = self.root / f"exchange-{self.name}"
        shape = ["--speed", str(SPEED), "--window-seconds", str(WINDOW_SECONDS), "--align"]
        self.exchange = spawn(
            ["exchange", "--credentials", str(folder), "--balance", "1000000", *shape],
            self.root / f"exchange-{self.name}.log",
            {},
        )
        await until(lambda: (folder / "credentials.json").exists(), UP_WITHIN, "the exchange did not start")

    async def close(self) -> None:
        for process in (self.daemon, self.exchange):
            if process is not None and process.exitcode is None:
                process.kill()
                process.join()
        async with self.connection("postgres") as connection:
            await connection.execute(f'DROP DATABASE IF EXISTS "{self.name}" WITH (FORCE)')

    def start(self, *, exits: bool, crash_at: tuple[CrashPoint, int] | None) -> None:
        config = self.root / f"{self.name}.toml"
        config.write_text(
            SETTINGS.format(
                root=self.root,
                name=self.name,
                dsn=self.dsn,
                port=self.port,
                exits=str(exits).lower(),
                price_age=BOUNDS.price_age,
                open_trades=BOUNDS.open_trades,
                open_cost=BOUNDS.open_cost,
            ),
            encoding="utf-8",
        )
        self.lives += 1
        armed = {} if crash_at is None else {VARIABLE: f"{crash_at[0].name}:{crash_at[1]}"}
        self.daemon = spawn(["run", "--config", str(config)], self.root / self.log_name, armed)

    @property
    def log_name(self) -> str:
        return f"daemon-{self.name}.log"

    def log_tail(self, most: int = 3000) -> str:
        return (self.root / self.log_name).read_text(encoding="utf-8", errors="replace")[-most:]

    def crash_told(self) -> bool:
        return re.search(r"^crash point \d+ [A-Z_]+ reached$", self.log_tail(10**7), re.MULTILINE) is not None

    def ended(self) -> int | None:
        assert self.daemon is not None
        return self.daemon.exitcode

    async def kill(self) -> None:
        assert self.daemon is not None
        self.daemon.kill()
        await anyio.to_thread.run_sync(self.daemon.join)

    def ask_to_stop(self) -> None:
        assert self.daemon is not None
        if self.daemon.exitcode is None:
            self.daemon.terminate()

    async def status(self) -> dict[str, Any] | None:
        """What the daemon's page says, None while it does not answer."""
        return await anyio.to_thread.run_sync(_json_or_none, f"http://127.0.0.1:{self.port}/status")

    async def admin(
        self, path: str, body: dict[str, Any] | None = None, method: str | None = None
    ) -> dict[str, Any]:
        url = self._credentials["rest_url"].removesuffix("/trade-api/v2") + path
        return await anyio.to_thread.run_sync(_asked, url, body, method)

    async def open_market(self) -> str | None:
        """The ticker that trades now."""
        url = f"{self._credentials['rest_url']}/markets?status=open&series_ticker=KXBTC15M"
        markets = (await anyio.to_thread.run_sync(_asked, url, None, None))["markets"]
        return markets[0]["ticker"] if markets else None

    @property
    def _credentials(self) -> dict[str, Any]:
        return json.loads(
            (self.root / f"exchange-{self.name}" / "credentials.json").read_text(encoding="utf-8")
        )

    def connection(self, database: str | None = None) -> Any:
        return _connected(self.server.dsn(database or self.name))

    async def copy_rows(self) -> None:
        """As a backup has them; no daemon runs."""
        await self._without_connections()
        async with self.connection("postgres") as connection:
            await connection.execute(f'CREATE DATABASE "{self._copy}" TEMPLATE "{self.name}"')

    async def bring_copy_back(self) -> None:
        """As a restore does; what was written since the copy is gone."""
        await self._without_connections()
        async with self.connection("postgres") as connection:
            await connection.execute(f'DROP DATABASE "{self.name}" WITH (FORCE)')
            await connection.execute(f'ALTER DATABASE "{self._copy}" RENAME TO "{self.name}"')
        async with self.connection() as connection, connection.transaction():
            newest = await connection.fetchval("SELECT at FROM audit_log ORDER BY seq DESC LIMIT 1")
            await backup_rows.begin_anew(connection, "a copy", None, newest, datetime.now(UTC))

    @property
    def _copy(self) -> str:
        return f"{self.name}-copy"

    async def _without_connections(self) -> None:
        """A daemon that was killed leaves sessions that end a moment later."""
        async with self.connection("postgres") as connection:
            await connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1", self.name
            )

    async def rows(self) -> Rows:
        async with self.connection() as connection:
            return await read_rows(connection)

    async def broken_now(self) -> list[str]:
        """What does not hold at this instant while the daemon goes on.

        An order must have had its row when it was seen at the venue, and a fill must be at the venue once it has its row.
        """
        before = await self.admin("/admin/ledger")
        rows = await self.rows()
        after = await self.admin("/admin/ledger")
        return at_any_instant(rows, {**before, "fills": after["fills"]})

    async def cut_database(self) -> None:
        """End every connection of the daemon's pool and of its lock, as a failing server would."""
        async with self.connection("postgres") as connection:
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", self.name
            )


class _connected:
    """`async with` around one connection of the tests' own."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    async def __aenter__(self) -> asyncpg.Connection[asyncpg.Record]:
        self._open = await asyncpg.connect(self._dsn)
        return self._open

    async def __aexit__(self, *_: object) -> None:
        await self._open.close()


def _asked(url: str, body: dict[str, Any] | None, method: str | None) -> dict[str, Any]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        url, data=data, method=method, headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def _json_or_none(url: str) -> dict[str, Any] | None:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return json.load(answer)
    except NO_DAEMON:
        return None


async def until(condition: Callable[[], object], within: float, what: str) -> None:
    end = time.monotonic() + within
    while not condition():
        if time.monotonic() > end:
            raise DidNotHappen(what)
        await anyio.sleep(LOOK_EVERY)


async def until_true(
    condition: Callable[[], Awaitable[object]], within: float, what: Callable[[], str]
) -> None:
    end = time.monotonic() + within
    while not await condition():
        if time.monotonic() > end:
            raise DidNotHappen(what())
        await anyio.sleep(LOOK_EVERY)
