"""What all imports together came to, read back from the tables of the import: sums, or every trade and disagreement; it writes nothing."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any

from recio.db.connection import Connection
from recio.old_data.compare import Disagreement
from recio.old_data.rebuild import Trade
from recio.old_data.records import LedgerRow
from recio.old_data.report import SHOWN, Found

LIMIT = 3600.0
"""Host seconds."""
PIECE = 2_000
"""Rows that are in memory at once."""
_LEDGER_COLUMNS = tuple(LedgerRow.__dataclass_fields__)
_TRADE_COLUMNS = (
    "ticker",
    "side",
    "source",
    "quantity",
    "entry_cost",
    "exit_proceeds",
    "payout",
    "fees",
    "opened_at",
    "closed_at",
    "doubtful",
)
_COUNTS = """
    SELECT (SELECT count(*) FROM imported_fills WHERE mode = $1) AS fills,
        (SELECT count(*) FROM imported_orders WHERE mode = $1) AS orders,
        (SELECT count(*) FROM imported_settlements WHERE mode = $1) AS settlements,
        (SELECT count(*) FROM imported_trades WHERE mode = $1) AS trades
"""
_SUMS = """
    SELECT count(*) AS trades, count(*) FILTER (WHERE net_pnl IS NULL) AS unknown, coalesce(sum(net_pnl), 0) AS net
    FROM imported_trades WHERE mode = $1
"""
_TRADES = f"""
    SELECT {", ".join(f"t.{each}" for each in _TRADE_COLUMNS)}, t.ledger_key, t.disagreements,
        {", ".join(f"l.{each} AS l_{each}" for each in _LEDGER_COLUMNS)}
    FROM imported_trades AS t LEFT JOIN imported_ledger_rows AS l ON l.mode = t.mode AND l.key = t.ledger_key
    WHERE t.mode = $1 ORDER BY t.ticker COLLATE "C", t.number
"""
_OF_TRADES = """
    SELECT d ->> 'ticker' AS ticker, d ->> 'old_row' AS old_row, d ->> 'field' AS field, d ->> 'theirs' AS theirs, d ->> 'ours' AS ours
    FROM imported_trades AS t, jsonb_array_elements(t.disagreements) AS d
    WHERE t.mode = $1 AND t.disagreements <> '[]'
"""
_OF_NONE = """
    SELECT ticker, nullif(old_row, '') AS old_row, field, nullif(theirs, '') AS theirs, nullif(ours, '') AS ours
    FROM imported_disagreements WHERE mode = $1 ORDER BY ticker COLLATE "C", old_row, field, theirs
"""
_BY_FIELD = f"SELECT field, count(*) AS n FROM ({_OF_TRADES} UNION ALL ({_OF_NONE})) AS d GROUP BY field"
_FIRST = f'{_OF_TRADES} ORDER BY t.ticker COLLATE "C", t.number LIMIT $2'


async def counted(connection: Connection, mode: str) -> dict[str, int]:
    row = await connection.fetchrow(_COUNTS, mode, timeout=LIMIT)
    assert row is not None
    return dict(row)


async def tell(connection: Connection, mode: str, found: Found) -> None:
    """Every trade and disagreement where they are asked for, and otherwise what they come to."""
    if found.lists:
        await _tell_all(connection, mode, found)
    else:
        await _tell_sums(connection, mode, found)


async def _tell_all(connection: Connection, mode: str, found: Found) -> None:
    async for row in connection.cursor(_TRADES, mode, prefetch=PIECE, timeout=LIMIT):
        found.add_told((_trade(row), [Disagreement(**each) for each in row["disagreements"]]))
    async for row in connection.cursor(_OF_NONE, mode, prefetch=PIECE, timeout=LIMIT):
        found.add_disagreement(Disagreement(**dict(row)))


def _trade(row: Any) -> Trade:
    ledger = None
    if row["ledger_key"] is not None and row["l_key"] is not None:
        ledger = LedgerRow(**{each: row[f"l_{each}"] for each in _LEDGER_COLUMNS})
    return Trade(order_id="", row=ledger, **{each: row[each] for each in _TRADE_COLUMNS})


async def _tell_sums(connection: Connection, mode: str, found: Found) -> None:
    sums = await connection.fetchrow(_SUMS, mode, timeout=LIMIT)
    assert sums is not None
    found.trades, found.unknown, found.net = sums["trades"], sums["unknown"], Decimal(sums["net"])
    found.by_field = Counter(
        {row["field"]: row["n"] for row in await connection.fetch(_BY_FIELD, mode, timeout=LIMIT)}
    )
    found.disagreements = found.by_field.total()
    first = await connection.fetch(_FIRST, mode, SHOWN, timeout=LIMIT)
    first += (await connection.fetch(_OF_NONE, mode, timeout=LIMIT))[: SHOWN - len(first)]
    found.first = [Disagreement(**dict(row)) for row in first]
