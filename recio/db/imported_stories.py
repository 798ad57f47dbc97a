"""What the tables of the import know of one trade of the system before: as it was rebuilt, as the old ledger had it, and its market; it only reads."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from asyncpg import Record

from recio.db import past_lists
from recio.db.connection import Connection
from recio.db.past_lists import Wanted
from recio.report.past_lists import LISTS
from recio.report.past_trades import Kind

MOST = 200
"""Rows of each list."""
_TRADE = """
    SELECT t.*, l.old_row, l.status, l.quantity AS old_quantity, l.buy_price, l.sell_price, l.fees AS old_fees, l.pnl AS old_pnl,
        l.win_loss, l.opened_at AS old_opened_at, l.closed_at AS old_closed_at, l.strategy, l.entry_method, l.close_method, l.is_test,
        l.has_fees,
        (SELECT count(*) FROM imported_trades AS o WHERE o.mode = t.mode AND o.ticker = t.ticker) AS of_market
    FROM imported_trades AS t LEFT JOIN imported_ledger_rows AS l ON l.mode = t.mode AND l.key = t.ledger_key
    WHERE t.mode = $1 AND t.ticker = $2 AND t.number = $3::bigint
"""
_PARTS = """
    SELECT p.fill_id, p.is_exit, p.quantity, p.price, p.fee, f.at FROM imported_trade_fills AS p
        JOIN imported_fills AS f ON f.mode = p.mode AND f.fill_id = p.fill_id
    WHERE p.mode = $1 AND p.ticker = $2 AND p.number = $3::bigint ORDER BY f.at, p.fill_id LIMIT $4
"""
_COME_TO = """
    SELECT count(*) AS n, coalesce(sum(quantity * price) FILTER (WHERE NOT is_exit), 0) AS entry_cost,
        coalesce(sum(quantity * price) FILTER (WHERE is_exit), 0) AS exit_proceeds,
        CASE WHEN bool_and(fee IS NOT NULL) THEN sum(fee) END AS fees
    FROM imported_trade_fills WHERE mode = $1 AND ticker = $2 AND number = $3::bigint
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class OldRows:
    """As the tables have them; their comments in schema.sql give units."""

    trade: Record
    """With what its ledger row says; those columns are NULL where it has none."""
    parts: list[Record]
    """What of which fills is of this trade."""
    come_to: Record
    """Sums of all of these."""
    market: dict[str, list[Record]]
    """By list, the rows of its market from its opening to its end: other trades of the market may be among them."""

    @property
    def is_cut(self) -> bool:
        """More rows may be there than are told."""
        return len(self.parts) >= MOST or any(len(rows) >= MOST for rows in self.market.values())


async def of_imported_trade(connection: Connection, mode: str, ticker: str, number: int) -> OldRows | None:
    trade = await connection.fetchrow(_TRADE, mode, ticker, number)
    if trade is None:
        return None
    market = {
        name: await past_lists.page(connection, _of_market(name, trade), MOST, None)
        for name in ("orders", "fills", "settlements")
    }
    parts = await connection.fetch(_PARTS, mode, ticker, number, MOST)
    come_to = await connection.fetchrow(_COME_TO, mode, ticker, number)
    assert come_to is not None
    return OldRows(trade=trade, parts=parts, come_to=come_to, market=market)


def _of_market(name: str, trade: Record) -> Wanted:
    """A settlement comes after the end as often as it is the end."""
    ends = None if name == "settlements" or trade["closed_at"] is None else trade["closed_at"]
    return Wanted(
        of=LISTS[name],
        kind=Kind.IMPORTED,
        sort=LISTS[name].time,
        down=False,
        mode=trade["mode"],
        since=trade["opened_at"],
        until=None if ends is None else ends + timedelta(microseconds=1),
        words={"ticker": trade["ticker"]},
    )
