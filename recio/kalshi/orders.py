"""Sends one order, once, and returns what came of it as a value; it never retries and never guesses.

Only a clear response of the venue is a yes or a no; whatever is not certain is OrderUnknown.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import msgspec

from recio import units
from recio.kalshi.names import is_name
from recio.kalshi.rate_limit import BilledRequest, Priority, billed_shard
from recio.kalshi.responses import NOT_DECODABLE, Response
from recio.kalshi.rest import ORDERS_PATH, KalshiRest
from recio.kalshi.writes import OK_OR_CREATED, OutcomeUnknown, RequestRefused, attempt, shard_field, verdict
from recio.messages.orders import OrderAccepted, OrderOutcome, OrderRejected, OrderUnknown, PlaceOrder
from recio.test_hooks.crash_points import CrashPoint, reached
from recio.texts import writable
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

ENTRY_MEETS_OWN, EXIT_MEETS_OWN = "taker_at_cross", "maker"
"""Where an order meets one that rests of the same account, which only a person can have made: an entry ends, and what a sale
meets ends instead of it. A bid that somebody rests must not keep a stop from selling."""


class TimeInForce(StrEnum):
    GOOD_TILL_CANCELED = "good_till_canceled"
    IMMEDIATE_OR_CANCEL = "immediate_or_cancel"


class NewOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order as it is sent; `price` is in YES terms."""

    client_order_id: ClientOrderId
    ticker: Ticker
    exchange_index: int | None
    book_side: BookSide
    quantity: Quantity
    price: Price
    time_in_force: TimeInForce = TimeInForce.IMMEDIATE_OR_CANCEL
    reduce_only: bool = False
    order_group_id: str | None = None


class CreatedOrder(msgspec.Struct):
    """An order as the venue's response to its creation shows it."""

    order_id: str
    fill_count: str
    remaining_count: str
    client_order_id: str | None = None
    error: object = None


async def place(
    rest: KalshiRest,
    order: PlaceOrder,
    order_group_id: str | None = None,
    why_not: Callable[[], str] | None = None,
) -> OrderOutcome:
    """One POST, never a second. Cancellation goes through; the caller then records OrderUnknown.

    It waits for the rate limit at most until `send_before`, and is then refused as not sent; so is what `why_not` then has a
    reason against.
    """
    reached(CrashPoint.COMMAND_MAY_LEAVE)
    left = (order.send_before - rest.clock.utc()).total_seconds() / rest.clock.speed
    new = NewOrder(
        client_order_id=order.client_order_id,
        ticker=order.ticker,
        exchange_index=order.exchange_index,
        book_side=order.book_side,
        quantity=order.quantity,
        price=order.price,
        reduce_only=order.reduce_only,
        order_group_id=order_group_id,
    )
    return await create(rest, new, wait_seconds=max(0.0, left), why_not=why_not)


def prepare(rest: KalshiRest) -> bool:
    """Sign an order ahead; called when nothing waits. Whether there are now enough for all that may go out at once."""
    return rest.prepare_signature("POST", ORDERS_PATH)


async def create(
    rest: KalshiRest, order: NewOrder, *, wait_seconds: float, why_not: Callable[[], str] | None = None
) -> OrderOutcome:
    """One POST, never a second, after at most `wait_seconds` of host time for the rate limit."""
    request = BilledRequest(
        method="POST", path=ORDERS_PATH, priority=Priority.ORDER, shard=billed_shard(order.exchange_index)
    )
    body = order_body(order)
    result = await attempt(rest, request, body=body, wait_seconds=wait_seconds, why_not=why_not)
    match verdict(result, OK_OR_CREATED):
        case RequestRefused(code=code, text=text):
            return rejected(rest, order, code, text)
        case OutcomeUnknown(why=why):
            return unknown(rest, order, why)
        case Response(status=status, body=body):
            return _created(rest, order, status, body)


def order_body(order: NewOrder) -> dict[str, object]:
    """The body of a create request. Options that are off are left out: the venue's defaults are the cautious ones."""
    body: dict[str, object] = {
        "ticker": order.ticker,
        "client_order_id": order.client_order_id,
        "side": order.book_side.value,
        "count": quantity_text(order.quantity),
        "price": price_text(order.price),
        "time_in_force": order.time_in_force.value,
        "self_trade_prevention_type": EXIT_MEETS_OWN if order.reduce_only else ENTRY_MEETS_OWN,
    }
    if order.reduce_only:
        body["reduce_only"] = True
    if order.order_group_id is not None:
        body["order_group_id"] = order.order_group_id
    return body | shard_field(order.exchange_index)


def accepted(rest: KalshiRest, order: NewOrder, created: CreatedOrder) -> OrderOutcome:
    """OrderAccepted if what the venue created can be the order that was sent, OrderUnknown otherwise."""
    try:
        filled, remaining = units.quantity(created.fill_count), units.quantity(created.remaining_count)
    except units.UnitError as error:
        return unknown(rest, order, f"a response without a readable order: {error}")
    if mismatch := _mismatch(order, created, filled, remaining):
        return unknown(rest, order, f"a response that {mismatch}")
    return OrderAccepted(
        client_order_id=order.client_order_id,
        venue_order_id=VenueOrderId(created.order_id),
        filled=filled,
        remaining=remaining,
        at=rest.clock.utc(),
    )


def rejected(rest: KalshiRest, order: NewOrder, code: str, text: str) -> OrderRejected:
    """The venue did nothing."""
    return OrderRejected(client_order_id=order.client_order_id, code=code, text=text, at=rest.clock.utc())


def unknown(rest: KalshiRest, order: NewOrder, why: str) -> OrderUnknown:
    """Nobody knows yet whether the venue has the order."""
    return OrderUnknown(client_order_id=order.client_order_id, why=writable(why), at=rest.clock.utc())


def _created(rest: KalshiRest, order: NewOrder, status: int, body: bytes) -> OrderOutcome:
    try:
        created = msgspec.json.decode(body, type=CreatedOrder)
    except NOT_DECODABLE as error:
        return unknown(rest, order, f"status {status} without a readable order: {error}")
    return accepted(rest, order, created)


def _mismatch(order: NewOrder, created: CreatedOrder, filled: Quantity, remaining: Quantity) -> str:
    """Why a success cannot be believed; empty if it can."""
    if created.error is not None:
        return "carries an error as well as an order"
    if not created.order_id:
        return "has an empty order id"
    if not is_name(created.order_id):
        return "has an order id that no row can hold"
    if created.client_order_id and created.client_order_id != order.client_order_id:
        return f"is about the order {created.client_order_id[:80]}"
    if filled < 0 or remaining < 0 or filled + remaining > order.quantity:
        return f"has impossible counts: {created.fill_count} filled, {created.remaining_count} remaining"
    return ""
