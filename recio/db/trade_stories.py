"""Everything that the rows know of one trade: what was seen, its orders, their fills, its log, its settlement; it only reads.

Found by indexes alone, and bounded: a trade of any age costs the same.
"""

from __future__ import annotations

from dataclasses import dataclass

from asyncpg import Record

from recio.db.connection import Connection

MOST = 200
"""Rows of each kind."""
_TRADE = """
    SELECT t.*, m.rules_primary FROM trades AS t LEFT JOIN markets AS m USING (ticker) WHERE t.trade_id = $1
"""
_ORDERS = f"""
    SELECT o.*, r.version FROM orders AS o JOIN runs AS r USING (fencing)
    WHERE o.trade_id = $1 ORDER BY o.created_at, o.purpose, o.attempt LIMIT {MOST}
"""
_FILLS = f"""
    SELECT f.*, o.client_order_id, o.purpose FROM orders AS o JOIN fills AS f USING (venue_order_id)
    WHERE o.trade_id = $1 ORDER BY f.at, f.fill_id LIMIT {MOST}
"""
_LOG = (
    f"SELECT at, kind, client_order_id, detail FROM audit_log WHERE trade_id = $1 ORDER BY seq LIMIT {MOST}"
)
_SETTLEMENT = "SELECT result, value, settled_at, revision, set_by FROM settlements WHERE ticker = $1"
_PAPER = "SELECT * FROM paper_trades WHERE paper_trade_id = $1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """As the tables have them; their comments in schema.sql give units."""

    trade: Record
    orders: list[Record]
    fills: list[Record]
    log: list[Record]
    settlement: Record | None
    """Of its market; None: it has not settled, or was not held then."""

    @property
    def is_cut(self) -> bool:
        """More rows may be there than are told."""
        return max(len(self.orders), len(self.fills), len(self.log)) >= MOST


async def of_trade(connection: Connection, trade_id: int) -> Rows | None:
    trade = await connection.fetchrow(_TRADE, trade_id)
    if trade is None:
        return None
    return Rows(
        trade=trade,
        orders=await connection.fetch(_ORDERS, trade_id),
        fills=await connection.fetch(_FILLS, trade_id),
        log=await connection.fetch(_LOG, trade_id),
        settlement=await connection.fetchrow(_SETTLEMENT, trade["ticker"]),
    )


async def of_paper_trade(connection: Connection, number: int) -> Record | None:
    return await connection.fetchrow(_PAPER, number)
