"""Makes old data: stores in every layout of REC.IO from plain rows, and the faults that its users had; it knows no answer."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

ROWS_OF_AN_IMPORT = (
    "imported_prices",
    "imported_fills",
    "imported_orders",
    "imported_settlements",
    "imported_ledger_rows",
    "imported_trades",
)
"""The tables of recio's database that an import fills."""
STRIKE = "KXBTCD-25AUG2014-T117499.99"
OTHER = "KXBTCD-25AUG2014-T117749.99"
LATER = "KXBTCD-25AUG2015-T117999.99"
JUL_TRADES = (
    "id INTEGER PRIMARY KEY, status TEXT, date TEXT, time TEXT, symbol TEXT, market TEXT, trade_strategy TEXT, contract TEXT,"
    " strike TEXT, side TEXT, prob REAL, diff TEXT, buy_price REAL, position INTEGER, sell_price REAL, closed_at TEXT,"
    " fees INTEGER, pnl INTEGER, symbol_open INTEGER, symbol_close INTEGER, momentum INTEGER, volatility INTEGER,"
    " win_loss TEXT, ticker TEXT, ticket_id INTEGER, market_id TEXT DEFAULT 'BTC-USD', momentum_delta REAL,"
    " entry_method TEXT, close_method TEXT"
)
JUN_TRADES = (
    "id INTEGER PRIMARY KEY, date TEXT, time TEXT, strike TEXT, side TEXT, buy_price REAL, position INT, status TEXT DEFAULT 'open',"
    " closed_at TEXT, contract TEXT, sell_price REAL, symbol TEXT, market TEXT, trade_strategy TEXT, symbol_open REAL,"
    " momentum REAL, momentum_delta REAL, volatility REAL, volatility_delta REAL, symbol_close REAL, win_loss TEXT,"
    " ticker TEXT, ticket_id TEXT"
)
FILLS = (
    "id INTEGER PRIMARY KEY, trade_id TEXT UNIQUE, ticker TEXT, order_id TEXT, side TEXT, action TEXT, count INTEGER,"
    " yes_price REAL, no_price REAL, is_taker BOOLEAN, created_time TEXT, raw_json TEXT"
)
ORDERS = (
    "id INTEGER PRIMARY KEY, order_id TEXT UNIQUE, user_id TEXT, ticker TEXT, status TEXT, action TEXT, side TEXT, type TEXT,"
    " yes_price INTEGER, no_price INTEGER, initial_count INTEGER, remaining_count INTEGER, fill_count INTEGER,"
    " created_time TEXT, client_order_id TEXT, maker_fees INTEGER, taker_fees INTEGER, maker_fill_cost INTEGER,"
    " taker_fill_cost INTEGER, raw_json TEXT"
)
SETTLEMENTS = (
    "id INTEGER PRIMARY KEY, ticker TEXT, market_result TEXT, yes_count INTEGER, yes_total_cost REAL, no_count INTEGER,"
    " no_total_cost REAL, revenue REAL, settled_time TEXT, raw_json TEXT"
)
Row = Mapping[str, Any]


def sqlite(path: Path, table: str, columns: str, rows: Iterable[Row], *, wal: bool = False) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        if wal:
            connection.execute("PRAGMA journal_mode = wal")
        connection.execute(f"CREATE TABLE {table} ({columns})")
        add(connection, table, rows)
    return path


def add(connection: sqlite3.Connection, table: str, rows: Iterable[Row]) -> None:
    for row in rows:
        marks = ", ".join("?" * len(row))
        connection.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", tuple(row.values()))
    connection.commit()


def fill(
    number: int, side: str, count: int, price: float, order: str = "", ticker: str = STRIKE, **more: object
) -> dict[str, Any]:
    """A typed row; `price` in dollars of its side."""
    own, other = round(price, 4), round(1 - price, 4)
    return {
        "trade_id": f"fill-{number}",
        "ticker": ticker,
        "order_id": order or f"order-{number}",
        "side": side,
        "action": "buy",
        "count": count,
        "yes_price": own if side == "yes" else other,
        "no_price": other if side == "yes" else own,
        "is_taker": 1,
        "created_time": f"2025-08-20T17:{30 + number:02}:00Z",
        "raw_json": None,
    } | more


def raw_fill(typed: Row) -> str:
    """The venue's record of it, as it was in cents."""
    keys = ("trade_id", "ticker", "order_id", "side", "action", "count", "is_taker", "created_time")
    prices = {each: round(typed[each] * 100) for each in ("yes_price", "no_price")}
    return json.dumps({each: typed[each] for each in keys} | prices)


def order(
    number: int, side: str, count: int, cost: int, fees: int, ticker: str = STRIKE, **more: object
) -> dict[str, Any]:
    """Whole cents, as the old table kept them."""
    return {
        "order_id": f"order-{number}",
        "ticker": ticker,
        "status": "executed",
        "action": "buy",
        "side": side,
        "initial_count": count,
        "remaining_count": 0,
        "fill_count": count,
        "created_time": f"2025-08-20T17:{30 + number:02}:00Z",
        "maker_fees": 0,
        "taker_fees": fees,
        "maker_fill_cost": 0,
        "taker_fill_cost": cost,
    } | more


def settlement(
    result: str, yes: int, yes_cost: float, revenue: float, ticker: str = STRIKE, **more: object
) -> dict[str, Any]:
    return {
        "ticker": ticker,
        "market_result": result,
        "yes_count": yes,
        "yes_total_cost": yes_cost,
        "no_count": 0,
        "no_total_cost": 0.0,
        "revenue": revenue,
        "settled_time": "2025-08-20T18:01:11Z",
    } | more


def trade(
    number: int, side: str, count: int, price: float, ticker: str = STRIKE, **more: object
) -> dict[str, Any]:
    """A ledger row as the live SQLite file has it; New York time."""
    return {
        "id": number,
        "status": "closed",
        "date": "2025-08-20",
        "time": f"13:{30 + number:02}:01",
        "symbol": "BTC",
        "trade_strategy": "Hourly HTC",
        "strike": "$117,500",
        "side": "Y" if side == "yes" else "N",
        "buy_price": price,
        "position": count,
        "ticker": ticker,
        "ticket_id": f"TICKET-{number:09x}-1755711000000",
        "entry_method": "auto",
        "close_method": "expired",
    } | more


def recio_folder(root: Path, mode: str = "prod", **tables: Sequence[Row]) -> Path:
    """A REC.IO folder as of July, with keys and personal files that nobody may read."""
    user = root / "backend/data/users/user_0001"
    account = user / f"accounts/kalshi/{mode}"
    sqlite(user / "trade_history/trades.db", "trades", JUL_TRADES, tables.get("trades", ()))
    sqlite(account / "fills.db", "fills", FILLS, tables.get("fills", ()))
    sqlite(account / "orders.db", "orders", ORDERS, tables.get("orders", ()))
    sqlite(account / "settlements.db", "settlements", SETTLEMENTS, tables.get("settlements", ()))
    keys = user / f"credentials/kalshi-credentials/{mode}"
    keys.mkdir(parents=True, exist_ok=True)
    (keys / ".env").write_text("KALSHI_API_KEY_ID=secret-key-id\n", encoding="utf-8")
    (user / "user_info.json").write_text('{"email": "secret@example.org"}', encoding="utf-8")
    return root


def prices(path: Path, rows: Iterable[tuple[str, float]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS price_log (timestamp TEXT PRIMARY KEY, price REAL)")
    prices_add(path, rows)
    return path


def prices_add(path: Path, rows: Iterable[tuple[str, float]]) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executemany("INSERT INTO price_log VALUES (?, ?)", rows)
        connection.commit()


def dumped(tables: Mapping[str, tuple[str, Sequence[Row]]], *, inserts: bool = False) -> str:
    """A plain dump: by table, its declaration and rows."""
    lines = ["--", "-- PostgreSQL database dump", "--"]
    for table, (columns, _) in tables.items():
        lines += [
            f"CREATE TABLE {table} (",
            *(f"    {each.strip()}," for each in columns.split(",")),
            "    CHECK (true)",
            ");",
        ]
    for table, (_, rows) in tables.items():
        if inserts:
            lines += [
                f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join(_literal(each) for each in row.values())});"
                for row in rows
            ]
        elif rows:
            lines.append(f"COPY {table} ({', '.join(rows[0])}) FROM stdin;")
            lines += ["\t".join(_copied(each) for each in row.values()) for row in rows]
            lines.append("\\.")
    return "\n".join([*lines, "", "--", "-- PostgreSQL database dump complete", "--", ""])


def _copied(value: object) -> str:
    return "\\N" if value is None else str(value).replace("\\", "\\\\").replace("\t", "\\t")


def _literal(value: object) -> str:
    return (
        "NULL"
        if value is None
        else str(value)
        if isinstance(value, int | float)
        else "'" + str(value).replace("'", "''") + "'"
    )
