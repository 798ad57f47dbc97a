"""Reads which money was moved without trading: deposits, withdrawals, transfers between subaccounts and exchanges; it moves none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Any, NoReturn

import anyio
import msgspec

from recio import units
from recio.errors import Transient
from recio.kalshi.amounts import from_unix_ms
from recio.kalshi.answers import NoAnswer, answer_of
from recio.kalshi.responses import NOT_DECODABLE, VenueRefused, read_amount
from recio.kalshi.rest import KalshiRest
from recio.messages.account import CashMovement
from recio.rules.account.cash import CashMismatch
from recio.units import Money

CENT = 10_000
PRIMARY = 0
PAGE = "100"
PATIENCE = 10
"""Times that the lists may fail in a row before a difference counts without them."""
PAYMENT_TAKES = timedelta(days=90)
"""By how much the end of a payment, or its return by the bank, may be later than its beginning, by which it is listed."""
TRANSFER_TAKES = timedelta(days=1)


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


class _Page(msgspec.Struct):
    """Of any of the lists: each has its rows under one of these names."""

    deposits: list[msgspec.Raw] | None = None
    withdrawals: list[msgspec.Raw] | None = None
    transfers: list[msgspec.Raw] | None = None
    cursor: str | None = None

    @property
    def rows(self) -> list[msgspec.Raw] | None:
        return next(
            (each for each in (self.deposits, self.withdrawals, self.transfers) if each is not None), None
        )


class _Begun(msgspec.Struct):
    created_ts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A difference of cash that movements may explain: once for each, however often it is compared."""

    amount: Money
    in_ledger: Money
    since: datetime
    """What was moved before this, by the venue's clock, is known."""
    is_locked: bool
    """The key belongs to one subaccount, whose number it does not tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """What may have moved our cash, in no order."""

    rows: tuple[CashMovement, ...] = ()
    unread: str = ""
    """Which lists could not be read, and why; what they have may be all that is missing."""


@dataclass(slots=True)
class Movements:
    """The lists of moved money, read beside the comparisons where a difference is to be explained: none waits for them."""

    failed: int = 0
    """How often in a row some list could not be read."""
    wanted: Wanted | None = None
    bell: anyio.Event = field(default_factory=anyio.Event)
    found: tuple[Wanted, Listed] | None = None

    def listed(
        self, of: CashMismatch, since: datetime, *, is_locked: bool
    ) -> tuple[tuple[CashMovement, ...], str] | None:
        """What the lists said after this was wanted for the first time, and which of them may still be read; None while they
        are being read."""
        wanted = Wanted(amount=of.amount, in_ledger=of.in_ledger, since=since, is_locked=is_locked)
        found, self.found = self.found, None
        if found is None or found[0] != wanted:
            self.wanted = wanted
            self.bell.set()
            return None
        return found[1].rows, found[1].unread if self.failed <= PATIENCE else ""

    async def read_forever(self, rest: KalshiRest) -> NoReturn:
        while True:
            await self.bell.wait()
            self.bell = anyio.Event()
            wanted, self.wanted = self.wanted, None
            if wanted is not None:
                listed = await read(rest, wanted.since, is_locked=wanted.is_locked)
                self.failed = self.failed + 1 if listed.unread else 0
                self.found = wanted, listed


async def read(rest: KalshiRest, since: datetime, *, is_locked: bool) -> Listed:
    """Each list by itself: one that is refused, null or away hides no other, and of each only what is newer than needed."""
    deposit, withdrawal = (partial(_payment, "deposit", 1), partial(_payment, "withdrawal", -1))
    lists = (
        _List("deposits", "/portfolio/deposits", PAYMENT_TAKES, _Payment, deposit),
        _List("withdrawals", "/portfolio/withdrawals", PAYMENT_TAKES, _Payment, withdrawal),
        _List(
            "transfers",
            "/portfolio/subaccounts/transfers",
            TRANSFER_TAKES,
            _Transfer,
            partial(_transfer, is_locked),
        ),
        _List(
            "exchanged",
            "/portfolio/intra_exchange_instance_transfers",
            TRANSFER_TAKES,
            _Exchange,
            _exchange,
        ),
    )
    rows: list[CashMovement] = []
    unread: list[str] = []
    for each in lists:
        try:
            rows += await answer_of(_rows(rest, each, since), or_refusal=True)
        except VenueRefused:
            pass  # a key that may not see them: nobody waits for what will never be shown
        except NoAnswer as error:
            unread.append(str(error))
    return Listed(rows=tuple(rows), unread="; ".join(unread))


@dataclass(frozen=True, slots=True)
class _List:
    name: str
    path: str
    takes: timedelta
    kind: type[msgspec.Struct]
    turn: Callable[[Any], CashMovement | None]


async def _rows(rest: KalshiRest, asked: _List, since: datetime) -> list[CashMovement]:
    """Raises Transient for a list that is null: whether it is empty or not told nobody knows."""
    earliest = int((since - asked.takes).timestamp())
    pages = await rest.pages(
        asked.path, _Page, {"limit": PAGE}, is_last=lambda page: _is_older(page.rows, earliest)
    )
    if any(page.rows is None for page in pages):
        raise Transient(f"GET {asked.path}: the list is null")
    raws = (raw for page in pages for raw in page.rows or ())
    turned = rest.set_aside.readable(asked.name, raws, asked.kind, asked.turn)
    return [each for each in turned if each is not None]


def _is_older(rows: list[msgspec.Raw] | None, earliest: int) -> bool:
    """Whether all further pages are of no interest: the newest stands first, and the last is older than needed."""
    if not rows:
        return False
    try:
        first, last = (msgspec.json.decode(each, type=_Begun).created_ts for each in (rows[0], rows[-1]))
    except NOT_DECODABLE:
        return False
    return last < earliest and last <= first


def _payment(what: str, sign: int, row: _Payment) -> CashMovement | None:
    """Whether a fee is part of the amount or comes on top is told nowhere: both are possible."""
    name = f"{what} {row.id}"
    whole, fee = sign * row.amount_cents * CENT, row.fee_cents * CENT
    amounts = (Money(whole - fee), Money(whole)) if fee else (Money(whole),)
    is_timed = row.finalized_ts is not None
    match row.status:
        case _Paid.FAILED:
            return None
        case _Paid.PENDING:
            return _movement(name, row.created_ts, amounts, is_pending=True)
        case _Paid.APPLIED:
            return _movement(name, row.finalized_ts or row.created_ts, amounts, is_timed=is_timed)
        case _Paid.RETURNED:
            back = tuple(Money(-each) for each in amounts)
            return _movement(f"{name} returned", row.finalized_ts or row.created_ts, back, is_timed=is_timed)


def _transfer(is_locked: bool, row: _Transfer) -> CashMovement | None:
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


def _movement(
    name: str, at: int, amounts: tuple[Money, ...], *, is_pending: bool = False, is_timed: bool = True
) -> CashMovement:
    when = from_unix_ms(at * 1000, "created_ts")
    return CashMovement(name=name, at=when, amounts=amounts, is_pending=is_pending, is_timed=is_timed)
