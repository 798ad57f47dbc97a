"""For each index that is there for speed alone the read of the program that it is for; the test has each read by its index."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

from recio.db import (
    alerts,
    cash,
    chart_rows,
    halts,
    held_rows,
    kill_switch,
    limits,
    market_data,
    orders,
    page_passkeys,
    page_sessions,
    paper_trades,
    parity_days,
    past_lists,
    push_subscriptions,
    rejections,
    requests,
    trade_stories,
)
from recio.db.connection import Connection
from recio.db.past_lists import Wanted
from recio.report.past_lists import LISTS
from recio.report.past_trades import Kind
from recio.units import TradeId
from tests.builders import NOW
from tests.db.breaches import EVENT, GOOD, LATER, SETTLED, TICKER, Row

Read = Callable[[Connection], Awaitable[object]]
DAY = timedelta(days=1)
MANY = 300
HISTORY: tuple[tuple[str, Row], ...] = (
    ("runs", {}),
    ("risk_limits", {}),
    ("trades", SETTLED),
    ("orders", {"state": "filled", "ended_at": LATER, "venue_order_id": "v1", "filled": 10}),
    ("fills", {}),
    ("settlements", {}),
    ("audit_log", {}),
    ("alerts", {}),
    ("halts", {"cleared_at": LATER, "cleared_by": "me"}),
    ("opening_balances", {}),
)
"""Some reads come to their index by a row of another table."""


async def what_is_held(connection: Connection) -> None:
    await held_rows.load(connection, NOW)


def a_page_of(name: str) -> Read:
    async def read(connection: Connection) -> None:
        asked = Wanted(of=LISTS[name], kind=Kind.REAL, sort=LISTS[name].time)
        await past_lists.page(connection, asked, 10, None)

    return read


async def paper_that_counts(connection: Connection) -> None:
    await paper_trades.counted(connection, NOW)


async def next_ceiling(connection: Connection) -> None:
    assert await connection.fetchval("SELECT limit_ceiling(2, 'max_open_trades')") is not None


def among_many(table: str, read: Read, *keys: str) -> Read:
    """In a table that has many such rows, which differ in their keys: a few other reads would do as well among few."""

    async def crowded(connection: Connection) -> None:
        row = GOOD[table] | dict(HISTORY).get(table, {})
        columns, numbered = ", ".join(row), ", ".join(f"'{key}', number::text" for key in keys)
        await connection.execute(
            f"INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE"
            f" SELECT {columns} FROM generate_series(2, {MANY}) AS number,"
            f" jsonb_populate_record(NULL::{table}, $1::text::jsonb || jsonb_build_object({numbered}))",
            json.dumps(row),
        )
        await connection.execute(f"ANALYZE {table}")
        await read(connection)

    return crowded


USES: Mapping[str, Read] = {
    "alerts_by_end": alerts.forget,
    "audit_log_by_trade": lambda c: trade_stories.of_trade(c, 1),
    "deliveries_by_end": alerts.forget,
    "deliveries_by_time": a_page_of("alerts"),
    "deliveries_that_wait": alerts.still_waiting,
    "event_entries_by_close": what_is_held,
    "fills_by_order": a_page_of("orders"),
    "fills_by_time": a_page_of("fills"),
    "halts_cleared": among_many("halts", lambda c: cash.is_accepted(c, "c"), "halt_id", "cause"),
    "halts_forgiving": lambda c: c.fetchval(halts.FORGIVEN),
    "halts_in_force": halts.active,
    "limit_cuts_by_name": limits.newest,
    "limit_grants_by_name": next_ceiling,
    "market_entries_by_close": what_is_held,
    "markets_by_close": lambda c: market_data.expire_markets(c, NOW),
    "order_groups_in_use": lambda c: kill_switch.order_group(c, 2),
    "orders_by_time": what_is_held,
    "orders_unfinished": orders.backfill_from,
    "orders_unfinished_by_trade": lambda c: orders.waits(c, TradeId(1)),
    "page_passkeys_by_login": lambda c: page_passkeys.of_login(c, "anna"),
    "page_sessions_by_end": lambda c: page_sessions.running(c, NOW),
    "paper_trades_by_close": lambda c: chart_rows.beside(c, TICKER, EVENT, NOW, NOW),
    "paper_trades_by_sale": paper_that_counts,
    "paper_trades_by_settlement": paper_that_counts,
    "paper_trades_by_time": paper_that_counts,
    "paper_trades_live": paper_that_counts,
    "parity_days_by_strategy": lambda c: parity_days.before(c, "average", NOW.date() - DAY, NOW.date()),
    "push_subscriptions_that_run": push_subscriptions.running,
    "rejections_by_time": lambda c: rejections.expire(c, 30),
    "settlements_manual": among_many("settlements", lambda c: cash.manual_settlements(c, NOW), "ticker"),
    "trade_requests_by_expiry": requests.waiting,
    "trades_by_end": what_is_held,
    "trades_live": what_is_held,
    "trades_settled": a_page_of("settlements"),
}
"""By the name of an index."""
UNREAD = {
    "ledger_transactions_by_ticker": "positions are counted in rows of their own, and nobody asks for a market's transactions"
}
"""Indexes that nothing reads by, and why."""
