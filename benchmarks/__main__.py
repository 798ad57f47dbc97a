"""`make bench`: what a book delta, a decision and a durable intention cost, each against its floor."""

from __future__ import annotations

import heapq
import json
import math
import random
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import anyio
import asyncpg

from recio.db import trade_store
from recio.db.connection import transaction
from recio.db.embedded import embedded_server
from recio.db.migrations import migrate, schema_text
from recio.db.pool import open_pool
from recio.kalshi.frames import parse_frame
from recio.messages.controls import TradingControls
from recio.messages.prices import Momentum
from recio.rules.account.risk import Approved, Collar
from recio.rules.decision.entry import EntryInputs, decide
from recio.rules.market.order_book import BookDeltaSeen, BookSnapshotSeen, SequencedBooks
from recio.rules.pricing.average_fit import FITTED
from recio.rules.pricing.empirical import (
    COLUMNS,
    HORIZONS,
    STEP,
    Bucket,
    EmpiricalTable,
    ends_above,
    slice_at,
)
from recio.rules.pricing.model import AVERAGE, Reader
from recio.rules.pricing.settlement_average import forecast
from recio.settings.risk import RiskSection
from recio.settings.trading import EntrySection
from recio.units import Money, Ticker
from tests.builders import NOW, account, board, book, market, open_trades, price, prices, section, view
from tests.runs import begun
from tests.tasks.test_order_path_tasks import an_intent

DELTAS = 50_000
ROUNDS = 5
COMMITS = 200
MANY = 1_000_000
BOUNDLESS = section(
    RiskSection,
    max_entries_per_event=MANY,
    max_event_cost_dollars=Decimal(MANY),
    max_open_trades=MANY,
    max_open_cost_dollars=Decimal(MANY),
    max_daily_loss_dollars=Decimal(MANY),
    max_orders_per_minute=MANY,
)


def frames() -> list[bytes]:
    """A snapshot and a walk of deltas that look like those of a fifteen-minute market."""
    dice = random.Random(1)
    levels = [[f"{cent / 100:.4f}", "500.00"] for cent in range(1, 50)]
    head = {"market_ticker": "KXBTC15M-BENCH", "yes_dollars_fp": levels, "no_dollars_fp": levels}
    made = [json.dumps({"type": "orderbook_snapshot", "sid": 2, "seq": 1, "msg": head}).encode()]
    for seq in range(2, DELTAS + 2):
        body = {
            "market_ticker": "KXBTC15M-BENCH",
            "price_dollars": f"{dice.randint(1, 49) / 100:.4f}",
            "delta_fp": f"{dice.choice((50, 7.25, 1)):.2f}",
            "side": dice.choice(("yes", "no")),
            "ts_ms": seq,
        }
        made.append(json.dumps({"type": "orderbook_delta", "sid": 2, "seq": seq, "msg": body}).encode())
    return made


def best_of(work: Callable[[], object]) -> float:
    """Seconds of the fastest round: the one that the machine disturbed least."""
    times: list[float] = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)


def rebuild(made: list[bytes]) -> None:
    books = SequencedBooks()
    for raw in made:
        seen = parse_frame(raw)
        if isinstance(seen, BookDeltaSeen):
            books.delta(seen)
        elif isinstance(seen, BookSnapshotSeen):
            books.snapshot(seen)


def books_against_json() -> str:
    made = frames()
    floor = best_of(lambda: [json.loads(raw) for raw in made])
    ours = best_of(lambda: rebuild(made))
    return line("book delta, bytes to book", ours / len(made), floor / len(made), "json.loads alone")


def decision_against_model() -> str:
    seen = EntryInputs(
        board=board(view(levels=book(4900, 5100))),
        prices=prices(),
        trades=open_trades(),
        account=account(),
        controls=TradingControls(),
    )
    settings, cycles = EntrySection(enabled=True), 2_000
    ours = best_of(lambda: [decide(seen, settings, NOW) for _ in range(cycles)]) / cycles
    floor = best_of(lambda: [one_probability() for _ in range(cycles)]) / cycles
    return line("one cycle of entry, one strike", ours, floor, "its probability alone")


def one_probability() -> float:
    return forecast(84_010.0, 0.00007, 600.0, (), FITTED).above(84_000.0)


def average_against_normals() -> str:
    """A ladder of 200 strikes by the settlement average as a cycle asks for it, against the normals it is made of."""
    ladder = [
        market(
            ticker=Ticker(f"KXBTCD-26NOV2312-T{84_000 + 10 * each}"), floor_strike=Decimal(84_000 + 10 * each)
        )
        for each in range(-100, 100)
    ]
    seen = price()

    def probabilities() -> None:
        reader = Reader(AVERAGE)
        for each in ladder:
            reader.probability(each, seen, NOW)

    def normals() -> None:
        for each in range(-200, 200):
            math.erfc(each / 100)

    rounds = 50
    ours = best_of(lambda: [probabilities() for _ in range(rounds)]) / rounds
    floor = best_of(lambda: [normals() for _ in range(rounds)]) / rounds
    return line("settlement-average ladder of 200", ours, floor, "400 calls of erfc")


def tables_against_search() -> str:
    """A ladder of 200 strikes from a table, against searching its cells for the nearest four of each strike."""
    rows = tuple(
        tuple(0.5 * (1 - column / COLUMNS) ** (1 + 3 / minute) for column in range(COLUMNS))
        for minute in range(1, HORIZONS + 1)
    )
    table = EmpiricalTable(
        digest="bench", symbol="BTC", buckets={0: Bucket(samples=1_000, up=rows, down=rows)}
    )
    calm, strikes = Momentum(bp=0.0, whole=True), [84_000 + 10 * each for each in range(-100, 100)]
    cells = [
        (60 * minute, column * STEP, rows[minute - 1][column])
        for minute in range(1, 61)
        for column in range(COLUMNS)
    ]

    def ladder() -> None:
        at = slice_at(table, calm, 754.0)
        assert at is not None
        for strike in strikes:
            ends_above(at, 84_000.0, strike)

    def search() -> None:
        for strike in strikes[::40]:
            move = abs(strike / 84_000 - 1)
            near = heapq.nsmallest(
                4, cells, key=lambda cell: abs(cell[0] - 754) / 60 + abs(cell[1] - move) / STEP
            )
            sum(share for _, _, share in near)

    rounds = 50
    ours = best_of(lambda: [ladder() for _ in range(rounds)]) / rounds
    return line(
        "empirical ladder of 200 strikes", ours, best_of(search) * 40, "searching all cells for each strike"
    )


async def intention_against_commit() -> str:
    with tempfile.TemporaryDirectory(prefix="recio-bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)
        async with embedded_server(Path(folder) / "data") as server:
            dsn = await server.ensure_database("bench")
            async with open_pool(dsn, application_name="bench") as pool:
                return await _commits(pool)


async def _commits(pool: asyncpg.Pool[asyncpg.Record]) -> str:
    async with transaction(pool) as connection:
        await migrate(connection, schema_text())
        await connection.execute("CREATE TABLE floor (x int)")
        writer = await begun(connection, BOUNDLESS)

    async def intend(number: int) -> None:
        intent = an_intent(datetime.now(UTC), Ticker(f"KX-{number}"))
        collar = Collar(ask=intent.limit, model_value=Decimal("0.55"))
        async with transaction(pool) as connection:
            await trade_store.place_entry(
                connection,
                writer,
                Approved(intent=intent, reserved=Money(1), collar=collar),
                intent.decided_at,
                timedelta(1),
            )

    async def insert(number: int) -> None:
        async with transaction(pool) as connection:
            await connection.execute("INSERT INTO floor VALUES ($1)", number)

    return line("durable intention", await _median(intend), await _median(insert), "one-row commit")


async def _median(work: Callable[[int], Awaitable[None]]) -> float:
    times: list[float] = []
    for number in range(COMMITS):
        began = time.perf_counter()
        await work(number)
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def line(name: str, ours: float, floor: float, against: str) -> str:
    return f"{name:34} {ours * 1e6:10.1f} µs   {ours / floor:6.2f} x {against} ({floor * 1e6:.1f} µs)"


def main() -> None:
    for measure in (
        books_against_json,
        average_against_normals,
        decision_against_model,
        tables_against_search,
    ):
        print(measure())
    print(anyio.run(intention_against_commit))


if __name__ == "__main__":
    main()
