"""Cash by the books against the venue's balance; the openings between them are written by account_sync only."""

from __future__ import annotations

from datetime import datetime

from recio.db.connection import Connection
from recio.units import Money, money_decimal, money_of

_BOOKED = "SELECT coalesce(sum(amount), 0) FROM entries WHERE account = 'cash'"
_OPENING = "SELECT balance - booked FROM cash_openings ORDER BY opening_id DESC LIMIT 1"
_OPEN = """
    INSERT INTO cash_openings (at, balance, booked, halts_before)
    SELECT $1, $2, $3, coalesce(max(halt_id), 0) FROM halts
"""
_ACCEPTED = """
    SELECT EXISTS (
        SELECT FROM halts WHERE cause = $1 AND cleared_at IS NOT NULL
          AND halt_id > (SELECT halts_before FROM cash_openings ORDER BY opening_id DESC LIMIT 1))
"""


async def booked(connection: Connection) -> Money:
    """What all fills and settlements in the books brought in or cost."""
    return money_of(await connection.fetchval(_BOOKED))


async def opening(connection: Connection) -> Money | None:
    """What the venue's balance is beyond that; None before the first agreement."""
    amount = await connection.fetchval(_OPENING)
    return None if amount is None else money_of(amount)


async def open_at(connection: Connection, at: datetime, balance: Money, booked: Money) -> None:
    """From now on this is what they differ by."""
    await connection.execute(_OPEN, at, money_decimal(balance), money_decimal(booked))


async def is_accepted(connection: Connection, cause: str) -> bool:
    """Whether somebody cleared a halt of this cause since the last opening."""
    return await connection.fetchval(_ACCEPTED, cause)
