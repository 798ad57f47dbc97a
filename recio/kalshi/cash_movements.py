"""Reads which money was moved without trading: deposits, withdrawals, transfers between subaccounts and exchanges; it moves none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

import msgspec

from recio import units
from recio.kalshi.amounts import from_unix_ms
from recio.kalshi.answers import NoAnswer, answer_of
from recio.kalshi.responses import VenueRefused, read_amount
from recio.kalshi.rest import KalshiRest
from recio.messages.account import CashMovement
from recio.units import Money

B = TypeVar("B", bound=msgspec.Struct)
CENT = 10_000
PRIMARY = 0
PAGE = "100"
PATIENCE = 10
"""Times that the lists may fail in a row before a difference counts without them."""


class _Paid(StrEnum):
    PENDING = "pending"
    APPLIED = "applied"
    FAILED = "failed"
    RETURNED = "returned"


class _Moved(StrEnum):
    PENDING = "pending"
    COMPLETE = "complete"


class _Place(StrEnum):
    EVENTS = "event_contract"
    MARGIN = "margined"


class _Payment(msgspec.Struct):
    """A deposit or a withdrawal."""

    id: str
    status: _Paid
    amount_cents: int
    fee_cents: int
    created_ts: int
    finalized_ts: int | None = None


class _Deposits(msgspec.Struct):
    deposits: list[msgspec.Raw]
    cursor: str = ""


class _Withdrawals(msgspec.Struct):
    withdrawals: list[msgspec.Raw]
    cursor: str = ""


class _Transfer(msgspec.Struct):
    """Between subaccounts."""

    transfer_id: str
    from_subaccount: int
    to_subaccount: int
    amount_cents: int
    created_ts: int


class _Exchange(msgspec.Struct):
    """Between exchanges or shards, of one subaccount or of two: which it does not say."""

    transfer_id: str
    source: _Place
    destination: _Place
    amount: str
    status: _Moved
    created_ts: int


class _Transfers(msgspec.Struct):
    transfers: list[msgspec.Raw]
    cursor: str = ""


@dataclass(slots=True)
class Movements:
    """The lists of moved money, asked for where a difference is to be explained, and how often in a row that failed."""

    failed: int = 0

    async def listed(self, rest: KalshiRest, *, is_locked: bool) -> tuple[CashMovement, ...] | None:
        """None while the lists fail and may come back; where they are refused, or stay away, nothing is listed."""
        try:
            found = await answer_of(read(rest, is_locked=is_locked), or_refusal=True)
        except VenueRefused:
            return ()
        except NoAnswer:
            self.failed += 1
            return None if self.failed <= PATIENCE else ()
        self.failed = 0
        return found


async def read(rest: KalshiRest, *, is_locked: bool) -> tuple[CashMovement, ...]:
    """What may have moved our cash, the surest kinds first, each kind as the venue lists it. Raises Transient, VenueRefused.

    `is_locked`: the key belongs to one subaccount, whose number it does not tell.
    """
    payments = await rest.pages("/portfolio/deposits", _Deposits, {"limit": PAGE})
    deposits = (raw for page in payments for raw in page.deposits)
    found = _turned(rest, "deposits", deposits, _Payment, lambda each: _payment("deposit", each, 1))
    drawn = await rest.pages("/portfolio/withdrawals", _Withdrawals, {"limit": PAGE})
    withdrawals = (raw for page in drawn for raw in page.withdrawals)
    found += _turned(
        rest, "withdrawals", withdrawals, _Payment, lambda each: _payment("withdrawal", each, -1)
    )
    between = await rest.pages("/portfolio/subaccounts/transfers", _Transfers, {"limit": PAGE})
    transfers = (raw for page in between for raw in page.transfers)
    found += _turned(rest, "transfers", transfers, _Transfer, lambda each: _transfer(each, is_locked))
    path = "/portfolio/intra_exchange_instance_transfers"
    exchanged = (
        raw for page in await rest.pages(path, _Transfers, {"limit": PAGE}) for raw in page.transfers
    )
    found += _turned(rest, "exchanged", exchanged, _Exchange, _exchange)
    return tuple(found)


def _turned(
    rest: KalshiRest,
    what: str,
    rows: Iterator[msgspec.Raw],
    kind: type[B],
    turn: Callable[[B], CashMovement | None],
) -> list[CashMovement]:
    return [each for each in rest.set_aside.readable(what, rows, kind, turn) if each is not None]


def _payment(what: str, row: _Payment, sign: int) -> CashMovement | None:
    """Whether a fee is part of the amount or comes on top is told nowhere: both are possible."""
    name = f"{what} {row.id}"
    whole, fee = sign * row.amount_cents * CENT, row.fee_cents * CENT
    amounts = (Money(whole - fee), Money(whole)) if fee else (Money(whole),)
    match row.status:
        case _Paid.FAILED:
            return None
        case _Paid.PENDING:
            return _movement(name, row.created_ts, amounts, is_pending=True)
        case _Paid.APPLIED:
            return _movement(name, row.finalized_ts or row.created_ts, amounts)
        case _Paid.RETURNED:
            back = tuple(Money(-each) for each in amounts)
            return _movement(f"{name} returned", row.finalized_ts or row.created_ts, back)


def _transfer(row: _Transfer, is_locked: bool) -> CashMovement | None:
    amount = row.amount_cents * CENT
    goes, comes = Money(-amount), Money(amount)
    if is_locked:
        amounts: tuple[Money, ...] = (comes, goes)
    elif PRIMARY not in (row.from_subaccount, row.to_subaccount):
        return None
    else:
        amounts = (goes,) if row.from_subaccount == PRIMARY else (comes,)
    return _movement(f"transfer {row.transfer_id}", row.created_ts, amounts)


def _exchange(row: _Exchange) -> CashMovement | None:
    """Between two shards of one subaccount it changes nothing once it has arrived; on its way it is in neither."""
    amount = read_amount(units.money, row.amount, "amount")
    goes, comes = Money(-amount), Money(amount)
    if row.source is row.destination:
        amounts = (goes, comes)
    else:
        amounts = (goes,) if row.source is _Place.EVENTS else (comes,)
    return _movement(
        f"transfer {row.transfer_id}", row.created_ts, amounts, is_pending=row.status is _Moved.PENDING
    )


def _movement(name: str, at: int, amounts: tuple[Money, ...], *, is_pending: bool = False) -> CashMovement:
    return CashMovement(
        name=name, at=from_unix_ms(at * 1000, "created_ts"), amounts=amounts, is_pending=is_pending
    )
