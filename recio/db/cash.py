"""Cash in the ledger against the venue's balance; account_sync alone writes the opening balances between them."""

from __future__ import annotations

from datetime import datetime

from recio.db import general_ledger
from recio.db.connection import Connection
from recio.units import Money, money_decimal, money_of

_OPENING_BALANCE = """
    SELECT venue_balance - ledger_cash FROM opening_balances ORDER BY opening_balance_id DESC LIMIT 1
"""
_SET = """
    INSERT INTO opening_balances (at, venue_balance, ledger_cash, halts_before)
    SELECT $1, $2, $3, coalesce(max(halt_id), 0) FROM halts
"""
_ACCEPTED = """
    SELECT EXISTS (
        SELECT FROM halts WHERE cause = $1 AND cleared_at IS NOT NULL
          AND halt_id > (SELECT halts_before FROM opening_balances ORDER BY opening_balance_id DESC LIMIT 1))
"""


async def ledger_cash(connection: Connection) -> Money:
    """What all posted fills and settlements brought in or cost."""
    return await general_ledger.balance(connection, "cash")


async def opening_balance(connection: Connection) -> Money | None:
    """What the venue's balance is beyond the ledger's cash; None before the first agreement."""
    amount = await connection.fetchval(_OPENING_BALANCE)
    return None if amount is None else money_of(amount)


async def set_opening_balance(
    connection: Connection, at: datetime, venue_balance: Money, ledger_cash: Money
) -> None:
    """From now on the two differ by this."""
    await connection.execute(_SET, at, money_decimal(venue_balance), money_decimal(ledger_cash))


async def is_accepted(connection: Connection, cause: str) -> bool:
    """Whether somebody cleared a halt of this cause since the last opening balance."""
    return await connection.fetchval(_ACCEPTED, cause)
