"""What a later import promises: it takes what is new and nothing else, and comes to what one import of everything would have come to."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import asyncpg
import pytest

from recio.old_data import blocks as block_sums
from recio.old_data import records
from recio.old_data.blocks import blocks
from tests.old_data import old_system as old
from tests.old_data.old_system import LATER, OTHER, STRIKE
from tests.old_data.test_import import ITS_ORDERS, ROUND_TRIP, config_file, figures, imported

TABLES = (*old.ROWS_OF_AN_IMPORT, "imported_trade_fills", "imported_disagreements")
LONG_AGO = [
    old.fill(100 + each, "yes", 1, 0.5, ticker=f"{OTHER}{each // 2}", created_time="2025-08-20T17:00:00Z")
    for each in range(400)
]
Report = dict[str, Any]


@pytest.fixture
async def second_dsn(database_dsn: str):
    """Another database of the same server, for the import of everything at once."""
    connection = await asyncpg.connect(database_dsn)
    try:
        first = await connection.fetchval("SELECT current_database()")
        name = f"again_{first}"
        await connection.execute(f'CREATE DATABASE "{name}"')
        yield database_dsn.replace(f"/{first}?", f"/{name}?")
        await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    finally:
        await connection.close()


async def took(*paths: Path, options: tuple[str, ...]) -> Report:
    return await anyio.to_thread.run_sync(lambda: imported(*paths, options=options))


async def rows(dsn: str) -> dict[str, list[str]]:
    connection = await asyncpg.connect(dsn)
    try:
        return {
            each: sorted(str(tuple(row)) for row in await connection.fetch(f"SELECT * FROM {each}"))
            for each in TABLES
        }
    finally:
        await connection.close()


def account(folder: Path) -> Path:
    return folder / "backend/data/users/user_0001/accounts/kalshi/prod"


def changed(file: Path, *statements: str) -> None:
    with closing(sqlite3.connect(file)) as writer:
        for each in statements:
            writer.execute(each)
        writer.commit()


def ledger(folder: Path) -> Path:
    return folder / "backend/data/users/user_0001/trade_history/trades.db"


def more_fills(folder: Path) -> None:
    with closing(sqlite3.connect(account(folder) / "fills.db")) as writer:
        old.add(writer, "fills", ROUND_TRIP[2:])


def a_result(folder: Path) -> None:
    with closing(sqlite3.connect(account(folder) / "settlements.db")) as writer:
        old.add(writer, "settlements", [old.settlement("yes", 1, 0.5, 1.0, f"{OTHER}7")])


def a_row_that_ends(folder: Path) -> None:
    changed(ledger(folder), "UPDATE trades SET status = 'closed', sell_price = 0.9, pnl = -6.5 WHERE id = 1")


def a_twin(folder: Path) -> None:
    """A second ticket of the same second on the same market."""
    with closing(sqlite3.connect(ledger(folder))) as writer:
        old.add(writer, "trades", [old.trade(1, "yes", 3, 0.5, id=1_000, ticket_id="TICKET-other")])


def cents_at_last(folder: Path) -> None:
    """Figures that were taken for rounded are not: every row of the ledger reads otherwise."""
    with closing(sqlite3.connect(ledger(folder))) as writer:
        old.add(writer, "trades", [old.trade(5, "no", 3, 0.5, LATER, id=1_001, pnl=1.23, fees=0.07)])


def an_order_that_finished(folder: Path) -> None:
    """REPLACE puts a row at the end, as the old system did."""
    changed(
        account(folder) / "orders.db",
        "UPDATE orders SET id = 9999, taker_fees = 31, fill_count = 101 WHERE order_id = 'order-1'",
    )


def made(folder: Path) -> Path:
    ledger_rows = [old.trade(1, "yes", 100, 0.96, status="open")] + [
        old.trade(2, "yes", 1, 0.5, f"{OTHER}{each}", id=10 + each, pnl=1, fees=1, sell_price=1.0)
        for each in range(200)
    ]
    old.recio_folder(
        folder, fills=[*ROUND_TRIP[:2], *LONG_AGO], orders=ITS_ORDERS, trades=ledger_rows, settlements=[]
    )
    return folder


CHANGES = (more_fills, a_result, a_row_that_ends, a_twin, cents_at_last, an_order_that_finished)


@pytest.mark.parametrize("change", CHANGES, ids=lambda each: each.__name__)
async def test_an_import_and_a_later_one_come_to_what_one_import_of_everything_comes_to(
    tmp_path: Path, database_dsn: str, second_dsn: str, change: Callable[[Path], None]
):
    source = made(tmp_path / "old")
    options = ("--config", str(config_file(tmp_path, database_dsn)))
    await took(source, options=options)
    change(source)
    before = await rows(database_dsn)
    later = await took(source, options=options)
    (tmp_path / "other").mkdir()
    whole = await took(source, options=("--config", str(config_file(tmp_path / "other", second_dsn))))
    assert await rows(database_dsn) == await rows(second_dsn) != before
    for each in ("totals", "trades", "net_pnl", "disagreements", "refused"):
        assert later[each] == whole[each], each
    again = await took(source, options=options)
    assert set(again["imported"].values()) == {0}
    assert await rows(database_dsn) == await rows(second_dsn)


def parsed(monkeypatch: pytest.MonkeyPatch, work: Callable[[], Report]) -> tuple[Report, int]:
    """How many rows of the venue it took apart."""
    count = 0
    fill_of = records.fill_of

    def counting(row: Any, layout: str) -> Any:
        nonlocal count
        count += 1
        return fill_of(row, layout)

    monkeypatch.setattr(records, "fill_of", counting)
    try:
        return work(), count
    finally:
        monkeypatch.setattr(records, "fill_of", fill_of)


def test_what_was_taken_is_not_taken_apart_again(
    tmp_path: Path, database_dsn: str, monkeypatch: pytest.MonkeyPatch
):
    source = made(tmp_path / "old")
    options = ("--config", str(config_file(tmp_path, database_dsn)))
    first, count = parsed(monkeypatch, lambda: imported(source, options=options))
    assert count == 402
    again, count = parsed(monkeypatch, lambda: imported(source, options=options))
    assert (count, again["trades"]) == (0, first["trades"])
    more_fills(source)
    delta, count = parsed(monkeypatch, lambda: imported(source, options=options))
    assert 0 < count < 402 / 2
    assert delta["imported"]["fills"] == 1
    moved = tmp_path / "moved"
    source.rename(moved)
    _, count = parsed(monkeypatch, lambda: imported(moved, options=options))
    assert count == 0


def test_what_an_older_reading_took_is_taken_again(
    tmp_path: Path, database_dsn: str, monkeypatch: pytest.MonkeyPatch
):
    source = made(tmp_path / "old")
    options = ("--config", str(config_file(tmp_path, database_dsn)))
    imported(source, options=options)
    for module in ("recio.old_data.blocks", "recio.old_data.parts", "recio.db.imported"):
        monkeypatch.setattr(f"{module}.READING", block_sums.READING + 1)
    again, count = parsed(monkeypatch, lambda: imported(source, options=options))
    assert count == 402
    assert set(again["imported"].values()) == {0}


def test_rows_that_cannot_be_read_are_named_at_every_import(tmp_path: Path, database_dsn: str):
    bad = [old.fill(1, "yes", 0, 0.5), old.fill(2, "perhaps", 1, 0.5)]
    old.recio_folder(tmp_path / "old", fills=[*bad, *LONG_AGO])
    options = ("--config", str(config_file(tmp_path, database_dsn)))
    first, again = (imported(tmp_path / "old", options=options) for _ in range(2))
    named = [each["field"] for each in first["disagreements"] if each["field"] in ("count", "side")]
    assert named == ["count", "side"]
    assert again["disagreements"] == first["disagreements"]


def test_two_records_of_one_fill_that_differ_stay_named(tmp_path: Path, database_dsn: str):
    one = old.sqlite(tmp_path / "a/fills.db", "fills", old.FILLS, ROUND_TRIP)
    other = old.sqlite(
        tmp_path / "b/fills.db", "fills", old.FILLS, [ROUND_TRIP[0] | {"count": 61}, *ROUND_TRIP[1:]]
    )
    options = ("--config", str(config_file(tmp_path, database_dsn)))
    reports = [imported(one, other, options=options) for _ in range(2)]
    for report in reports:
        assert [each["old_row"] for each in report["disagreements"] if each["field"] == "fill"] == ["fill-1"]


def test_a_ledger_row_whose_market_the_other_account_traded_comes_once_this_one_has_a_fill_there(
    tmp_path: Path, database_dsn: str
):
    old.recio_folder(tmp_path / "old", "demo", fills=[old.fill(9, "yes", 10, 0.5, ticker=OTHER)])
    user = tmp_path / "old/backend/data/users/user_0001"
    fills = old.sqlite(account(tmp_path / "old") / "fills.db", "fills", old.FILLS, ROUND_TRIP)
    with closing(sqlite3.connect(user / "trade_history/trades.db")) as writer:
        old.add(writer, "trades", [old.trade(1, "yes", 100, 0.96), old.trade(2, "yes", 10, 0.5, OTHER)])
    options = ("--config", str(config_file(tmp_path, database_dsn)))
    first = imported(tmp_path / "old", options=options)
    assert [each["ticker"] for each in first["trades"]] == [STRIKE]
    with closing(sqlite3.connect(fills)) as writer:
        old.add(writer, "fills", [old.fill(50, "yes", 10, 0.5, ticker=OTHER, created_time="2025-08-20T17:32:00Z")])  # fmt: skip
    later = imported(tmp_path / "old", options=options)
    (found,) = (each for each in later["trades"] if each["ticker"] == OTHER)
    assert found["old"]["row"] == "2"


async def test_every_part_of_a_fill_is_of_one_trade_and_the_parts_come_to_the_trades_figures(
    tmp_path: Path, database_dsn: str
):
    fills = [
        old.fill(1, "yes", 7, 0.90, "order-1"),
        old.fill(2, "yes", 3, 0.91, "order-1"),
        old.fill(3, "yes", 5, 0.80, "order-3"),
        old.fill(4, "no", 18, 0.20, "order-4"),
    ]
    orders = [
        old.order(1, "yes", 10, 903, 10),
        old.order(3, "yes", 5, 400, 3),
        old.order(4, "no", 18, 360, 11),
    ]
    old.recio_folder(tmp_path / "old", fills=fills, orders=orders)
    report = await took(tmp_path / "old", options=("--config", str(config_file(tmp_path, database_dsn))))
    assert figures(report)[:2] == [
        (STRIKE, "10.00 yes", "-1.191111"),
        (STRIKE, "5.00 yes", "-0.060556"),
    ]
    connection = await asyncpg.connect(database_dsn)
    try:
        of_fills = await connection.fetch(
            "SELECT f.fill_id, f.quantity, sum(p.quantity) AS parts FROM imported_fills AS f"
            " JOIN imported_trade_fills AS p USING (mode, fill_id) GROUP BY f.fill_id, f.quantity"
        )
        assert len(of_fills) == 4
        assert all(row["quantity"] == row["parts"] for row in of_fills)
        apart = await connection.fetch(
            "SELECT t.number FROM imported_trades AS t JOIN LATERAL (SELECT"
            " coalesce(sum(quantity * price) FILTER (WHERE NOT is_exit), 0) AS cost,"
            " coalesce(sum(quantity * price) FILTER (WHERE is_exit), 0) AS proceeds, sum(fee) AS fees"
            " FROM imported_trade_fills AS p WHERE p.ticker = t.ticker AND p.number = t.number) AS s ON true"
            " WHERE (s.cost, s.proceeds, s.fees) IS DISTINCT FROM (t.entry_cost, t.exit_proceeds, t.fees)"
        )
        assert not apart
        fees = await connection.fetchval("SELECT sum(fee) FROM imported_trade_fills")
        assert f"{fees:.6f}" == "0.240000"
    finally:
        await connection.close()


def row_numbers(found: list[list[Any]]) -> list[int]:
    return [row[0] for rows in found for row in rows]


def test_a_row_that_comes_or_goes_costs_its_own_block_alone():
    many = [(each, f"row {each}", None, each / 7) for each in range(5_000)]
    sums = [each.sum for each in blocks(many, "fills")]
    assert row_numbers([each.rows for each in blocks(many, "fills")]) == [each[0] for each in many]
    fewer = [each.sum for each in blocks(many[:2_000] + many[2_001:], "fills")]
    assert len(set(sums) ^ set(fewer)) <= 4 < len(sums)
    assert not {each.sum for each in blocks(many, "orders")} & set(sums)
