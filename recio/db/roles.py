"""Who may do what in the database: what the daemon's role and a reader's role get, and no more; it makes no role and sees no password."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import asyncpg

from recio.db.connection import Connection
from recio.errors import BadConfig

_OWNS = """
    SELECT pg_has_role(c.relowner, 'USAGE') FROM pg_class AS c
    WHERE c.relname = 'schema_migrations' AND c.relnamespace = current_schema()::regnamespace
"""
_ADD = ("INSERT",)
_COUNT = ("INSERT", "UPDATE")
_REPLACE = ("DELETE", "INSERT")
_KEEP = ("DELETE", "INSERT", "UPDATE")
WRITES: Mapping[str, tuple[str, ...]] = {
    "alert_deliveries": _KEEP,
    "alerts": _KEEP,
    "audit_checkpoints": _ADD,
    "audit_log": _ADD,
    "backups": _ADD,
    "brought_in": _COUNT,
    "cash_agreement": _COUNT,
    "cash_movements": _ADD,
    "day_figures": _COUNT,
    "drills": _ADD,
    "empirical_buckets": _ADD,
    "empirical_models": _ADD,
    "event_entries": _COUNT,
    "exit_memories": _KEEP,
    "fills": _ADD,
    "halt_verifications": _COUNT,
    "halts": _COUNT,
    "identity": _COUNT,
    "imported_disagreements": _KEEP,
    "imported_fills": _COUNT,
    "imported_ledger_rows": _REPLACE,
    "imported_orders": _REPLACE,
    "imported_prices": _ADD,
    "imported_settings": _COUNT,
    "imported_settlements": _REPLACE,
    "imported_sources": _COUNT,
    "imported_trade_fills": _REPLACE,
    "imported_trades": _REPLACE,
    "ledger_balances": _COUNT,
    "ledger_transactions": _ADD,
    "limit_cuts": _ADD,
    "limit_grants": _ADD,
    "loss_run": _REPLACE,
    "market_entries": _COUNT,
    "market_positions": _COUNT,
    "markets": _KEEP,
    "momentum_pauses": _KEEP,
    "opening_balances": _ADD,
    "order_groups": _COUNT,
    "orders": _COUNT,
    "page_acts": _ADD,
    "page_passkeys": _COUNT,
    "page_sessions": _KEEP,
    "paper_trades": _COUNT,
    "parity_days": _COUNT,
    "postings": _ADD,
    "price_seconds": _REPLACE,
    "push_subscriptions": _COUNT,
    "rejections": _KEEP,
    "restores": _ADD,
    "risk_limits": _ADD,
    "runs": _ADD,
    "settlement_answers": _ADD,
    "settlement_requests": _ADD,
    "settlements": _COUNT,
    "stream_copies": _COUNT,
    "switches": _ADD,
    "trade_answers": _ADD,
    "trade_closes": _COUNT,
    "trade_requests": _COUNT,
    "trades": _COUNT,
}
"""By table, what the application's role may do beside reading: what some statement of recio does, and nothing else.

A test reads the statements and compares. A row lock needs UPDATE, which is why requests that only ever get an answer have it.
"""


class Kind(StrEnum):
    APPLICATION = "application"
    READ_ONLY = "read-only"


_QUOTED = "SELECT quote_ident($1), quote_ident(current_database()), quote_ident(current_schema())"
_HELD = """
    SELECT DISTINCT r.rolname AS name, bool_or(g.privilege_type = 'INSERT') AS writes
    FROM information_schema.role_table_grants AS g JOIN pg_roles AS r ON r.rolname = g.grantee
    WHERE g.table_schema = current_schema() AND g.table_name = 'runs'
        AND g.grantee <> (SELECT tableowner FROM pg_tables WHERE schemaname = current_schema() AND tablename = 'runs')
    GROUP BY r.rolname
"""


async def grant(connection: Connection, role: str, kind: Kind) -> None:
    """Inside the caller's transaction, as the owner: exactly the rights of this kind, whatever the role had before.

    Raises BadConfig for a role that is not there or one that owns the tables itself.
    """
    quoted = await connection.fetchrow(_QUOTED, role)
    assert quoted is not None
    name, database, schema = quoted
    if role == await connection.fetchval("SELECT current_user"):
        raise BadConfig(f"role {role} owns the tables: the {kind} role must be another")
    every_table = f"ON ALL TABLES IN SCHEMA {schema}"
    statements = [
        f"REVOKE ALL ON DATABASE {database} FROM PUBLIC",
        f"REVOKE CREATE ON SCHEMA {schema} FROM PUBLIC",
        f"REVOKE ALL ON DATABASE {database} FROM {name}",
        f"REVOKE ALL ON SCHEMA {schema} FROM {name}",
        f"REVOKE ALL {every_table} FROM {name}",
        f"REVOKE ALL ON ALL SEQUENCES IN SCHEMA {schema} FROM {name}",
        f"GRANT CONNECT ON DATABASE {database} TO {name}",
        f"GRANT USAGE ON SCHEMA {schema} TO {name}",
        f"GRANT SELECT {every_table} TO {name}",
        # A dump holds where each number goes on.
        f"GRANT SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO {name}",
    ]
    if kind is Kind.APPLICATION:
        # An import collects its prices in a table of its session.
        statements.append(f"GRANT TEMPORARY ON DATABASE {database} TO {name}")
        statements += [f"GRANT {', '.join(verbs)} ON {table} TO {name}" for table, verbs in WRITES.items()]
    try:
        for statement in statements:
            await connection.execute(statement)
    except asyncpg.UndefinedObjectError as error:
        raise BadConfig(
            f"there is no role {role}: whoever administers the server makes it first, as CREATE ROLE {name} LOGIN PASSWORD '...'"
        ) from error
    except asyncpg.InsufficientPrivilegeError as error:
        raise BadConfig(
            f"this user may not grant rights here ({error}): give the owner's DSN with --owner FILE"
        ) from error


async def granted(connection: Connection) -> dict[str, Kind]:
    """The roles that have rights here, beside the owner."""
    rows = await connection.fetch(_HELD)
    return {row["name"]: Kind.APPLICATION if row["writes"] else Kind.READ_ONLY for row in rows}


async def owns_tables(connection: Connection) -> bool:
    """Whether this user may do with the tables what their owner may."""
    return bool(await connection.fetchval(_OWNS))


async def grant_again(connection: Connection) -> None:
    """After a migration, as the owner: the rights of the roles that have some, on tables that are new as well."""
    for role, kind in (await granted(connection)).items():
        await grant(connection, role, kind)
