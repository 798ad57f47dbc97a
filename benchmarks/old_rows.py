"""Makes a REC.IO folder of a given size to import: years of prices, a busy account, and what is passed by; no row of it is anybody's.

`python -m benchmarks.old_rows FOLDER` makes one. Sizes are those of the old system: 61 bytes for a second of prices, 179 and 166 MB of
candles. The account has fills by the hundred thousand, which the old one never had: its sums must not grow faster than its rows.
"""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.old_data.old_system import FILLS, JUL_TRADES, ORDERS, SETTLEMENTS, Row

FIRST = datetime(2025, 1, 1, 5, tzinfo=UTC)
TRADES_AN_HOUR = 4
"""So many entries, each sold or settled, on so many strikes of one event."""
PRICES = """
    WITH RECURSIVE each (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM each WHERE n + 1 < :count)
    INSERT INTO price_log
    SELECT strftime('%Y-%m-%dT%H:%M:%S', :first + n, 'unixepoch'), round(60000 + 40000 * abs((n % 200003) / 200003.0 - 0.5), 2)
    FROM each
"""
CANDLE = "2020-07-{day:02}T{hour:02}:{minute:02}:00Z,{price}.12,{price}.45,{price}.01,{price}.33,1.23456789,{momentum}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    prices: int
    """Seconds of each of two coins."""
    fills: int
    candles: int
    """Bytes."""


WHOLE = Size(prices=3_190_000, fills=98_000, candles=345_000_000)
"""929 MB."""


def make(root: Path, size: Size) -> int:
    """The folder's bytes."""
    data = root / "backend/data"
    for coin in ("btc", "eth"):
        _prices(data / f"live_data/price_history/{coin}/{coin}_price_history.db", size.prices)
        _candles(data / f"historical_data/{coin}_historical/{coin}_1m_master_5y.csv", size.candles // 2)
    user = data / "users/user_0001"
    account(user / "accounts/kalshi/prod", user / "trade_history", size.fills)
    return sum(each.stat().st_size for each in root.rglob("*") if each.is_file())


def _prices(path: Path, count: int, first: datetime = FIRST) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(_written(path)) as connection:
        connection.execute("CREATE TABLE price_log (timestamp TEXT PRIMARY KEY, price REAL)")
        connection.execute(PRICES, {"count": count, "first": int(first.timestamp())})
        connection.commit()


def _candles(path: Path, size: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    block = "".join(
        CANDLE.format(day=day, hour=hour, minute=minute, price=9_000 + minute, momentum=minute - 30)
        for day in range(1, 29)
        for hour in range(24)
        for minute in range(60)
    )
    with path.open("w", encoding="ascii") as file:
        file.write("timestamp,open,high,low,close,volume,momentum\n")
        for _ in range(max(1, size // len(block))):
            file.write(block)


def _written(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA synchronous = off")
    return connection


def account(folder: Path, history: Path, fills: int, first: int = 0) -> None:
    """An entry of one fill and an exit of one each; every fourth trade is left to settle. More of them where the files are there."""
    folder.mkdir(parents=True, exist_ok=True)
    history.mkdir(parents=True, exist_ok=True)
    numbers = range(first, first + fills * 4 // 7)
    tables = (
        (folder / "fills.db", "fills", FILLS, (row for each in numbers for row in _fills(each))),
        (folder / "orders.db", "orders", ORDERS, (row for each in numbers for row in _orders(each))),
        (
            folder / "settlements.db",
            "settlements",
            SETTLEMENTS,
            (_settlement(each) for each in numbers if _settles(each)),
        ),
        (history / "trades.db", "trades", JUL_TRADES, (_trade(each) for each in numbers)),
    )
    for path, table, columns, rows in tables:
        with closing(_written(path)) as connection:
            connection.execute(f"CREATE TABLE IF NOT EXISTS {table} ({columns})")
            _insert(connection, table, rows)


def _insert(connection: sqlite3.Connection, table: str, rows: Iterator[Row]) -> None:
    first = next(rows, None)
    if first is None:
        return
    statement = f"INSERT INTO {table} ({', '.join(first)}) VALUES ({', '.join(f':{each}' for each in first)})"
    connection.execute(statement, first)
    connection.executemany(statement, rows)
    connection.commit()


def _settles(number: int) -> bool:
    return number % 4 == 3


def _hour(number: int) -> datetime:
    return FIRST + timedelta(hours=number // TRADES_AN_HOUR)


def _ticker(number: int) -> str:
    return f"KXBTCD-{_hour(number):%y%b%d%H}-T{60_000 + 250 * (number % TRADES_AN_HOUR)}.99".upper()


def _at(number: int, minute: int) -> str:
    return (_hour(number) + timedelta(minutes=minute, seconds=number % 60)).isoformat().replace("+00:00", "Z")


def _fills(number: int) -> Iterator[Row]:
    yield _fill(f"{number}-in", number, "yes", 96, 20)
    if not _settles(number):
        yield _fill(f"{number}-out", number, "no", 3, 40)


def _fill(name: str, number: int, side: str, cents: int, minute: int) -> Row:
    yes = cents if side == "yes" else 100 - cents
    raw = {
        "trade_id": f"6b1f5c1e-7e0a-4a0e-9d3c-{name:>012}",
        "ticker": _ticker(number),
        "order_id": f"0f6e2f5a-64a3-4c8e-8f1d-{name:>012}",
        "side": side,
        "action": "buy",
        "count": 10,
        "yes_price": yes,
        "no_price": 100 - yes,
        "is_taker": True,
        "created_time": _at(number, minute),
    }
    typed = raw | {"yes_price": yes / 100, "no_price": (100 - yes) / 100}
    return typed | {"raw_json": json.dumps(raw)}


def _orders(number: int) -> Iterator[Row]:
    for fill in _fills(number):
        count, side = 10, str(fill["side"])
        cents = 96 if side == "yes" else 3
        raw = {
            "order_id": fill["order_id"],
            "user_id": "f2f1c9ce-2a51-4b77-8d9c-000000000001",
            "ticker": fill["ticker"],
            "status": "executed",
            "action": "buy",
            "side": side,
            "type": "limit",
            "yes_price": cents if side == "yes" else 100 - cents,
            "no_price": 100 - cents if side == "yes" else cents,
            "initial_count": count,
            "remaining_count": 0,
            "fill_count": count,
            "created_time": fill["created_time"],
            "client_order_id": f"TICKET-{number:09x}-1755711000000",
            "maker_fees": 0,
            "taker_fees": 3,
            "maker_fill_cost": 0,
            "taker_fill_cost": count * cents,
        }
        yield raw | {"raw_json": json.dumps(raw | {"queue_position": 0, "expiration_time": None})}


def _settlement(number: int) -> Row:
    raw = {
        "ticker": _ticker(number),
        "market_result": "yes",
        "yes_count": 10,
        "yes_total_cost": 960,
        "no_count": 0,
        "no_total_cost": 0,
        "revenue": 1000,
        "settled_time": _at(number, 61),
    }
    return raw | {
        "yes_total_cost": 9.6,
        "revenue": 10.0,
        "no_total_cost": 0.0,
        "raw_json": json.dumps(raw),
    }


def _trade(number: int) -> Row:
    there = _hour(number) + timedelta(hours=-5, minutes=20, seconds=number % 60 + 1)
    settles = _settles(number)
    return {
        "status": "closed",
        "date": f"{there:%Y-%m-%d}",
        "time": f"{there:%H:%M:%S}",
        "symbol": "BTC",
        "market": "Kalshi",
        "trade_strategy": "Hourly HTC",
        "contract": "BTC 5pm",
        "strike": f"${60_000 + 250 * (number % TRADES_AN_HOUR):,}",
        "side": "Y",
        "prob": 97.1,
        "buy_price": 0.96,
        "position": 10,
        "sell_price": 1.0 if settles else 0.97,
        "closed_at": f"{there + timedelta(minutes=20):%H:%M:%S}",
        "fees": 0.03 if settles else 0.06,
        "pnl": 0.37 if settles else 0.04,
        "win_loss": "W",
        "ticker": _ticker(number),
        "ticket_id": f"TICKET-{number:09x}-1755711000000",
        "entry_method": "auto",
        "close_method": "expired" if settles else "auto",
    }


if __name__ == "__main__":
    print(f"{make(Path(sys.argv[1]), WHOLE) / 1e6:,.0f} MB")
