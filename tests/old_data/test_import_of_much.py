"""That an import of much is an import of little, longer: what it does for a row does not grow with the rows, nor what it holds at once."""

from __future__ import annotations

import gc
import tracemalloc
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from benchmarks import old_rows
from recio.commands import import_old
from recio.old_data import price_log, sqlite_files, staging
from recio.old_data.price_log import PriceSpool
from recio.old_data.reading import Reader
from recio.old_data.rebuild import Records
from recio.old_data.records import Fill, LedgerRow
from recio.old_data.report import Found, trades_of
from tests.test_counted_work import calls

FIRST = datetime(2025, 8, 20, tzinfo=UTC)


def one_market(trades: int) -> Records:
    """That many entries of one order each on one market, sold by every second one, each with a ledger row that errs."""
    of = Records("T")
    for number in range(trades):
        at = FIRST + timedelta(seconds=number)
        of.fills.append(
            Fill(
                fill_id=f"{number}",
                order_id=f"{number}",
                ticker="T",
                side="no" if number % 4 == 3 else "yes",
                action="buy",
                quantity=Decimal(5),
                price=Decimal("0.5"),
                fee=None,
                at=at,
                doubtful=False,
                trust=3,
            )
        )
        of.ledger.append(
            LedgerRow(
                key=f"{number:09}",
                old_row=f"{number}",
                ticker="T",
                side="yes",
                status="closed",
                quantity=Decimal(7),
                buy_price=Decimal("0.9"),
                sell_price=Decimal("0.1"),
                fees=None,
                pnl=Decimal(3),
                win_loss="W",
                opened_at=at if number % 3 else None,
                closed_at=None,
                doubtful=False,
                strategy="",
                entry_method="",
                close_method="",
                is_test=False,
                has_fees=True,
                whole=True,
                original="",
            )
        )
    return of


def test_trades_of_one_market_are_rebuilt_in_proportion_to_their_number():
    def work(trades: int) -> int:
        of = one_market(trades)
        return calls(lambda: list(trades_of(of, lambda _told: None)))

    few, many = work(100), work(1_000)
    assert many < 11 * few


def peak(folder: Path, fills: int) -> int:
    """Bytes that reading and rebuilding an account of so many fills holds at once."""
    source = folder / f"{fills}"
    old_rows.account(source / "prod", source, fills)
    reader = Reader(
        mode="prod",
        spool=PriceSpool(source / "prices"),
        staging=staging.Staging(source / "records"),
        seen={},
        say=lambda _words: None,
    )
    found = Found()
    gc.collect()
    tracemalloc.start()
    try:
        reader.read(str(source))
        reader.settle_on(None)
        report = import_old.rebuilt_of_sources(reader, found)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        reader.staging.close()
        found.close()
        assert report.totals["fills"] == fills // 7 * 7


def test_memory_hardly_grows_with_the_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(staging, "BATCH", 50)
    monkeypatch.setattr(sqlite_files, "BATCH", 50)
    peak(tmp_path, 70)
    few, many = peak(tmp_path, 350), peak(tmp_path, 1_400)
    records = 2_850  # fills, orders, settlements, ledger rows of the 1,050 fills between
    assert (
        many - few
    ) / records < 200  # the names of the ledger's tickets; a record in memory is several times that


def test_what_breaks_off_within_a_price_log_takes_no_second_from_the_next_source(tmp_path: Path):
    spool = PriceSpool(tmp_path / "prices")
    rows = [("2025-08-20T13:00:00", 1.5), ("2025-08-20T13:00:01", 1.5)]
    begin = spool.mark()

    def broken():
        yield from rows
        raise OSError("cut off")

    with pytest.raises(OSError, match="cut off"):
        spool.add("BTC", broken(), 0, 1)
    spool.back_to(begin)
    assert spool.add("BTC", rows, 0, 1)[0] == 2
    assert spool.count == 2
    assert len((tmp_path / "prices").read_text().splitlines()) == 2
    assert price_log.LINES > 2
