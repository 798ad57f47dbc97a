"""Cancels and amends resting orders, each once; a 404 proves nothing and is never taken for done.

The venue answers 404 alike for an order that is cancelled, filled, unknown or on another shard, so
whoever gets CancelUnknown reads the order before believing anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import msgspec

from recio import units
from recio.kalshi.answers import UNREADABLE, Answer
from recio.kalshi.orders import MADE
from recio.kalshi.rate_limit import Asked, Priority, billed_shard
from recio.kalshi.rest import CREATE, KalshiRest
from recio.kalshi.writes import NOT_FOUND, Doubt, Refusal, attempt, verdict
from recio.units import (
    BookSide,
    ClientOrderId,
    Price,
    Quantity,
    Ticker,
    VenueOrderId,
    price_text,
    quantity_text,
)

GONE = "not found: ended already, or on another shard"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resting:
    """Where an order rests: the id alone would be looked for on shard 0."""

    venue_order_id: VenueOrderId
    ticker: Ticker
    exchange_index: int | None


@dataclass(frozen=True, slots=True)
class Cancelled:
    reduced_by: Quantity


@dataclass(frozen=True, slots=True)
class CancelUnknown:
    """It may still rest."""

    why: str


@dataclass(frozen=True, slots=True)
class CancelRefused:
    """The venue did nothing; the order is as it was."""

    code: str
    text: str


CancelOutcome = Cancelled | CancelUnknown | CancelRefused


@dataclass(frozen=True, slots=True)
class Changed:
    remaining: Quantity | None
    filled: Quantity | None
    """None where the venue does not say."""


@dataclass(frozen=True, slots=True)
class ChangeUnknown:
    why: str


@dataclass(frozen=True, slots=True)
class ChangeRefused:
    code: str
    text: str


ChangeOutcome = Changed | ChangeUnknown | ChangeRefused


class CancelledBody(msgspec.Struct):
    order_id: str
    reduced_by: str
    error: object = None


class _Changed(msgspec.Struct):
    order_id: str
    remaining_count: str | None = None
    fill_count: str | None = None


async def cancel(rest: KalshiRest, resting: Resting) -> CancelOutcome:
    """One DELETE that names the shard and the market."""
    params = {"market_ticker": str(resting.ticker)}
    if resting.exchange_index is not None:
        params["exchange_index"] = str(resting.exchange_index)
    came = await attempt(rest, _asked("DELETE", resting, "", priority=Priority.CANCEL), params=params)
    return cancelled(came, (200,), resting.venue_order_id)


async def cancel_all(rest: KalshiRest) -> CancelOutcome:
    """Cancels every order on every shard, and perhaps those of the next minute: a brake, no step of trading."""
    came = await attempt(rest, Asked(method="DELETE", path=CREATE, priority=Priority.CANCEL))
    match verdict(came, (200, 204)):
        case Answer():
            return Cancelled(Quantity(0))
        case Refusal(code=code, text=text):
            return CancelRefused(code, text)
        case Doubt(why=why):
            return CancelUnknown(why)


async def amend(
    rest: KalshiRest,
    resting: Resting,
    *,
    book_side: BookSide,
    price: Price,
    total: Quantity,
    new_client_order_id: ClientOrderId | None = None,
    expires_at: datetime | None = None,
) -> ChangeOutcome:
    """`total` counts what is filled already; an expiry that is not named stays."""
    body: dict[str, object] = {
        "ticker": resting.ticker,
        "side": book_side.value,
        "price": price_text(price),
        "count": quantity_text(total),
    }
    if new_client_order_id is not None:
        body["updated_client_order_id"] = new_client_order_id
    if expires_at is not None:
        body["expiration_time"] = int(expires_at.timestamp())
    if resting.exchange_index is not None:
        body["exchange_index"] = resting.exchange_index
    came = await attempt(rest, _asked("POST", resting, "/amend"), body=body)
    return _changed(came, resting.venue_order_id)


def cancelled(
    came: Answer | Refusal | Doubt, yes: tuple[int, ...], venue_order_id: VenueOrderId
) -> CancelOutcome:
    """What an answer to a cancel says about the order that was meant."""
    match verdict(came, yes):
        case Refusal(status=status) if status == NOT_FOUND:
            return CancelUnknown(GONE)
        case Refusal(code=code, text=text):
            return CancelRefused(code, text)
        case Doubt(why=why):
            return CancelUnknown(why)
        case Answer(body=body):
            return read_cancel(body, venue_order_id)


def read_cancel(body: bytes | msgspec.Raw, venue_order_id: VenueOrderId) -> CancelOutcome:
    try:
        said = msgspec.json.decode(body, type=CancelledBody)
        reduced_by = units.quantity(said.reduced_by)
    except (*UNREADABLE, units.UnitError) as error:
        return CancelUnknown(f"a yes that cannot be read: {error}")
    if said.error is not None:
        return CancelUnknown("a yes that carries an error")
    if said.order_id != venue_order_id:
        return CancelUnknown(f"a yes about the order {said.order_id[:80]}")
    return Cancelled(reduced_by) if reduced_by >= 0 else CancelUnknown(f"reduced by {said.reduced_by}")


def _asked(method: str, resting: Resting, action: str, *, priority: Priority = Priority.ORDER) -> Asked:
    return Asked(
        method=method,
        path=f"{CREATE}/{resting.venue_order_id}{action}",
        priority=priority,
        shard=billed_shard(resting.exchange_index),
    )


def _changed(came: Answer | Refusal | Doubt, venue_order_id: VenueOrderId) -> ChangeOutcome:
    match verdict(came, MADE):
        case Refusal(status=status) if status == NOT_FOUND:
            return ChangeUnknown(GONE)
        case Refusal(code=code, text=text):
            return ChangeRefused(code, text)
        case Doubt(why=why):
            return ChangeUnknown(why)
        case Answer(body=body):
            return _read_change(body, venue_order_id)


def _read_change(body: bytes, venue_order_id: VenueOrderId) -> ChangeOutcome:
    try:
        said = msgspec.json.decode(body, type=_Changed)
        remaining, filled = _count(said.remaining_count), _count(said.fill_count)
    except (*UNREADABLE, units.UnitError) as error:
        return ChangeUnknown(f"a yes that cannot be read: {error}")
    if said.order_id != venue_order_id:
        # Seen at the venue: the answer to one order described another.
        return ChangeUnknown(f"a yes about the order {said.order_id[:80]}")
    if min(remaining or 0, filled or 0) < 0:
        return ChangeUnknown("counts that cannot be")
    return Changed(remaining, filled)


def _count(text: str | None) -> Quantity | None:
    return None if text is None else units.quantity(text)
