"""Sends one order, once, and says what came of it as a value; it never retries and never guesses.

Only a clear word of the venue is a yes or a no; whatever is not certain is OrderUnknown.
"""

from __future__ import annotations

import aiohttp
import msgspec
import structlog

from recio import units
from recio.kalshi.rest import UNREADABLE, Answer, KalshiRest, error_words
from recio.messages import OrderAccepted, OrderOutcome, OrderRejected, OrderUnknown, PlaceOrder
from recio.units import Quantity, VenueOrderId, price_text, quantity_text

log: structlog.stdlib.BoundLogger = structlog.get_logger()

CREATE = "/portfolio/events/orders"
REFUSALS = frozenset({400, 401, 403, 404, 410, 429})
"""Answers that come instead of an order: with an error body nothing was accepted."""
EXISTS = 409


class _Created(msgspec.Struct):
    order_id: str
    fill_count: str
    remaining_count: str
    client_order_id: str | None = None
    error: object = None


async def place(rest: KalshiRest, order: PlaceOrder) -> OrderOutcome:
    """One POST, never a second. Cancellation goes through; the caller then records OrderUnknown."""
    try:
        answer = await rest.send("POST", CREATE, body=_body(order))
    except aiohttp.ClientConnectorError as error:
        # No connection was made, so no byte of the order has left.
        return _rejected(rest, order, "not_sent", f"{type(error).__name__}: {error}")
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return _unknown(rest, order, f"{type(error).__name__}: {error}".rstrip(": "))
    except Exception as error:
        log.error("placing broke", order=order.client_order_id, exc_info=error)
        return _unknown(rest, order, f"{type(error).__name__}: {error}".rstrip(": "))
    return _outcome(rest, order, answer)


def _body(order: PlaceOrder) -> dict[str, object]:
    body: dict[str, object] = {
        "ticker": order.ticker,
        "client_order_id": order.client_order_id,
        "side": order.book_side.value,
        "count": quantity_text(order.quantity),
        "price": price_text(order.price),
        "time_in_force": "immediate_or_cancel",
        "self_trade_prevention_type": "taker_at_cross",
    }
    if order.reduce_only:
        body["reduce_only"] = True
    if order.exchange_index is not None:
        body["exchange_index"] = order.exchange_index
    return body


def _outcome(rest: KalshiRest, order: PlaceOrder, answer: Answer) -> OrderOutcome:
    if answer.status in (200, 201):
        return _accepted(rest, order, answer)
    words = error_words(answer.body)
    if answer.status in REFUSALS and words is not None:
        code, text = words
        return _rejected(rest, order, code or str(answer.status), text)
    if answer.status == EXISTS:
        # An order of ours with this id exists: only the order list can say what became of it.
        return _unknown(rest, order, "the venue already has an order with this id")
    said = " ".join(words or ("without an error of the venue's",)).strip()
    return _unknown(rest, order, f"answer {answer.status} {said}")


def _accepted(rest: KalshiRest, order: PlaceOrder, answer: Answer) -> OrderOutcome:
    try:
        created = msgspec.json.decode(answer.body, type=_Created)
        filled, remaining = units.quantity(created.fill_count), units.quantity(created.remaining_count)
    except (*UNREADABLE, units.UnitError) as error:
        return _unknown(rest, order, f"answer {answer.status} without a readable order: {error}")
    doubt = _doubt(order, created, filled, remaining)
    if doubt:
        return _unknown(rest, order, f"answer {answer.status} {doubt}")
    return OrderAccepted(
        client_order_id=order.client_order_id,
        venue_order_id=VenueOrderId(created.order_id),
        filled=filled,
        remaining=remaining,
        at=rest.clock.utc(),
    )


def _doubt(order: PlaceOrder, created: _Created, filled: Quantity, remaining: Quantity) -> str:
    """Why a yes cannot be believed; empty if it can."""
    if created.error is not None:
        return "carries an error as well as an order"
    if not created.order_id:
        return "has an empty order id"
    if created.client_order_id and created.client_order_id != order.client_order_id:
        return f"is about the order {created.client_order_id[:80]}"
    if filled < 0 or remaining < 0 or filled + remaining > order.quantity:
        return f"has counts that cannot be: {created.fill_count} filled, {created.remaining_count} remaining"
    return ""


def _rejected(rest: KalshiRest, order: PlaceOrder, code: str, text: str) -> OrderRejected:
    return OrderRejected(client_order_id=order.client_order_id, code=code, text=text, at=rest.clock.utc())


def _unknown(rest: KalshiRest, order: PlaceOrder, why: str) -> OrderUnknown:
    return OrderUnknown(client_order_id=order.client_order_id, why=why, at=rest.clock.utc())
