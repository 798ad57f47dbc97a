"""For each trigger something that only it refuses or counts; without the trigger the scenario does not hold."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence

import asyncpg

from recio.db.connection import Connection
from tests.db.breaches import ENDED, EVENT, GOOD, LATER, TICKER, Row

Scenario = Callable[[Connection], Awaitable[bool]]
"""On a database without rows, in a transaction: whether the trigger did its work."""
LIMITS = (
    "max_contracts_per_order", "max_contracts_per_strike", "max_entries_per_event", "max_event_cost_dollars",
    "max_open_trades", "max_open_cost_dollars", "max_daily_loss_dollars", "max_orders_per_minute",
    "max_consecutive_losses", "price_collar_dollars",
)  # fmt: skip
FILLED: Row = {"state": "filled", "ended_at": LATER, "venue_order_id": "v1", "filled": 10}


async def insert(connection: Connection, table: str, changes: Row | None = None) -> None:
    """The good row of the table, with changes."""
    row = GOOD[table] | (changes or {})
    columns = ", ".join(row)
    await connection.execute(
        f"INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE"
        f" SELECT {columns} FROM jsonb_populate_record(NULL::{table}, $1::text::jsonb)",
        json.dumps(row),
    )


async def refused(connection: Connection, *statements: str) -> bool:
    """Whether the database refuses each of them by a rule of its own."""
    for statement in statements:
        attempt = connection.transaction()
        await attempt.start()
        try:
            await connection.execute(statement)
            await connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
        except (asyncpg.RestrictViolationError, asyncpg.CheckViolationError):
            continue
        finally:
            await attempt.rollback()
        return False
    return True


async def ordered(connection: Connection, *, limits: bool = True) -> None:
    """A run with limits, a trade, and its pending entry."""
    await insert(connection, "runs")
    for name in LIMITS if limits else ():
        await insert(connection, "risk_limits", {"name": name, "amount": 1000})
    await insert(connection, "trades")
    await insert(connection, "orders")


async def change(connection: Connection, table: str, changes: Row) -> None:
    sets = ", ".join(
        f"{name} = (jsonb_populate_record(NULL::{table}, $1::text::jsonb)).{name}" for name in changes
    )
    await connection.execute(f"UPDATE {table} SET {sets}", json.dumps(changes))


def append_only(table: str, change_of: str, before: Sequence[str] = ()) -> Scenario:
    async def scenario(connection: Connection) -> bool:
        for each in (*before, table):
            of_nothing = {"client_order_id": None, "trade_id": None} if each == "audit_log" else {}
            await insert(connection, each, of_nothing)
        await connection.execute(
            "SET CONSTRAINTS ALL IMMEDIATE"
        )  # nothing is truncated before what waits for the commit
        return await _stays(connection, table, change_of)

    return scenario


def append_only_ledger(table: str, change_of: str) -> Scenario:
    async def scenario(connection: Connection) -> bool:
        await balanced(connection)
        return await _stays(connection, table, change_of)

    return scenario


async def _stays(connection: Connection, table: str, change_of: str) -> bool:
    return await refused(
        connection,
        f"UPDATE {table} SET {change_of} = {change_of}",
        f"DELETE FROM {table}",
        f"TRUNCATE {table} CASCADE",
    )


async def sealed(connection: Connection) -> bool:
    for number in (1, 2):
        await insert(connection, "audit_log", {"seq": number, "client_order_id": None, "trade_id": None})
    return await connection.fetchval("SELECT audit_log_breaks_at(0) IS NULL")


async def fills_counted(connection: Connection) -> bool:
    await ordered(connection)
    await change(connection, "orders", FILLED)
    await insert(connection, "fills")
    return await connection.fetchval(
        "SELECT o.by_fills = 10 AND t.entry_cost = 5 FROM orders AS o JOIN trades AS t USING (trade_id)"
    )


async def earlier_fills_found(connection: Connection) -> bool:
    await ordered(connection)
    await insert(connection, "fills")
    await change(connection, "orders", FILLED)
    return await connection.fetchval(
        "SELECT o.by_fills = 10 AND t.entry_cost = 5 FROM orders AS o JOIN trades AS t USING (trade_id)"
    )


async def exits_counted(connection: Connection) -> bool:
    await insert(connection, "runs")
    await insert(connection, "trades")
    await insert(connection, "orders", {"purpose": "exit"})
    await change(connection, "orders", FILLED)
    return await connection.fetchval("SELECT exits_met = 1 FROM trades")


async def born_pending(connection: Connection) -> bool:
    await insert(connection, "runs")
    await insert(connection, "trades")
    row = GOOD["orders"] | {"purpose": "exit", "state": "resting", "venue_order_id": "v"}
    names, values = ", ".join(row), json.dumps(row)
    sent = f"INSERT INTO orders ({names}) SELECT {names} FROM jsonb_populate_record(NULL::orders, '{values}'::jsonb)"
    return await refused(connection, sent)


async def within_limits(connection: Connection) -> bool:
    try:
        async with connection.transaction():
            await ordered(connection, limits=False)
    except asyncpg.CheckViolationError:
        return True
    return False


async def orders_move(connection: Connection) -> bool:
    await ordered(connection)
    await change(connection, "orders", {"state": "rejected", "ended_at": LATER})
    return await refused(
        connection,
        "UPDATE orders SET state = 'pending', ended_at = NULL",
        "UPDATE orders SET price = 0.6",
        "UPDATE orders SET state = 'filled', venue_order_id = 'v'",
    )


async def trades_move(connection: Connection) -> bool:
    await insert(connection, "trades", ENDED)
    return await refused(connection, "UPDATE trades SET state = 'open', closed_at = NULL, ended_by = NULL")


async def new_trades_counted(connection: Connection) -> bool:
    await insert(connection, "trades")
    return bool(
        await connection.fetchval(
            "SELECT (SELECT entries FROM event_entries WHERE event_ticker = $1) = 1"
            " AND (SELECT entries FROM market_entries WHERE ticker = $2) = 1",
            EVENT,
            TICKER,
        )
    )


async def ended_trades_counted(connection: Connection) -> bool:
    await insert(connection, "trades", {"state": "open", "entry_quantity": 10, "entry_cost": 5})
    await change(connection, "trades", ENDED)
    return bool(await connection.fetchval("SELECT sum(realised) = -5 AND sum(losses) = 1 FROM day_figures"))


async def moved_closes_counted(connection: Connection) -> bool:
    await insert(connection, "trades")
    await connection.execute("UPDATE trades SET closes_at = closes_at + interval '1 hour'")
    return await connection.fetchval("SELECT e.closes_at = t.closes_at FROM event_entries AS e, trades AS t")


async def limits_rise(connection: Connection) -> bool:
    await insert(connection, "runs")
    await insert(connection, "risk_limits")
    await insert(connection, "runs", {"fencing": 2})
    return await refused(
        connection, "INSERT INTO risk_limits (fencing, name, amount) VALUES (2, 'max_open_trades', 2)"
    )


async def balanced(connection: Connection) -> None:
    await insert(connection, "fills")
    await insert(connection, "ledger_transactions")
    await insert(connection, "postings", {"amount": 1})
    await insert(connection, "postings", {"account": "fees", "amount": -1})
    await connection.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")


async def transactions_balance(connection: Connection) -> bool:
    await insert(connection, "fills")
    return await refused(
        connection,
        "INSERT INTO ledger_transactions (at, kind, ticker, fill_id) VALUES (now(), 'fill', 't', 'f1')",
    )


async def postings_balance(connection: Connection) -> bool:
    await balanced(connection)
    return await refused(
        connection,
        "INSERT INTO postings SELECT transaction_id, 'rounding', 1 FROM ledger_transactions",
    )


async def postings_counted(connection: Connection) -> bool:
    await balanced(connection)
    return bool(
        await connection.fetchval("SELECT sum(amount) = 1 FROM ledger_balances WHERE account = 'cash'")
    )


async def logged(connection: Connection, kind: str) -> bool:
    """Written by the commit, so that no open transaction of a person holds the lock that each order takes."""
    await connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
    return await connection.fetchval("SELECT count(*) = 1 FROM audit_log WHERE kind = $1", kind)


def logs(kind: str, table: str, *before: str) -> Scenario:
    async def scenario(connection: Connection) -> bool:
        for each in (*before, table):
            await insert(connection, each)
        return await logged(connection, kind)

    return scenario


async def clearing_logged(connection: Connection) -> bool:
    await insert(connection, "halts")
    await change(connection, "halts", {"cleared_at": LATER, "cleared_by": "me"})
    return await logged(connection, "halt cleared")


async def lower_limit_logged(connection: Connection) -> bool:
    await insert(connection, "runs")
    await insert(connection, "risk_limits", {"amount": 3})
    await insert(connection, "runs", {"fencing": 2})
    await insert(connection, "risk_limits", {"fencing": 2, "amount": 2})
    return await logged(connection, "limit changed")


async def only_lowered(connection: Connection) -> bool:
    await insert(connection, "runs")
    await insert(connection, "risk_limits", {"amount": 3})
    await insert(connection, "limit_cuts", {"amount": 2})
    return await refused(
        connection,
        "INSERT INTO limit_cuts (fencing, name, amount, cut_by) VALUES (1, 'max_open_trades', 2, 'me')",
    )


async def cut_logged(connection: Connection) -> bool:
    await insert(connection, "runs")
    await insert(connection, "risk_limits", {"amount": 3})
    await insert(connection, "limit_cuts", {"amount": 2})
    return await logged(connection, "limit lowered")


async def settings_logged(connection: Connection) -> bool:
    for fencing, value in ((1, 5), (2, 5), (3, 6)):
        await insert(connection, "runs", {"fencing": fencing, "settings": {"risk.max_open_trades": value}})
    return await logged(connection, "settings changed")


async def ending_logged(connection: Connection) -> bool:
    await insert(connection, "page_sessions")
    await connection.execute("UPDATE page_sessions SET ended_by = 'me'")
    return await logged(connection, "session ended")


async def removing_logged(connection: Connection) -> bool:
    await insert(connection, "page_passkeys")
    await connection.execute("UPDATE page_passkeys SET removed_by = 'me'")
    return await logged(connection, "passkey removed")


async def push_end_logged(connection: Connection) -> bool:
    await insert(connection, "push_subscriptions")
    await connection.execute("UPDATE push_subscriptions SET ended_at = made_at, ended_by = 'me'")
    return await logged(connection, "push ended")


SCENARIOS: Mapping[str, Scenario] = {
    "switches_are_logged": logs("switch turned", "switches"),
    "halts_are_logged": logs("halt set", "halts"),
    "cleared_halts_are_logged": clearing_logged,
    "limit_cuts_are_logged": cut_logged,
    "limit_cuts_are_append_only": append_only("limit_cuts", "amount", ("runs", "risk_limits")),
    "limit_cuts_only_lower": only_lowered,
    "limit_grants_are_logged": logs("limit granted", "limit_grants", "runs"),
    "changed_limits_are_logged": lower_limit_logged,
    "trade_requests_are_logged": logs("trade asked for", "trade_requests"),
    "trade_closes_are_logged": logs("close asked for", "trade_closes", "trades"),
    "changed_settings_are_logged": settings_logged,
    "page_passkeys_are_logged": logs("passkey made", "page_passkeys"),
    "removed_passkeys_are_logged": removing_logged,
    "push_subscriptions_are_logged": logs("push subscribed", "push_subscriptions"),
    "ended_pushes_are_logged": push_end_logged,
    "page_sessions_are_logged": logs("logged in", "page_sessions"),
    "ended_sessions_are_logged": ending_logged,
    "page_acts_are_logged": logs("asked on the page", "page_acts"),
    "audit_log_is_append_only": append_only("audit_log", "kind"),
    "audit_log_rows_are_sealed": sealed,
    "empirical_buckets_are_append_only": append_only("empirical_buckets", "samples", ("empirical_models",)),
    "empirical_models_are_append_only": append_only("empirical_models", "minutes"),
    "fills_are_counted": fills_counted,
    "ledger_transactions_are_append_only": append_only_ledger("ledger_transactions", "at"),
    "ledger_transactions_balance": transactions_balance,
    "entries_within_limits": within_limits,
    "exits_that_met_a_book_are_counted": exits_counted,
    "new_orders_are_pending": born_pending,
    "orders_find_earlier_fills": earlier_fills_found,
    "orders_move_legally": orders_move,
    "postings_are_append_only": append_only_ledger("postings", "amount"),
    "postings_are_counted": postings_counted,
    "postings_balance": postings_balance,
    "limits_rise_only_by_grant": limits_rise,
    "risk_limits_are_append_only": append_only("risk_limits", "amount", ("runs",)),
    "ended_trades_are_counted": ended_trades_counted,
    "moved_closes_are_counted": moved_closes_counted,
    "new_trades_are_counted": new_trades_counted,
    "trades_move_legally": trades_move,
}
"""By the name of a trigger."""
