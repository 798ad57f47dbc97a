"""Trades that a person wants sold: written by `recio close`, read with all else that a person says; one function per operation."""

from __future__ import annotations

from typing import Any

from recio.db.connection import Connection
from recio.messages.controls import CloseRequest
from recio.units import Price, TradeId, price_decimal, price_of

WANTED = """
    SELECT c.trade_id, c.floor, c.asked_by, c.why FROM trades AS t JOIN trade_closes AS c USING (trade_id)
    WHERE t.is_live ORDER BY c.trade_id
"""
_ASK = """
    INSERT INTO trade_closes (trade_id, floor, asked_by, why) VALUES ($1, $2, $3, $4)
    ON CONFLICT (trade_id) DO UPDATE SET floor = excluded.floor, asked_by = excluded.asked_by, why = excluded.why,
        asked_at = excluded.asked_at
"""


async def ask(connection: Connection, trade_id: TradeId, floor: Price | None, by: str, why: str) -> None:
    """It holds until the trade has ended; asked again, the newest word counts."""
    await connection.execute(_ASK, trade_id, None if floor is None else price_decimal(floor), by, why)


def close_of(row: tuple[Any, ...]) -> CloseRequest:
    """Of the columns of WANTED, in their order."""
    trade_id, floor, by, why = row
    return CloseRequest(
        trade_id=TradeId(trade_id), floor=None if floor is None else price_of(floor), by=by, why=why
    )
