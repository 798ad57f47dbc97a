"""PostgreSQL for a run of benchmarks: one embedded server, a database for each world, and rows as they are after a long time.

Rows are written by SQL behind the daemon's back, as whole and as sealed as the daemon would have written them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
import asyncpg

from benchmarks.venue.account import CASH
from benchmarks.venue.market import STRIKE
from benchmarks.venue.scenes import SWING, SWING_SECONDS
from recio.db.connection import transaction
from recio.db.embedded import EmbeddedServer, start_embedded, stop_embedded
from recio.db.pool import open_pool
from recio.db.schema import ensure_schema

HISTORY_SECONDS = 1_900
SOLD_SHARE = 10
"""One entry in so many was filled and sold again; the others found nothing."""
PRICES = """
INSERT INTO price_seconds (symbol, second, price)
SELECT 'BTC', each, $1::int + CASE WHEN each / $3::bigint % 2 = 1 THEN $2::int ELSE -$2::int END
FROM generate_series($4::bigint - $5::bigint, $4::bigint) AS each
"""
RUN = "INSERT INTO runs (version, pid) VALUES ('bench', 1) RETURNING fencing"
TRADES = """
INSERT INTO trades (strategy, ticker, event_ticker, side, state, opened_at, closes_at, closed_at, ended_by, why, inputs)
SELECT 'average', 'OLD-' || each, 'OLD', 'yes', CASE WHEN each % $2 = 0 THEN 'closed' ELSE 'void' END,
    now() - interval '30 days' + each * interval '1 minute', now() - interval '29 days' + each * interval '1 minute',
    now() - interval '30 days' + each * interval '1 minute', CASE WHEN each % $2 = 0 THEN 'exit' ELSE 'no fill' END,
    'model gives yes 61.0%, ask 0.5200', '{"ask": "0.5200", "probability": "0.610000"}'
FROM generate_series(1, $1) AS each
"""
ENTRIES = """
INSERT INTO orders (client_order_id, trade_id, purpose, attempt, ticker, book_side, price, quantity, filled, reserved,
    ask, model_value, state, venue_order_id, fencing, created_at, ended_at)
SELECT 'recio-old-entry-' || trade_id, trade_id, 'entry', 1, ticker, 'bid', 0.52, 10,
    CASE state WHEN 'closed' THEN 10 ELSE 0 END, 5.4, 0.52, 0.61,
    CASE state WHEN 'closed' THEN 'filled' ELSE 'cancelled' END, 'old-entry-' || trade_id, $1, opened_at, opened_at
FROM trades
"""
EXITS = """
INSERT INTO orders (client_order_id, trade_id, purpose, attempt, ticker, book_side, price, quantity, filled, reserved,
    state, venue_order_id, fencing, created_at, ended_at)
SELECT 'recio-old-exit-' || trade_id, trade_id, 'exit', 1, ticker, 'ask', 0.60, 10, 10, 0,
    'filled', 'old-exit-' || trade_id, $1, opened_at, opened_at
FROM trades WHERE state = 'closed'
"""
FILLS = """
INSERT INTO fills (fill_id, venue_order_id, ticker, book_side, price, quantity, fee, is_taker, at)
SELECT 'fill-' || venue_order_id, venue_order_id, ticker, book_side, price, quantity, 0.17, true, created_at
FROM orders WHERE filled > 0
"""
AUDIT = """
INSERT INTO audit_log (at, kind, trade_id, detail)
SELECT now() - interval '30 days' + each * interval '1 second', 'order pending', 1 + each % $2,
    '{"price": "0.5200", "quantity": "10.00", "why": "model gives yes 61.0%"}'
FROM generate_series(1, $1) AS each
"""
OPENING = """
INSERT INTO opening_balances (at, venue_balance, ledger_cash, halts_before)
SELECT now(), $1, coalesce(sum(amount), 0), 0 FROM ledger_balances WHERE account = 'cash'
"""


@dataclass(frozen=True, slots=True)
class Databases:
    server: EmbeddedServer

    def fresh(self, name: str, orders: int = 0, audit_rows: int = 0) -> str:
        """The DSN of a new database with half an hour of prices, and with so many rows of the past."""
        return anyio.run(fresh, self.server, name, orders, audit_rows)

    def refresh_prices(self, dsn: str) -> None:
        """Prices up to now, as a daemon leaves them that was stopped a moment ago."""
        anyio.run(_refresh_prices, dsn)


@contextmanager
def databases(root: Path) -> Iterator[Databases]:
    root.chmod(0o711)
    server = anyio.run(start_embedded, root / "server")
    try:
        yield Databases(server)
    finally:
        anyio.run(stop_embedded, server)


async def fresh(server: EmbeddedServer, name: str, orders: int = 0, audit_rows: int = 0) -> str:
    """The DSN of a new database with half an hour of prices, and with so many rows of the past."""
    dsn = await server.ensure_database(name)
    async with open_pool(dsn, application_name="bench") as pool, transaction(pool) as connection:
        await ensure_schema(connection)
    await _refresh_prices(dsn)
    if orders:
        await _age(dsn, orders, audit_rows)
    return dsn


async def _refresh_prices(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("DELETE FROM price_seconds")
        now = await connection.fetchval("SELECT extract(epoch FROM now())::bigint")
        await connection.execute(PRICES, STRIKE, int(SWING), SWING_SECONDS, now, HISTORY_SECONDS)
    finally:
        await connection.close()


async def _age(dsn: str, orders: int, audit_rows: int) -> None:
    """In all about `orders` orders; a sold trade has two. The guards against such rows are off for this session."""
    trades = orders * SOLD_SHARE // (SOLD_SHARE + 1)
    connection = await asyncpg.connect(dsn, command_timeout=120)
    try:
        await connection.execute("SET session_replication_role = replica")
        fencing = await connection.fetchval(RUN)
        await connection.execute(TRADES, trades, SOLD_SHARE)
        await connection.execute(ENTRIES, fencing)
        await connection.execute(EXITS, fencing)
        await connection.execute(FILLS)
        await connection.execute("SET session_replication_role = origin")
        await connection.execute("SELECT post_fill(fill_id) FROM fills")
        await connection.execute("SELECT count_anew()")
        await connection.execute(OPENING, CASH)
        await connection.execute(AUDIT, audit_rows, trades)
        await connection.execute("ANALYZE")
    finally:
        await connection.close()
