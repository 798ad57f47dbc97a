"""Cash in the ledger against the venue's balance; account_sync alone writes the opening balances between them, and what moved them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import asyncpg
import structlog

from recio.db import general_ledger
from recio.db.connection import Connection, transaction
from recio.messages.account import CashMovement
from recio.rules.account.cash import (
    CASH_COMPARISONS,
    MOST_HIDDEN,
    CashComparison,
    CashMismatch,
    cash_cause,
    explained_by,
    is_collateral,
)
from recio.units import Money, Ticker, money_decimal, money_of

log: structlog.stdlib.BoundLogger = structlog.get_logger()

MARGIN = timedelta(minutes=10)
"""What was moved longer than this before the cash agreed last is explained, by the venue's clock."""
UNTIMED = timedelta(days=90)
"""The same for what tells only when it was begun."""
ASKING = "the venue is asked which money was moved"
NEVER = datetime.min.replace(tzinfo=UTC)
_OPENING_BALANCE = """
    SELECT venue_balance - ledger_cash AS amount, greatest(at, (SELECT at FROM cash_agreement)) AS known_at, under_way
    FROM opening_balances ORDER BY opening_balance_id DESC LIMIT 1
"""
_AGREED = """
    INSERT INTO cash_agreement (at) VALUES ($1)
    ON CONFLICT (only_row) DO UPDATE SET at = greatest(cash_agreement.at, excluded.at)
"""
_SET = """
    INSERT INTO opening_balances (at, venue_balance, ledger_cash, halts_before, under_way)
    SELECT $1, $2, $3, coalesce(max(halt_id), 0), $4::text[] FROM halts RETURNING opening_balance_id
"""
_SHIFT = """
    INSERT INTO opening_balances (at, venue_balance, ledger_cash, halts_before, under_way)
    SELECT at, venue_balance + $1, ledger_cash, halts_before, under_way FROM opening_balances
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
_SETTLED_MANUALLY = """
    SELECT s.ticker, s.settled_at, settled_worth(s.value, p.yes, p.no) AS paid
    FROM settlements AS s JOIN market_positions AS p USING (ticker) WHERE s.set_by <> '' AND s.settled_at > $1
"""
_MISSING = """
    SELECT EXISTS (
        SELECT FROM market_positions AS p WHERE p.ticker = ANY($1::text[])
          AND NOT EXISTS (SELECT FROM settlements AS s WHERE s.ticker = p.ticker))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What one comparison of the account says of its cash."""

    balance: Money
    at_rest: Money
    """The most that the venue holds back for orders that are not ours."""
    motion: str
    """What is in motion, so that a difference says nothing: an order without its end, a trade that waits for its settlement."""
    hidden: bool
    """Whether fills that cannot be read may be what is missing."""
    unread: frozenset[Ticker] | None
    """Markets whose settlement cannot be read; None: it may be that of any."""
    at: datetime
    """By the venue's clock: what it had done by then is in its reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What is known after one comparison."""

    known: CashMismatch = field(default_factory=CashMismatch)
    difference: Money | None = None
    """What nothing explains, once it stayed the same often enough."""
    waits: str = ""
    """Why nothing can be said yet; empty: something is."""


Lists = Callable[[CashMismatch, datetime], tuple[Sequence[CashMovement], str] | None]
"""The money that was moved since then, as the venue lists it, and which lists may come back; None while they are read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    amount: Money
    """What the venue's balance is beyond the ledger's cash."""
    known_at: datetime
    """When the cash agreed last."""
    under_way: frozenset[str]
    """Movements that were under way when the balance was opened, and so are not in it."""


async def compare(
    pool: asyncpg.Pool[asyncpg.Record], before: Compared, asked: Asked, lists: Lists
) -> Compared:
    """One comparison more. The lists are asked for only where a difference has stayed the same often enough."""
    async with transaction(pool) as connection:
        opening = await opening_balance(connection)
        found = await _comparison(connection, asked.balance, opening)
        manual = await manual_settlements(connection, NEVER if opening is None else opening.known_at - MARGIN)
        is_hidden = asked.hidden or await _may_be_settled(connection, asked.unread)
        if opening is not None and found.unexplained == 0 and not asked.motion and not asked.at_rest:
            await _note_agreement(connection, opening, asked.at)
    if asked.at_rest and (opening is None or is_collateral(Money(-found.unexplained), asked.at_rest)):
        return Compared(known=CashMismatch(agreed=True))
    known = before.known.after(found, quiet=not asked.motion, as_of=asked.at)
    if opening is not None and found.unexplained == 0:
        return Compared(known=known)
    waits = asked.motion or _not_often_enough(known, is_hidden=is_hidden, is_first=opening is None)
    if waits:
        return Compared(known=known, waits=waits)
    still = before.difference if before.difference == found.unexplained else None
    # The same at each comparison until it is answered: what is asked anew each time would never be.
    listed = lists(known, (known.since or asked.at) if opening is None else opening.known_at)
    if listed is None:
        is_new = known.comparisons == 1 or bool(_not_often_enough(before.known, is_hidden=is_hidden))
        return Compared(known=known, difference=still, waits=ASKING if is_new else before.waits)
    rows, unread = listed
    if unread and opening is None:
        return Compared(known=known, waits=unread)
    unpaid = [each for ticker, each in manual.items() if ticker not in (asked.unread or ())]
    async with transaction(pool) as connection:
        difference = await _explain(connection, found, opening, [*unpaid, *rows], known, asked)
    if difference is None:
        return Compared(known=CashMismatch(agreed=True))
    return Compared(known=known, difference=still if unread else difference, waits=unread)


def _not_often_enough(known: CashMismatch, *, is_hidden: bool, is_first: bool = False) -> str:
    """Rows that cannot be read may be all that is missing, but not for ever: then somebody has to look."""
    most = MOST_HIDDEN if is_hidden else CASH_COMPARISONS
    if known.comparisons >= most:
        return ""
    why = "; a fill or settlement of the venue cannot be read" if is_hidden else ""
    amount = money_decimal(known.amount)
    seen = f"was seen in {known.comparisons} of {most} comparisons{why}"
    if is_first:
        return f"{amount:f} dollars beyond them, the opening balance once it stays the same, {seen}"
    return f"a difference of {amount:+f} dollars {seen}"


async def _comparison(connection: Connection, balance: Money, opening: Opening | None) -> CashComparison:
    """The venue's balance against ledger and opening balance."""
    in_ledger = await ledger_cash(connection)
    return CashComparison(
        unexplained=Money(balance - in_ledger - (0 if opening is None else opening.amount)),
        in_ledger=in_ledger,
        has_opening=opening is not None,
    )


async def _may_be_settled(connection: Connection, unread: Collection[Ticker] | None) -> bool:
    """Whether a settlement that cannot be read may be of something we hold, of which nobody said what it is."""
    return unread is None or (bool(unread) and await connection.fetchval(_MISSING, list(unread)))


async def _note_agreement(connection: Connection, opening: Opening, at: datetime) -> None:
    """Whatever was moved before can explain nothing that comes later: a row, so that the next run knows it as well."""
    if at - opening.known_at >= MARGIN:
        await connection.execute(_AGREED, at)


async def _explain(
    connection: Connection,
    found: CashComparison,
    opening: Opening | None,
    listed: Sequence[CashMovement],
    known: CashMismatch,
    asked: Asked,
) -> Money | None:
    """What nothing explains of a steady difference; None where something does, and that is written down.

    A first agreement, and a difference that somebody accepted, take in whatever was moved until the balance was what it is.
    """
    since = known.since or asked.at
    if opening is None:
        await _agree(connection, found, listed, asked.balance, since)
        return None
    new = await _not_taken_in(connection, listed, opening)
    explanation = explained_by(found.unexplained, new, asked.at_rest)
    if explanation is not None:
        await _move(connection, [each for each in explanation if not each[0].is_pending])
        return None
    if not await is_accepted(connection, cash_cause(found.unexplained)):
        return found.unexplained
    await _agree(connection, found, new, asked.balance, since)
    return None


async def manual_settlements(connection: Connection, since: datetime) -> dict[Ticker, CashMovement]:
    """What the ledger has of markets that a person settled since then, by market: the venue may not have paid it yet."""
    return {
        Ticker(row["ticker"]): CashMovement(
            name=f"settlement by hand of {row['ticker']}",
            at=row["settled_at"],
            amounts=(Money(-money_of(row["paid"])),),
            is_pending=True,
        )
        for row in await connection.fetch(_SETTLED_MANUALLY, since)
    }


async def ledger_cash(connection: Connection) -> Money:
    """What all posted fills and settlements brought in or cost."""
    return await general_ledger.balance(connection, "cash")


async def opening_balance(connection: Connection) -> Opening | None:
    """None before the first agreement."""
    row = await connection.fetchrow(_OPENING_BALANCE)
    if row is None:
        return None
    return Opening(
        amount=money_of(row["amount"]), known_at=row["known_at"], under_way=frozenset(row["under_way"])
    )


async def is_accepted(connection: Connection, cause: str) -> bool:
    """Whether somebody cleared a halt of this cause since the last opening balance."""
    return await connection.fetchval(_ACCEPTED, cause)


async def _not_taken_in(
    connection: Connection, listed: Sequence[CashMovement], opening: Opening
) -> list[CashMovement]:
    """What may explain something, the newest first: a movement from before the cash agreed last is in the balance."""
    names = [each.name for each in listed]
    taken = {row["name"] for row in await connection.fetch(_TAKEN_IN, names)}
    new = (each for each in listed if each.name not in taken and _may_explain(each, opening))
    return sorted(new, key=lambda each: each.at, reverse=True)


def _may_explain(each: CashMovement, opening: Opening) -> bool:
    if each.is_pending or each.name in opening.under_way:
        return True
    return each.at > opening.known_at - (MARGIN if each.is_timed else UNTIMED)


async def _agree(
    connection: Connection,
    found: CashComparison,
    listed: Sequence[CashMovement],
    balance: Money,
    since: datetime,
) -> None:
    """`since`: when the balance was what it is for the first time. What was moved later is not in it."""
    amount = money_decimal(balance)
    under_way = [each.name for each in listed if each.is_pending]
    number = await connection.fetchval(_SET, since, amount, money_decimal(found.in_ledger), under_way)
    moved = [each for each in listed if not each.is_pending and each.at <= since]
    await _take_in(connection, number, [(each, each.amounts[0]) for each in moved])
    log.info(
        "cash agreed",
        balance=f"{amount:f}",
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
