"""Cash in the ledger against the venue's balance; account_sync alone writes the opening balances between them."""

from __future__ import annotations

from datetime import datetime

import structlog

from recio.db import general_ledger
from recio.db.connection import Connection
from recio.rules.account.reconcile import CashMismatch, cash_cause, is_collateral
from recio.units import Money, money_decimal, money_of

log: structlog.stdlib.BoundLogger = structlog.get_logger()

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


async def compare(
    connection: Connection, known: CashMismatch, balance: Money, at_rest: Money, *, quiet: bool, now: datetime
) -> tuple[CashMismatch, Money | None]:
    """What is known of a mismatch after one more comparison, and the difference once it stayed the same often enough.

    `at_rest` is the most that the venue holds back for orders that are not ours. A first agreement, and one that somebody
    accepted, is written down here.
    """
    in_ledger, opening = await ledger_cash(connection), await opening_balance(connection)
    unexplained = Money(balance - in_ledger - (opening or 0))
    if at_rest and (opening is None or is_collateral(Money(-unexplained), at_rest)):
        return CashMismatch(), None
    known = known.after(unexplained, quiet=quiet)
    if not known.is_steady or (opening is not None and unexplained == 0):
        return known, None
    if opening is not None and not await is_accepted(connection, cash_cause(unexplained)):
        return known, unexplained
    await set_opening_balance(connection, now, balance, in_ledger)
    log.info(
        "cash agreed", balance=f"{money_decimal(balance):f}", ledger_cash=f"{money_decimal(in_ledger):f}"
    )
    return CashMismatch(), None


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
