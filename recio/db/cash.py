"""Cash in the ledger against the venue's balance; account_sync alone writes the opening balances between them, and what moved them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg
import structlog

from recio.db import general_ledger
from recio.db.connection import Connection, transaction
from recio.messages.account import CashMovement
from recio.rules.account.cash import (
    CashMismatch,
    CashStanding,
    cash_cause,
    explained_by,
    is_collateral,
)
from recio.units import Money, Ticker, money_decimal, money_of

log: structlog.stdlib.BoundLogger = structlog.get_logger()

BOUNDARY = timedelta(minutes=1)
"""What was moved longer than this before an opening balance is in it."""
_OPENING_BALANCE = """
    SELECT venue_balance - ledger_cash AS amount, at FROM opening_balances ORDER BY opening_balance_id DESC LIMIT 1
"""
_SET = """
    INSERT INTO opening_balances (at, venue_balance, ledger_cash, halts_before)
    SELECT $1, $2, $3, coalesce(max(halt_id), 0) FROM halts RETURNING opening_balance_id
"""
_SHIFT = """
    INSERT INTO opening_balances (at, venue_balance, ledger_cash, halts_before)
    SELECT at, venue_balance + $1, ledger_cash, halts_before FROM opening_balances
    ORDER BY opening_balance_id DESC LIMIT 1 RETURNING opening_balance_id
"""
_TAKE_IN = """
    INSERT INTO cash_movements (name, amount, at, opening_balance_id)
    SELECT * FROM unnest($1::text[], $2::numeric[], $3::timestamptz[]), (SELECT $4::bigint) AS in_balance
    ON CONFLICT (name) DO NOTHING
"""
_TAKEN_IN = "SELECT name FROM cash_movements WHERE name = ANY($1::text[])"
_ACCEPTED = """
    SELECT EXISTS (
        SELECT FROM halts WHERE cause = $1 AND cleared_at IS NOT NULL
          AND halt_id > (SELECT halts_before FROM opening_balances ORDER BY opening_balance_id DESC LIMIT 1))
"""
_BY_HAND = """
    SELECT s.ticker, s.settled_at, settled_worth(s.value, p.yes, p.no) AS paid
    FROM settlements AS s JOIN market_positions AS p USING (ticker) WHERE s.set_by <> '' ORDER BY s.settled_at DESC
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What one comparison of the account says of its cash."""

    balance: Money
    at_rest: Money
    """The most that the venue holds back for orders that are not ours."""
    quiet: bool
    """No order is without its end, and no trade waits for its settlement."""
    unread: frozenset[Ticker] | None
    """Markets whose settlement cannot be read; None: it may be that of any."""
    at: datetime


Lists = Callable[[], Awaitable[Sequence[CashMovement] | None]]
"""Asks the venue for the money that was moved; None: not now."""


async def compare(
    pool: asyncpg.Pool[asyncpg.Record], known: CashMismatch, asked: Asked, lists: Lists
) -> tuple[CashMismatch, Money | None]:
    """What is known of a mismatch after one more comparison, and the difference that nothing explains, once it stayed the
    same often enough. The venue is asked for movements of money only then."""
    async with transaction(pool) as connection:
        found, by_hand = await standing(connection, asked.balance), await settled_by_hand(connection)
    if asked.at_rest and (not found.has_opening or is_collateral(Money(-found.unexplained), asked.at_rest)):
        return CashMismatch(agreed=True), None
    # A settlement that cannot be read may be all that is missing, but where a person said what it is.
    hidden = asked.unread is None or bool(asked.unread - by_hand.keys())
    known = known.after(found, quiet=asked.quiet and not hidden)
    if not known.is_steady or (found.has_opening and found.unexplained == 0):
        return known, None
    listed = await lists()
    if listed is None:
        return known, None
    unpaid = [each for ticker, each in by_hand.items() if ticker not in (asked.unread or ())]
    async with transaction(pool) as connection:
        difference = await explain(connection, found, [*unpaid, *listed], asked)
    return (CashMismatch(agreed=True) if difference is None else known), difference


async def standing(connection: Connection, balance: Money) -> CashStanding:
    """The venue's balance against ledger and opening balance."""
    in_ledger, opening = await ledger_cash(connection), await opening_balance(connection)
    return CashStanding(
        unexplained=Money(balance - in_ledger - (opening or 0)),
        in_ledger=in_ledger,
        has_opening=opening is not None,
    )


async def explain(
    connection: Connection,
    found: CashStanding,
    listed: Sequence[CashMovement],
    asked: Asked,
) -> Money | None:
    """What nothing explains of a steady difference; None where something does, and that is written down.

    A first agreement, and a difference that somebody accepted, take in whatever was moved until now.
    """
    if not found.has_opening:
        await _agree(connection, found, listed, asked)
        return None
    new = await _not_taken_in(connection, listed)
    explanation = explained_by(found.unexplained, new, asked.at_rest)
    if explanation is not None:
        await _move(connection, [each for each in explanation if not each[0].is_pending])
        return None
    if not await is_accepted(connection, cash_cause(found.unexplained)):
        return found.unexplained
    await _agree(connection, found, new, asked)
    return None


async def settled_by_hand(connection: Connection) -> dict[Ticker, CashMovement]:
    """What the ledger has of markets that a person settled, by market: the venue may not have paid it yet."""
    return {
        Ticker(row["ticker"]): CashMovement(
            name=f"settlement by hand of {row['ticker']}",
            at=row["settled_at"],
            amounts=(Money(-money_of(row["paid"])),),
            is_pending=True,
        )
        for row in await connection.fetch(_BY_HAND)
    }


async def ledger_cash(connection: Connection) -> Money:
    """What all posted fills and settlements brought in or cost."""
    return await general_ledger.balance(connection, "cash")


async def opening_balance(connection: Connection) -> Money | None:
    """What the venue's balance is beyond the ledger's cash; None before the first agreement."""
    row = await connection.fetchrow(_OPENING_BALANCE)
    return None if row is None else money_of(row["amount"])


async def is_accepted(connection: Connection, cause: str) -> bool:
    """Whether somebody cleared a halt of this cause since the last opening balance."""
    return await connection.fetchval(_ACCEPTED, cause)


async def _not_taken_in(connection: Connection, listed: Sequence[CashMovement]) -> list[CashMovement]:
    """A movement from before the opening balance is in it, whether its row is here or not."""
    opening = await connection.fetchrow(_OPENING_BALANCE)
    names = [each.name for each in listed]
    taken = {row["name"] for row in await connection.fetch(_TAKEN_IN, names)}
    return [
        each
        for each in listed
        if each.name not in taken
        and (each.is_pending or opening is None or each.at > opening["at"] - BOUNDARY)
    ]


async def _agree(
    connection: Connection,
    found: CashStanding,
    listed: Sequence[CashMovement],
    asked: Asked,
) -> None:
    balance = money_decimal(asked.balance)
    number = await connection.fetchval(_SET, asked.at, balance, money_decimal(found.in_ledger))
    await _take_in(connection, number, [(each, each.amounts[0]) for each in listed if not each.is_pending])
    log.info(
        "cash agreed",
        balance=f"{balance:f}",
        ledger_cash=f"{money_decimal(found.in_ledger):f}",
    )


async def _move(connection: Connection, explanation: Sequence[tuple[CashMovement, Money]]) -> None:
    """The opening balance follows the movements that were found."""
    if not explanation:
        return
    total = Money(sum(amount for _, amount in explanation))
    number = await connection.fetchval(_SHIFT, money_decimal(total))
    await _take_in(connection, number, explanation)
    for movement, amount in explanation:
        log.info(
            "cash moved",
            movement=movement.name,
            amount=f"{money_decimal(amount):+f}",
            at_venue=movement.at.isoformat(),
        )


async def _take_in(
    connection: Connection, number: int, explanation: Sequence[tuple[CashMovement, Money]]
) -> None:
    names = [movement.name for movement, _ in explanation]
    amounts = [money_decimal(amount) for _, amount in explanation]
    await connection.execute(_TAKE_IN, names, amounts, [movement.at for movement, _ in explanation], number)
