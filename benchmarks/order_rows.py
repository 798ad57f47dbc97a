"""What the rows of an order cost: entry, answer, fill and exit, each against one durable row, in a young and in an old database.

`python -m benchmarks.order_rows 720000` has so many trades in the old one: 1,008,400 orders, made in some two minutes.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Awaitable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import anyio
import asyncpg

from recio.db import held_rows, trade_store
from recio.db.connection import transaction
from recio.db.embedded import embedded_server
from recio.db.own_connection import OwnConnection, own_connection
from recio.db.pool import open_pool
from recio.db.schema import ensure_schema
from recio.db.trade_store import Writer
from recio.messages.account import FillSeen, VenueFact
from recio.messages.decisions import CloseIntent
from recio.messages.orders import OrderAccepted, OrderOutcome, PlaceOrder
from recio.rules.account.risk import Approved, Collar
from recio.settings.risk import RiskSection
from recio.units import FillId, Money, Price, Quantity, Ticker, VenueOrderId
from tests.builders import section
from tests.history import add_history
from tests.order_path import an_intent
from tests.runs import begun

ROUNDS = 200
OLD = 80_000
"""Trades of the old database; with their exits they are more than 100,000 orders."""
MANY = 1_000_000
BOUNDLESS = section(
    RiskSection,
    max_entries_per_event=MANY,
    max_daily_loss_dollars=Decimal(MANY),
    max_orders_per_minute=MANY,
    max_consecutive_losses=MANY,
)
FLOOR = "INSERT INTO floor VALUES ($1) RETURNING x"
SOON = timedelta(seconds=2)


@dataclass(slots=True)
class _Bench:
    own: OwnConnection
    writer: Writer
    times: dict[str, list[float]] = field(default_factory=lambda: defaultdict[str, list[float]](list))

    async def timed(self, name: str, work: Awaitable[object]) -> object:
        began = time.perf_counter()
        done = await work
        self.times[name].append(time.perf_counter() - began)
        return done

    async def round(self, number: int) -> None:
        """One trade from its entry to its sale, so that never more than one is live, and one row to compare with."""
        await self.timed("floor", self.own.fetchrow(FLOOR, number))
        now = datetime.now(UTC)
        intent = an_intent(now, Ticker(f"KX-{number}"))
        collar = Collar(ask=intent.limit, model_value=Decimal("0.55"))
        approved = Approved(intent=intent, reserved=Money(1), collar=collar)
        entry = await self.timed("entry", trade_store.place_entry(self.own, self.writer, approved, now, SOON))
        assert isinstance(entry, trade_store.Placed), entry
        await self._filled(entry.command)
        assert entry.written.trade is not None
        close = CloseIntent(
            trade_id=entry.written.trade.trade_id,
            exchange_index=2,
            quantity=Quantity(1000),
            floor=Price(5200),
            decided_at=now,
            why="bench",
        )
        sale = await self.timed("exit", trade_store.place_exit(self.own, self.writer, close, now, SOON))
        assert isinstance(sale, trade_store.Placed)
        await self._filled(sale.command)
        await self.timed("compared", held_rows.load(self.own, now))

    async def _filled(self, order: PlaceOrder) -> None:
        name, now = VenueOrderId(f"v-{order.client_order_id}"), datetime.now(UTC)
        accepted = OrderAccepted(
            client_order_id=order.client_order_id,
            venue_order_id=name,
            filled=order.quantity,
            remaining=Quantity(0),
            at=now,
        )
        fill = FillSeen(
            fill_id=FillId(name),
            venue_order_id=name,
            ticker=order.ticker,
            book_side=order.book_side,
            price=order.price,
            quantity=order.quantity,
            fee=Money(1),
            is_taker=True,
            at=now,
        )
        await self.timed("answer", self._answer(accepted))
        await self.timed("fill", self._fact(fill, now))

    async def _answer(self, outcome: OrderOutcome) -> None:
        async with self.own.transaction() as connection:
            await trade_store.record_outcome(connection, outcome)

    async def _fact(self, fact: VenueFact, now: datetime) -> None:
        async with self.own.transaction() as connection:
            await trade_store.record_fact(connection, fact, now)


def lines(old: int = OLD) -> list[str]:
    return anyio.run(_lines, old)


async def _lines(old: int) -> list[str]:
    with tempfile.TemporaryDirectory(prefix="recio-bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)
        async with embedded_server(Path(folder) / "data") as server:
            dsn = await server.ensure_database("order_rows")
            async with open_pool(dsn, application_name="bench") as pool:
                return await _both(pool, old)


async def _both(pool: asyncpg.Pool[asyncpg.Record], old: int) -> list[str]:
    async with transaction(pool) as connection:
        await ensure_schema(connection)
        await connection.execute("CREATE TABLE floor (x int)")
        writer = await begun(connection, BOUNDLESS)
    said: list[str] = []
    for name, first, last in (("young", 1, 100), ("old", 101, old)):
        async with pool.acquire() as connection:
            await add_history(connection, first, last)
            # As rows lie that came over a year: autovacuum has been there, and their pages are on the disk.
            await connection.execute("VACUUM ANALYZE", timeout=600)
            await connection.execute("CHECKPOINT", timeout=600)
            orders = await connection.fetchval("SELECT count(*) FROM orders")
        said += await _measured(pool, writer, f"{name}, {orders:,} orders", first)
    return said


async def _measured(pool: asyncpg.Pool[asyncpg.Record], writer: Writer, name: str, first: int) -> list[str]:
    async with own_connection(pool) as own:
        await own.prepare(trade_store.PLACE_ENTRY, trade_store.PLACE_EXIT, held_rows.LOAD, FLOOR)
        bench = _Bench(own, writer)
        for number in range(ROUNDS):
            await bench.round(first * 1_000 + number)
    medians = {what: statistics.median(times) for what, times in bench.times.items()}
    floor = medians.pop("floor")
    return [
        f"{f'rows: {what} ({name})':44} {took * 1e6:9.1f} µs   {took / floor:6.2f} x one durable row ({floor * 1e6:.1f} µs)"
        for what, took in medians.items()
    ]


def main() -> None:
    for each in lines(*map(int, sys.argv[1:2])):
        print(each)


if __name__ == "__main__":
    main()
