"""Which table of the old system a set of columns is, and in which of its layouts; it reads no row.

A layout is known by its columns. Their order, and columns beyond those needed, do not matter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    FILLS = "fills"
    ORDERS = "orders"
    SETTLEMENTS = "settlements"
    TRADES = "trades"
    PRICES = "prices"
    SETTINGS = "settings"
    LEFT = "not imported"
    """Recognised, and left where it is on purpose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    kind: Kind
    name: str
    whole: bool = True
    """False: figures were rounded to whole numbers when they were copied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unusable:
    """A table that should be one of ours and lacks what is needed."""

    why: str


KNOWN = (
    # (kind, layout, columns that are needed, columns that must be absent)
    (
        Kind.TRADES,
        "head-unusable-shell",
        {"symbol", "quantity", "price", "timestamp", "side"},
        {"ticker", "trade_id"},
    ),
    (Kind.LEFT, "active_trades", {"trade_id", "current_probability"}, set[str]()),
    (Kind.LEFT, "active_trades", {"buffer_from_entry"}, set[str]()),
    (Kind.LEFT, "active_trades", {"entry_price", "current_price"}, set[str]()),
    (Kind.LEFT, "positions", {"ticker", "market_exposure"}, set[str]()),
    (Kind.LEFT, "positions-jun", {"position_id", "data"}, set[str]()),
    (Kind.SETTLEMENTS, "typed", {"ticker", "market_result"}, set[str]()),
    (Kind.SETTLEMENTS, "ingest", {"market_id", "amount"}, {"count"}),
    (Kind.ORDERS, "typed", {"order_id", "fill_count"}, {"trade_id"}),
    (Kind.ORDERS, "typed", {"order_id", "initial_count"}, {"trade_id"}),
    (Kind.FILLS, "typed", {"trade_id", "ticker", "side", "count"}, set[str]()),
    (Kind.FILLS, "jun-json", {"trade_id", "data"}, {"ticker"}),
    (Kind.FILLS, "ingest", {"market_id", "order_id", "side", "count", "price"}, set[str]()),
    (Kind.TRADES, "ledger", {"ticker", "side", "buy_price", "position"}, set[str]()),
    (Kind.SETTINGS, "auto-trade-row", {"min_probability", "min_differential"}, set[str]()),
    (Kind.SETTINGS, "auto-trade-row", {"current_probability", "min_ttc_seconds"}, set[str]()),
    (Kind.SETTINGS, "preference-row", {"trade_strategy", "position_size", "multiplier"}, {"ticker"}),
    (Kind.SETTINGS, "key-value", {"preference_key", "preference_value"}, set[str]()),
    (Kind.LEFT, "candles", {"timestamp", "open", "high", "low", "close"}, set[str]()),
    (Kind.LEFT, "strike_table", {"strike", "probability", "ttc_seconds"}, set[str]()),
    (Kind.LEFT, "market_data", {"event_ticker", "yes_bid", "yes_ask"}, set[str]()),
    (Kind.LEFT, "market_data", {"market_ticker", "yes_bid", "yes_ask"}, set[str]()),
    (Kind.LEFT, "price_change", {"change1h", "change3h"}, set[str]()),
    (Kind.LEFT, "account_balance", {"balance", "timestamp"}, {"price"}),
    (Kind.LEFT, "probability_lookup", {"buffer_points", "momentum_bucket"}, set[str]()),
    (Kind.LEFT, "fingerprint", {"time_to_close", "pos_0_05"}, set[str]()),
    (Kind.PRICES, "price-log", {"timestamp", "price"}, {"side", "market_ticker", "ticker", "count"}),
)
NEEDED = {
    Kind.FILLS: {"trade_id", "ticker", "side", "count", "yes_price"},
    Kind.ORDERS: {"order_id", "ticker", "side", "fill_count"},
    Kind.SETTLEMENTS: {"ticker", "market_result", "settled_time"},
    Kind.TRADES: {"ticker", "side", "buy_price", "position", "status", "date", "time"},
}
NAMED = re.compile(r"^(?:users\.)?(?:kalshi_)?(fills|orders|settlements|trades)(?:_\d{4})?$")
JSON_TABLES = {"fills": Kind.FILLS, "settlements": Kind.SETTLEMENTS, "orders": Kind.ORDERS}
PRIVATE = re.compile(
    r"(user_info|user_master|master_users|auth_tokens|device_tokens|installation_access_log)"
)
"""Names, contact data and password hashes: not a row of these is looked at."""


def layout_of(table: str, columns: Mapping[str, str]) -> Layout | Unusable | None:
    """Of a table's name and its columns with their declared types, both lower-case; None for a stranger."""
    names = columns.keys()
    if PRIVATE.search(table):
        return Layout(kind=Kind.LEFT, name="private")
    named = NAMED.match(table)
    if named and {"id", "data"} <= names and named[1] in JSON_TABLES:
        return Layout(kind=JSON_TABLES[named[1]], name="jun-json")
    for kind, name, needed, absent in KNOWN:
        if needed <= names and not absent & names:
            return _shell(table) if name == "head-unusable-shell" else _closer(kind, name, columns)
    if table.startswith("analytics.") or "fingerprint" in table:
        return Layout(kind=Kind.LEFT, name="fingerprint")
    if named:
        return _incomplete(Kind(named[1]), table, names)
    return None


_OF_A_USER = re.compile(r"_(0\d{3})$")
_FOLDER_OF_A_USER = re.compile(r"(?:^|/)user_(\d{4})/")


def user_of(table: str, path: str) -> str:
    """Which user of the old system a table is of, by its name or its folder: each had a Kalshi account of its own."""
    found = _OF_A_USER.search(table) or _FOLDER_OF_A_USER.search(path)
    return found[1] if found else ""


def _shell(table: str) -> Unusable:
    return Unusable(
        why=f"table {table} has symbol, quantity, price and timestamp but neither ticker nor buy_price: it is the empty shell"
        " that init_database made and says nothing of any trade; give the trades.db or the table that the old trade_manager wrote"
    )


def _incomplete(kind: Kind, table: str, names: Iterable[str]) -> Unusable:
    missing = sorted(NEEDED[kind] - set(names))
    return Unusable(
        why=f"table {table} lacks the columns {', '.join(missing)}: no layout of {kind} that the old system had;"
        " finish its migration, or give the file it was migrated from"
    )


def _closer(kind: Kind, name: str, columns: Mapping[str, str]) -> Layout:
    """The variant within a layout, and whether its figures are whole."""
    if kind is not Kind.TRADES:
        return Layout(kind=kind, name=name)
    if "volatility_delta" in columns and "pnl" not in columns:
        return Layout(kind=kind, name="jun")
    if columns.get("pnl", "").startswith("int") and columns.get("#engine") == "postgresql":
        text_ticket = not columns.get("ticket_id", "").startswith(("int", "bigint"))
        return Layout(kind=kind, name="postgresql-b" if text_ticket else "postgresql-a", whole=False)
    if columns.get("#engine") == "postgresql":
        return Layout(kind=kind, name="postgresql-c")
    if "ticket_id" not in columns:
        return Layout(kind=kind, name="jul-created")
    return Layout(kind=kind, name="jul-live")
