"""What an import promises: the venue's word before the ledger's, exact money, every layout, and nothing of a broken source."""

from __future__ import annotations

import argparse
import json
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing, redirect_stdout
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from recio.commands import import_old
from tests.old_data import old_system as old
from tests.old_data.old_system import LATER, OTHER, STRIKE

Report = dict[str, Any]
ROUND_TRIP = [
    old.fill(1, "yes", 60, 0.96, "order-1"),
    old.fill(2, "yes", 40, 0.97, "order-1"),
    old.fill(3, "no", 100, 0.10),
]
ITS_ORDERS = [old.order(1, "yes", 100, 9640, 27), old.order(3, "no", 100, 1000, 63)]


def imported(
    *paths: Path | str, mode: str = "prod", code: int = 0, options: Sequence[str] = ("--dry-run",)
) -> Report:
    """What the command prints, run in this process."""
    parser = argparse.ArgumentParser()
    import_old.add_options("import", parser)
    out = StringIO()
    with redirect_stdout(out):
        assert (
            import_old.run(parser.parse_args([*map(str, paths), "--mode", mode, "--json", *options])) == code
        )
    return json.loads(out.getvalue())


def figures(report: Report) -> list[tuple[str, str, str | None]]:
    """(ticker, quantity and side, net) of every trade."""
    return [
        (each["ticker"], f"{Decimal(each['quantity']):f} {each['side']}", each["net_pnl"])
        for each in report["trades"]
    ]


def fields(report: Report) -> set[tuple[str | None, str]]:
    return {(each["old_row"], each["field"]) for each in report["disagreements"]}


def test_a_trade_is_rebuilt_from_fills_and_the_old_figures_are_listed_where_they_differ(tmp_path: Path):
    wrong = old.trade(
        1, "yes", 100, 0.96, sell_price=0.91, close_method="auto", fees=0.9, pnl=-5.9, win_loss="L"
    )
    old.recio_folder(tmp_path, fills=ROUND_TRIP, orders=ITS_ORDERS, trades=[wrong])
    report = imported(tmp_path)
    (trade,) = report["trades"]
    assert (trade["entry_cost"], trade["exit_proceeds"], trade["payout"]) == (
        "96.400000",
        "90.000000",
        "0.000000",
    )
    assert (trade["fees"], trade["net_pnl"], report["net_pnl"]) == ("0.900000", "-7.300000", "-7.300000")
    assert fields(report) == {("1", "sell_price"), ("1", "pnl")}
    assert "secret" not in json.dumps(report)


def test_the_venues_raw_record_comes_before_the_typed_columns(tmp_path: Path):
    told = old.fill(1, "yes", 10, 0.60)
    told |= {"raw_json": old.raw_fill(told), "yes_price": 0.99, "no_price": 0.01, "count": 7}
    old.recio_folder(tmp_path, fills=[told], settlements=[old.settlement("yes", 10, 6.0, 10.0)])
    assert imported(tmp_path)["trades"][0]["entry_cost"] == "6.000000"


def test_two_entries_on_one_ticker_stay_two_trades(tmp_path: Path):
    fills = [old.fill(1, "yes", 10, 0.90), old.fill(2, "yes", 20, 0.95)]
    merged = [old.trade(1, "yes", 10, 0.90), old.trade(2, "yes", 30, 0.93)]
    old.recio_folder(
        tmp_path, fills=fills, trades=merged, settlements=[old.settlement("yes", 30, 28.0, 30.0)]
    )
    report = imported(tmp_path)
    assert [(each["quantity"], each["payout"]) for each in report["trades"]] == [
        ("10.00", "10.000000"),
        ("20.00", "20.000000"),
    ]
    assert ("2", "position") in fields(report)


def test_an_order_that_the_ledger_never_heard_of_is_a_trade(tmp_path: Path):
    fills = [old.fill(1, "yes", 10, 0.90), old.fill(2, "yes", 10, 0.90)]
    old.recio_folder(tmp_path, fills=fills, trades=[old.trade(1, "yes", 10, 0.90, status="error")])
    report = imported(tmp_path)
    assert len(report["trades"]) == 2
    assert fields(report) >= {("1", "status"), (None, "row")}


def test_a_close_that_was_too_large_opens_the_other_side(tmp_path: Path):
    fills = [old.fill(1, "yes", 10, 0.90), old.fill(2, "no", 15, 0.20)]
    old.recio_folder(tmp_path, fills=fills, settlements=[old.settlement("no", 10, 9.0, 5.0)])
    assert [(each["side"], each["quantity"], each["payout"]) for each in imported(tmp_path)["trades"]] == [
        ("yes", "10.00", "0.000000"),
        ("no", "5.00", "5.000000"),
    ]


@pytest.mark.parametrize(
    ("count", "net"),
    [
        (100, "1.330000"),  # 40 of 100 have no fill: the order tells what they cost, and the fee
        (60, "0.840000"),
    ],
)
def test_where_some_fills_of_an_order_are_missing_the_order_tells_the_rest(
    tmp_path: Path, count: int, net: str
):
    fills = [old.fill(1, "yes", 60, 0.98)]
    orders = [old.order(1, "yes", count, 5880 if count == 60 else 9840, 36 if count == 60 else 27)]
    old.recio_folder(
        tmp_path, fills=fills, orders=orders, settlements=[old.settlement("yes", count, 0.98 * count, count)]
    )
    assert figures(imported(tmp_path)) == [(STRIKE, f"{count}.00 yes", net)]


@pytest.mark.parametrize(("result", "revenue", "payout"), [("yes", 100, "1"), ("void", 60, "0.60")])
def test_a_raw_revenue_of_few_contracts_is_cents(tmp_path: Path, result: str, revenue: int, payout: str):
    """150 YES and 149 NO: 149 pairs were paid at once, and one contract by the settlement."""
    raw = {"ticker": STRIKE, "market_result": result, "yes_count": 150, "no_count": 149, "revenue": revenue}
    raw |= {"settled_time": "2025-08-20T18:01:11Z", "yes_total_cost": 9000, "no_total_cost": 7450}
    told = old.settlement(result, 150, 90.0, 0.0) | {"revenue": None, "raw_json": json.dumps(raw)}
    fills = [old.fill(1, "yes", 150, 0.60), old.fill(2, "no", 149, 0.50)]
    old.recio_folder(tmp_path, fills=fills, settlements=[told])
    report = imported(tmp_path)
    assert Decimal(report["trades"][0]["payout"]) == Decimal(payout)
    assert fields(report) == {(None, "row")}


def test_without_fills_the_settlement_tells_and_without_both_the_ledger(tmp_path: Path):
    rows = [
        old.trade(1, "yes", 10, 0.9, sell_price=1.0, fees=0.07, pnl=0.93),
        old.trade(2, "no", 5, 0.5, LATER, sell_price=0.0, fees=0.09, pnl=-2.59),
    ]
    old.recio_folder(tmp_path, trades=rows, settlements=[old.settlement("yes", 10, 9.1, 10.0)])
    assert figures(imported(tmp_path)) == [(STRIKE, "10.00 yes", "0.830000"), (LATER, "5.00 no", "-2.590000")]


def test_what_cannot_be_known_is_null(tmp_path: Path):
    fills = [old.fill(1, "yes", 10, 0.90), old.fill(2, "yes", 10, 0.90, ticker=OTHER)]
    old.recio_folder(tmp_path, fills=fills, settlements=[old.settlement("yes", 10, 9.0, 10.0)])
    settled, held = sorted(imported(tmp_path)["trades"], key=lambda each: each["ticker"])
    assert (settled["fees"], settled["net_pnl"], held["payout"]) == (None, None, None)


@pytest.mark.parametrize(
    "price",
    [
        {"yes_price": "0.90", "no_price": "0.10"},
        {"yes_price": 90, "no_price": 10},
        {"yes_price": None, "no_price": 0.1},
    ],
)
def test_a_price_is_the_same_in_dollars_cents_and_text(tmp_path: Path, price: dict[str, object]):
    file = old.sqlite(
        tmp_path / "fills.db", "fills", "extra, " + old.FILLS, [old.fill(1, "yes", 10, 0.9) | price]
    )
    assert imported(file)["trades"][0]["entry_cost"] == "9.000000"


@pytest.mark.parametrize("count", [-5, "-5", -0.01])
def test_fewer_contracts_than_none_are_no_purchase(tmp_path: Path, count: object):
    told = old.fill(2, "yes", 1, 0.5) | {"count": count}
    old.recio_folder(tmp_path, fills=[old.fill(1, "yes", 10, 0.9), told])
    report = imported(tmp_path)
    assert figures(report) == [(STRIKE, "10.00 yes", None)]
    assert [(each["field"], each["theirs"]) for each in report["disagreements"][1:]] == [
        ("count", str(count))
    ]


@pytest.mark.parametrize(
    ("bought", "sold", "net"),
    [
        (0.9, 1.0, "0.930000"),
        (90, 100, "0.930000"),
        (9000, 10000, "0.930000"),
        (90, 0, "-9.070000"),
        (90, 95, "0.430000"),
        (90, 1, None),  # a cent, or a dollar of another unit
        (0.9, 100, None),
    ],
)
def test_what_a_ledger_paid_tells_the_unit_of_what_it_got(
    tmp_path: Path, bought: float, sold: float, net: str | None
):
    row = old.trade(1, "yes", 10, bought, sell_price=sold, fees=0.07)
    old.recio_folder(tmp_path, trades=[row])
    assert figures(imported(tmp_path)) == [(STRIKE, "10.00 yes", net)]


def test_rows_that_stand_twice_count_once(tmp_path: Path):
    old.recio_folder(
        tmp_path,
        fills=ROUND_TRIP,
        trades=[old.trade(1, "yes", 100, 0.96), old.trade(1, "yes", 100, 0.96, id=2)],
        settlements=[old.settlement("yes", 100, 96.4, 0.0)] * 3,
    )
    copied = old.sqlite(tmp_path / "copy/fills.db", "fills", old.FILLS, ROUND_TRIP)
    report = imported(tmp_path, copied)
    assert report["totals"] == {"fills": 3, "orders": 0, "settlements": 1, "trades": 1}


def test_the_other_accounts_rows_stay_out_though_the_ledger_mixes_them(tmp_path: Path):
    old.recio_folder(tmp_path, "demo", fills=[old.fill(9, "yes", 10, 0.5, ticker=OTHER)])
    user = tmp_path / "backend/data/users/user_0001"
    old.sqlite(user / "accounts/kalshi/prod/fills.db", "fills", old.FILLS, [old.fill(1, "yes", 10, 0.9)])
    with closing(sqlite3.connect(user / "trade_history/trades.db")) as ledger:
        old.add(ledger, "trades", [old.trade(1, "yes", 10, 0.9), old.trade(2, "yes", 10, 0.5, OTHER)])
    assert [each["ticker"] for each in imported(tmp_path)["trades"]] == [STRIKE]


def test_layouts_of_june_and_of_the_ingest_tell_the_same(tmp_path: Path):
    typed = old.fill(1, "yes", 10, 0.9)
    june = old.sqlite(
        tmp_path / "june.db",
        "fills",
        "id, trade_id, data",
        [{"trade_id": "fill-1", "data": old.raw_fill(typed)}],
    )
    bought = {
        "id": "fill-1",
        "market_id": STRIKE,
        "order_id": "order-1",
        "side": "yes",
        "count": 10,
        "price": 90,
    }
    ingest = old.sqlite(
        tmp_path / "ingest.db",
        "fills",
        "id, user_id, market_id, order_id, side, count, price, created_time",
        [bought | {"created_time": "2025-08-20T17:31:00Z"}],
    )
    ledger = old.sqlite(tmp_path / "t.db", "trades", old.JUN_TRADES, [{"id": 1, "date": "2025-06-20", "time": "10:00:00", "side": "Y",
        "buy_price": 0.9, "position": 10, "status": "closed", "ticker": STRIKE, "sell_price": 1.0}])  # fmt: skip
    (one,), (other,) = imported(june)["trades"], imported(ingest)["trades"]
    assert one | {"old": None} == other | {"old": None}
    found = imported(ledger)
    assert (found["sources"][0]["layout"], found["trades"][0]["payout"], found["trades"][0]["net_pnl"]) == (
        "jun",
        "10.000000",
        None,
    )


@pytest.mark.parametrize("inserts", [False, True])
def test_a_plain_dump_is_read_and_rounded_figures_are_not_believed(tmp_path: Path, inserts: bool):
    ledger = old.trade(1, "yes", 10, 0.9, sell_price=1.0, fees=0, pnl=1) | {
        "ticket_id": None,
        "strike": "it's\t$1",
    }
    dump = old.dumped({"users.trades_0001": (old.JUL_TRADES, [ledger])}, inserts=inserts)
    (tmp_path / "old.sql").write_text(dump, encoding="utf-8")
    report = imported(tmp_path / "old.sql")
    assert report["sources"][0]["layout"] == "postgresql-a"
    assert (report["trades"][0]["payout"], report["trades"][0]["fees"]) == ("10.000000", None)


def test_a_csv_export_is_known_by_its_columns(tmp_path: Path):
    row = old.fill(1, "yes", 10, 0.9)
    text = ",".join(row) + "\n" + ",".join("" if each is None else str(each) for each in row.values()) + "\n"
    (tmp_path / "whatever.csv").write_text(text, encoding="utf-8")
    assert figures(imported(tmp_path / "whatever.csv")) == [(STRIKE, "10.00 yes", None)]


def test_times_of_the_hour_that_autumn_has_twice_are_flagged(tmp_path: Path):
    rows = [
        old.trade(1, "yes", 10, 0.9, date="2025-11-02", time="01:30:00"),
        old.trade(2, "yes", 10, 0.9, LATER, date="2025-11-02"),
    ]
    old.recio_folder(tmp_path, trades=rows)
    found = {each["ticker"]: each["time_doubtful"] for each in imported(tmp_path)["trades"]}
    assert found == {STRIKE: True, LATER: False}


def test_a_log_beside_the_file_is_read_and_nothing_beside_it_changes(tmp_path: Path):
    live = old.sqlite(tmp_path / "live/fills.db", "fills", old.FILLS, [], wal=True)
    with closing(sqlite3.connect(live)) as writer:
        old.add(writer, "fills", ROUND_TRIP)
        (tmp_path / "copy").mkdir()
        for suffix in ("", "-wal"):
            (tmp_path / f"copy/fills.db{suffix}").write_bytes(
                (tmp_path / f"live/fills.db{suffix}").read_bytes()
            )
        assert imported(live)["totals"]["fills"] == 3
    before = sorted(each.name for each in (tmp_path / "copy").iterdir())
    assert imported(tmp_path / "copy/fills.db")["totals"]["fills"] == 3
    assert sorted(each.name for each in (tmp_path / "copy").iterdir()) == before


def test_broken_sources_are_named_beside_good_ones_and_give_nothing(tmp_path: Path):
    good = old.sqlite(tmp_path / "good.db", "fills", old.FILLS, ROUND_TRIP)
    many = [old.fill(100 + each, "yes", 1, 0.5, created_time="2025-08-20T17:00:00Z") for each in range(2000)]
    whole = old.sqlite(tmp_path / "whole.db", "fills", old.FILLS, many).read_bytes()
    (tmp_path / "truncated.db").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "corrupt.db").write_bytes(whole[:8192] + b"\xff" * 16384 + whole[24576:])
    (tmp_path / "empty.db").write_bytes(b"")
    old.sqlite(tmp_path / "foreign.db", "bookmarks", "url, title", [])
    half = old.sqlite(tmp_path / "half.db", "trades", old.JUL_TRADES, [])
    with closing(sqlite3.connect(half)) as connection:
        connection.execute(f"CREATE TABLE trades_old ({old.JUN_TRADES})")
        old.add(connection, "trades_old", [{"id": 1, "ticker": STRIKE}])
    cut = old.dumped({"users.fills_0001": (old.FILLS, ROUND_TRIP)}).splitlines()[:-6]
    (tmp_path / "cut.sql").write_text("\n".join(cut) + "\n", encoding="utf-8")
    locked = old.sqlite(tmp_path / "locked.db", "fills", old.FILLS, many)
    with closing(sqlite3.connect(locked, isolation_level=None)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        names = ("truncated", "corrupt", "empty", "foreign", "half", "locked")
        report = imported(good, *(tmp_path / f"{each}.db" for each in names), tmp_path / "cut.sql")
    why = {Path(each["path"]).stem: each["why"] for each in report["refused"]}
    words = ("truncated", "corrupt", "empty", "not of the old system", "half done", "locked", "truncated")
    assert all(word in why[name] for name, word in zip((*names, "cut"), words, strict=True)), why
    assert report["totals"] == {"fills": 3, "orders": 0, "settlements": 0, "trades": 1}


def test_nothing_to_import_is_65_and_wrong_use_is_78(tmp_path: Path):
    report = imported(tmp_path / "nowhere", code=65, options=("--config", str(config_file(tmp_path))))
    assert report["refused"][0]["path"].endswith("nowhere")
    assert not (tmp_path / "data").exists()
    done = subprocess.run(
        [sys.executable, "-m", "recio", "import", "x", "--mode", "paper"], capture_output=True, check=False
    )
    assert done.returncode == 78


def config_file(folder: Path, dsn: str = "") -> Path:
    path = folder / "recio.toml"
    path.write_text(f'data_dir = "{folder}/data"\n[database]\ndsn = "{dsn}"\n', encoding="utf-8")
    return path


def test_a_second_import_changes_nothing_and_a_later_one_adds_what_is_new(tmp_path: Path, database_dsn: str):
    source = tmp_path / "old"
    old.recio_folder(
        source,
        fills=ROUND_TRIP[:2],
        orders=ITS_ORDERS[:1],
        trades=[old.trade(1, "yes", 100, 0.96, status="open")],
    )
    log = old.prices(
        source / "btc_price_history.db", [(f"2025-08-20T13:00:{each:02}", 117500.25) for each in range(60)]
    )
    options = ("--config", str(config_file(tmp_path, database_dsn)))
    first = imported(source, options=options)
    assert first["imported"] == {"fills": 2, "orders": 1, "settlements": 0, "trades": 1, "prices": 60}
    again = imported(source, options=options)
    assert set(again["imported"].values()) == {0}
    assert (again["totals"], again["trades"]) == (first["totals"], first["trades"])
    fills = source / "backend/data/users/user_0001/accounts/kalshi/prod/fills.db"
    with closing(sqlite3.connect(fills)) as writer:
        old.add(writer, "fills", ROUND_TRIP[2:])
    old.prices_add(log, [("2025-08-20T13:01:00", 117501.0)])
    delta = imported(fills, log, options=options)
    assert delta["imported"] == {"fills": 1, "orders": 0, "settlements": 0, "trades": 1, "prices": 1}
    assert delta["trades"][0]["exit_proceeds"] == "90.000000"


def test_old_settings_come_with_entries_off(tmp_path: Path):
    old.recio_folder(tmp_path, fills=ROUND_TRIP)
    row = {"id": 1, "auto_entry": 1, "auto_stop": 1, "min_probability": 95, "min_differential": 0.25, "current_probability": 40,
           "min_ttc_seconds": 60}  # fmt: skip
    old.sqlite(tmp_path / "settings.db", "auto_trade_settings", ", ".join(row), [row])
    found = imported(tmp_path)["settings"]["recio"]
    assert found["entry.enabled"] == "false"
    assert (found["entry.min_probability"], found["entry.min_edge_dollars"]) == ("0.95", "0.0025")
    assert (found["exit.stop_probability"], found["exit.min_hold_seconds"]) == ("0.4", "60")


def test_a_disagreement_reads_the_same_at_the_second_import(tmp_path: Path, database_dsn: str):
    """Its text is kept: written in another way it would count as a trade that has changed."""
    told = old.trade(1, "yes", 100, 0.96, sell_price=1.0, fees=0.5, pnl=4, win_loss="W")
    old.recio_folder(
        tmp_path / "old", fills=ROUND_TRIP[:2], orders=ITS_ORDERS[:1], trades=[told],
        settlements=[old.settlement("no", 100, 96.4, 7.0)],
    )  # fmt: skip
    options = ("--config", str(config_file(tmp_path, database_dsn)))
    first, again = (imported(tmp_path / "old", options=options) for _ in range(2))
    assert fields(first) >= {("1", "sell_price"), ("1", "fees"), ("1", "pnl"), ("settlement", "revenue")}
    assert again["disagreements"] == first["disagreements"]
    assert set(again["imported"].values()) == {0}


MAD_NUMBERS = ("999999999999.999", 999_999_999_999, -1, "0.001", "1e-300", "-1e300", "9" * 400, "NaN")
MAD_FILLS: tuple[dict[str, Any], ...] = (
    {"raw_json": "[" * 100_000},
    {"raw_json": '{"a":' * 100_000},
    {"raw_json": json.dumps({"trade_id": "\ud800", "ticker": "T", "side": "yes", "count": "\ud800\0"})},
    {"order_id": b"\xed\xa0\x80", "ticker": "A\0"},
    *({"count": each, "created_time": str(each)} for each in MAD_NUMBERS),
    *({"count": each} for each in MAD_NUMBERS),
)


def test_mad_rows_cost_no_other_row_its_import(tmp_path: Path, database_dsn: str):
    """Too deep, too large, too small, or no number at all, twice each, so that sums are mad as well."""
    tickers = [f"{OTHER}{each}" for each in range(len(MAD_FILLS))]
    settled = ("yes_count", "yes_total_cost", "no_count", "no_total_cost", "revenue", "fee_cost", "value")
    filled = ("fill_count", "taker_fill_cost", "maker_fill_cost", "taker_fees", "maker_fees")
    in_ledger = ("position", "buy_price", "sell_price", "fees", "pnl")
    raw = {"settled_time": "2025-08-20T18:01:11Z", "market_result": "yes"}
    old.recio_folder(
        tmp_path / "old",
        fills=[
            *ROUND_TRIP,
            *(
                old.fill(10 + number + again, "yes", 1, 0.5, f"order-{number}0", ticker) | wrong
                for number, (ticker, wrong) in enumerate(zip(tickers, MAD_FILLS, strict=True))
                for again in (0, 20)
            ),
        ],
        orders=[
            *ITS_ORDERS,
            *(
                old.order(9, "yes", 1, 50, 1, ticker) | {"order_id": ticker} | dict.fromkeys(filled, wrong)
                for ticker, wrong in zip(tickers, MAD_NUMBERS, strict=False)
            ),
        ],
        settlements=[
            old.settlement(
                "yes", 1, 0.5, 1.0, ticker,
                raw_json=json.dumps(raw | {"ticker": ticker} | dict.fromkeys(settled, wrong)),
            )
            for ticker, wrong in zip(tickers, MAD_NUMBERS, strict=False)
        ],
        trades=[
            old.trade(10 + number, "yes", 1, 0.5, tickers[number]) | dict.fromkeys(in_ledger, wrong)
            for number, wrong in enumerate(MAD_NUMBERS)
        ],
    )  # fmt: skip
    report = imported(tmp_path / "old", options=("--config", str(config_file(tmp_path, database_dsn))))
    (good,) = (each for each in report["trades"] if each["ticker"] == STRIKE)
    assert (good["net_pnl"], report["imported"]["fills"] >= len(ROUND_TRIP)) == ("-7.300000", True)
