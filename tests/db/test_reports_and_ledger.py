"""What trades came to is what the ledger has, whichever way they ended, and beside trades that were never real."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import TypeAlias

import anyio
import asyncpg

from recio.db import lots as lot_rows
from recio.db.connection import transaction
from recio.messages.account import FillSeen, SettlementSeen
from recio.messages.orders import OrderAccepted
from recio.units import (
    BookSide,
    EventTicker,
    FillId,
    Money,
    Price,
    Quantity,
    Side,
    Ticker,
    VenueOrderId,
    money_decimal,
)
from recio.wires import Wires
from tests.builders import NOW, TICKER
from tests.db.test_past_trades import IMPORTED, recio
from tests.order_path import an_intent, managed, seen

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
ON_PAPER = """
    INSERT INTO paper_trades (strategy, ticker, event_ticker, side, quantity, cost, fees, probability, why, decided_at, closes_at,
        result, settled_at)
    VALUES ('paper', 'KX-OTHER', 'E', 'yes', 10, 5, 0.1, 0.6, 'test', '2026-01-01', '2026-01-02', 'yes', '2026-01-02')
"""
SCALAR, PART, CORRECTED = Ticker("KX-OTHER"), Ticker("KX-FRESH"), TICKER


async def bought_in_parts(wires: Wires, ticker: Ticker, *parts: tuple[int, int, int]) -> None:
    """An entry whose fills have (price, contracts in hundredths, fee); a fee below zero is a rebate."""
    event = EventTicker(f"of {ticker}")  # no more than two entries are made in one
    await wires.open_intents.send(replace(an_intent(ticker=ticker), event_ticker=event))
    with anyio.fail_after(30):
        command = await wires.orders.receive()
    name, filled = VenueOrderId(f"v-{ticker}"), sum(contracts for _, contracts, _ in parts)
    await wires.outcomes.send(
        OrderAccepted(
            client_order_id=command.client_order_id,
            venue_order_id=name,
            filled=Quantity(filled),
            remaining=Quantity(0),
            at=NOW,
        )
    )
    for number, (price, contracts, fee) in enumerate(parts):
        await wires.venue_facts.send(
            FillSeen(
                fill_id=FillId(f"f-{ticker}-{number}"),
                venue_order_id=name,
                ticker=ticker,
                book_side=BookSide.BID,
                price=Price(price),
                quantity=Quantity(contracts),
                fee=Money(fee),
                is_taker=fee > 0,
                at=NOW,
            )
        )


def ended(ticker: Ticker, value: int, later: int = 0) -> SettlementSeen:
    side = {0: Side.NO, 10_000: Side.YES}.get(value)
    at = NOW + timedelta(minutes=10, seconds=later)
    return SettlementSeen(ticker=ticker, result=side, settled_at=at, revenue_cents=0, value=Price(value))


async def test_reports_trades_and_lots_are_the_ledgers_to_the_last_digit(
    pool: Pool, database_dsn: str, tmp_path: Path
):
    async with managed(pool) as wires:
        await bought_in_parts(wires, SCALAR, (5_100, 333, 58_201), (5_200, 667, -10_003))
        await bought_in_parts(wires, PART, (4_900, 601, -7))
        await bought_in_parts(wires, CORRECTED, (5_200, 1_000, 174_800))
        for settlement in (ended(SCALAR, 3_333), ended(PART, 0), ended(CORRECTED, 0)):
            await wires.venue_facts.send(settlement)
        await seen(wires, lambda w: (now := w.open_trades.get()) is not None and not now.trades)
        await wires.venue_facts.send(ended(CORRECTED, 10_000, later=60))
        while await pool.fetchval("SELECT max(revision) FROM settlements") < 2:
            pass
    async with transaction(pool) as connection:
        await connection.execute(IMPORTED)
        await connection.execute(ON_PAPER)
        cash, fees = await lot_rows.ledger_says(connection)
    config = tmp_path / "recio.toml"
    config.write_text(f'[database]\ndsn = "{database_dsn}"\n', encoding="utf-8")
    report = json.loads((await recio(config, "report", "--json")).stdout)
    assert (report["trades"], report["held"], report["wins"]) == (3, 0, 1)
    assert Decimal(report["net_pnl"]) == money_decimal(cash)
    assert Decimal(report["fees"]) == money_decimal(fees)
    assert Decimal(report["gross_pnl"]) == money_decimal(Money(cash + fees))
    rows = list(csv.DictReader(io.StringIO((await recio(config, "trades", "--csv")).stdout.decode())))
    assert sum(Decimal(row["net_pnl"]) for row in rows) == money_decimal(cash)
    assert {row["ticker"]: row["payout"] for row in rows} == {
        SCALAR: "3.333000",
        PART: "0.000000",
        CORRECTED: "10.000000",
    }
    lots = await recio(config, "lots")
    assert lots.returncode == 0, lots.stderr
    taken = csv.DictReader(io.StringIO(lots.stdout.decode()))
    assert sum(Decimal(row["net"]) for row in taken) == money_decimal(cash)
