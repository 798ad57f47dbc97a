"""Cancels and amends resting orders, each once; a 404 proves nothing and is never taken for done.

The venue answers 404 alike for an order that is cancelled, filled, unknown or on another shard, so
whoever gets OutcomeUnknown reads the venue's orders before believing anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import msgspec

from recio import units
from recio.kalshi.error_codes import is_gone
from recio.kalshi.rate_limit import BilledRequest, Priority, billed_shard
from recio.kalshi.responses import NOT_DECODABLE, Response
from recio.kalshi.rest import ORDERS_PATH, KalshiRest
from recio.kalshi.writes import (
    OK,
    OK_OR_CREATED,
    OutcomeUnknown,
    RequestRefused,
    WriteResult,
    attempt,
    shard_field,
    shard_param,
    verdict,
)
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

ENDED_OR_ELSEWHERE = "not found: ended already, or on another shard"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resting:
    """Where an order rests: the id alone would be looked for on shard 0."""

    venue_order_id: VenueOrderId
    ticker: Ticker
    exchange_index: int | None


@dataclass(frozen=True, slots=True)
class Cancelled:
    """`reduced_by` is what the cancel took away, in hundredths of a contract."""

    reduced_by: Quantity


@dataclass(frozen=True, slots=True)
class Amended:
    """What the order still wants and has got, in hundredths of a contract."""

    remaining: Quantity | None
    filled: Quantity | None
    """None where the venue does not say."""


CancelOutcome = Cancelled | RequestRefused | OutcomeUnknown
AmendOutcome = Amended | RequestRefused | OutcomeUnknown
"""Refused: the order is as it was. Unknown: it may still rest as it was."""


class _CancelledBody(msgspec.Struct):
    order_id: str
    reduced_by: str
    error: object = None


class _AmendedBody(msgspec.Struct):
    order_id: str
    remaining_count: str | None = None
    fill_count: str | None = None


async def cancel(rest: KalshiRest, resting: Resting) -> CancelOutcome:
    """One DELETE that names the shard and the market."""
    params = {"market_ticker": str(resting.ticker)} | shard_param(resting.exchange_index)
    request = _request("DELETE", resting, "", priority=Priority.CANCEL)
    result = order_verdict(await attempt(rest, request, params=params), OK)
    return read_cancel(result.body, resting.venue_order_id) if isinstance(result, Response) else result


async def cancel_all(rest: KalshiRest) -> CancelOutcome:
    """Cancels every order on every shard, and perhaps those of the next minute: for emergencies, not for trading."""
    request = BilledRequest(method="DELETE", path=ORDERS_PATH, priority=Priority.CANCEL)
    result = verdict(await attempt(rest, request), (200, 204))
    return Cancelled(Quantity(0)) if isinstance(result, Response) else result


async def amend(
    rest: KalshiRest,
    resting: Resting,
    *,
    book_side: BookSide,
    price: Price,
    total: Quantity,
    new_client_order_id: ClientOrderId | None = None,
    expires_at: datetime | None = None,
) -> AmendOutcome:
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
    body |= shard_field(resting.exchange_index)
    result = order_verdict(await attempt(rest, _request("POST", resting, "/amend"), body=body), OK_OR_CREATED)
    return _read_amend(result.body, resting.venue_order_id) if isinstance(result, Response) else result


def order_verdict(result: WriteResult, success: tuple[int, ...]) -> WriteResult:
    """The verdict on a request that names an order: not found is unknown, it does not say what became of it."""
    judged = verdict(result, success)
    if isinstance(judged, RequestRefused) and is_gone(judged.status, judged.code):
        return OutcomeUnknown(ENDED_OR_ELSEWHERE)
    return judged


def read_cancel(body: bytes | msgspec.Raw, venue_order_id: VenueOrderId) -> Cancelled | OutcomeUnknown:
    """What a success says, believed only if it is about the order that was meant."""
    try:
        said = msgspec.json.decode(body, type=_CancelledBody)
        reduced_by = units.quantity(said.reduced_by)
    except (*NOT_DECODABLE, units.UnitError) as error:
        return OutcomeUnknown(f"a success that cannot be read: {error}")
    if said.error is not None:
        return OutcomeUnknown("a success that carries an error")
    if said.order_id != venue_order_id:
        return OutcomeUnknown(f"a success about the order {said.order_id[:80]}")
    return Cancelled(reduced_by) if reduced_by >= 0 else OutcomeUnknown(f"reduced by {said.reduced_by}")


def _read_amend(body: bytes, venue_order_id: VenueOrderId) -> Amended | OutcomeUnknown:
    try:
        said = msgspec.json.decode(body, type=_AmendedBody)
        remaining, filled = _count(said.remaining_count), _count(said.fill_count)
    except (*NOT_DECODABLE, units.UnitError) as error:
        return OutcomeUnknown(f"a success that cannot be read: {error}")
    if said.order_id != venue_order_id:
        # Seen at the venue: the response to one order described another.
        return OutcomeUnknown(f"a success about the order {said.order_id[:80]}")
    if min(remaining or 0, filled or 0) < 0:
        return OutcomeUnknown("negative counts")
    return Amended(remaining, filled)


def _request(
    method: str, resting: Resting, action: str, *, priority: Priority = Priority.ORDER
) -> BilledRequest:
    return BilledRequest(
        method=method,
        path=f"{ORDERS_PATH}/{resting.venue_order_id}{action}",
        priority=priority,
        shard=billed_shard(resting.exchange_index),
    )


def _count(text: str | None) -> Quantity | None:
    return None if text is None else units.quantity(text)
