"""Places or cancels several orders with one request, once; an item without a clear answer of its own is unknown."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from recio.kalshi.error_codes import is_known_no
from recio.kalshi.order_changes import (
    ENDED_OR_ELSEWHERE,
    CancelOutcome,
    Resting,
    order_verdict,
    read_cancel,
)
from recio.kalshi.orders import CreatedOrder, NewOrder, accepted, order_body, rejected, unknown
from recio.kalshi.rate_limit import BilledRequest, Priority
from recio.kalshi.responses import NOT_DECODABLE, Response, error_in
from recio.kalshi.rest import ORDERS_PATH, KalshiRest
from recio.kalshi.writes import (
    OK,
    OK_OR_CREATED,
    OutcomeUnknown,
    RequestRefused,
    attempt,
    shard_field,
    verdict,
)
from recio.messages.orders import OrderOutcome

BATCH_PATH = f"{ORDERS_PATH}/batched"
NOT_FOUND_CODE = "not_found"


class _Batch(msgspec.Struct):
    orders: list[msgspec.Raw]


class _Item(msgspec.Struct):
    error: object = None
    client_order_id: str | None = None
    order_id: str | None = None


async def create_batch(
    rest: KalshiRest, orders: Sequence[NewOrder], *, wait_seconds: float
) -> tuple[OrderOutcome, ...]:
    """One POST for all, not atomic; the outcomes come in the order of the asking."""
    request = BilledRequest(method="POST", path=BATCH_PATH, priority=Priority.ORDER, items=len(orders))
    body = {"orders": [order_body(each) for each in orders]}
    result = await attempt(rest, request, body=body, wait_seconds=wait_seconds)
    match verdict(result, OK_OR_CREATED):
        case RequestRefused(code=code, text=text):
            return tuple(rejected(rest, each, code, text) for each in orders)
        case OutcomeUnknown(why=why):
            return tuple(unknown(rest, each, why) for each in orders)
        case Response(body=said):
            rows = _rows(said, len(orders))
            if isinstance(rows, str):
                return tuple(unknown(rest, each, rows) for each in orders)
            return tuple(_created(rest, each, row) for each, row in zip(orders, rows, strict=True))


async def cancel_batch(rest: KalshiRest, resting: Sequence[Resting]) -> tuple[CancelOutcome, ...]:
    """One DELETE for all; each item names its shard and its market."""
    request = BilledRequest(method="DELETE", path=BATCH_PATH, priority=Priority.CANCEL, items=len(resting))
    result = await attempt(rest, request, body={"orders": [_item(each) for each in resting]})
    judged = order_verdict(result, OK)
    if not isinstance(judged, Response):
        return tuple(judged for _ in resting)
    rows = _rows(judged.body, len(resting))
    if isinstance(rows, str):
        return tuple(OutcomeUnknown(rows) for _ in resting)
    return tuple(_cancelled(each, row) for each, row in zip(resting, rows, strict=True))


def _rows(body: bytes, wanted: int) -> list[msgspec.Raw] | str:
    """The items as they came, or why they cannot be told apart."""
    try:
        rows = msgspec.json.decode(body, type=_Batch).orders
    except NOT_DECODABLE as error:
        return f"a batch response that cannot be read: {error}"
    return rows if len(rows) == wanted else f"a batch response with {len(rows)} items for {wanted}"


def _created(rest: KalshiRest, order: NewOrder, row: msgspec.Raw) -> OrderOutcome:
    try:
        item = msgspec.json.decode(row, type=_Item)
        if item.client_order_id not in (None, "", order.client_order_id):
            return unknown(rest, order, f"its item is about the order {item.client_order_id[:80]}")
        if item.error is None:
            return accepted(rest, order, msgspec.json.decode(row, type=CreatedOrder))
    except NOT_DECODABLE as error:
        return unknown(rest, order, f"an item that cannot be read: {error}")
    code, text = _error_of(row)
    # An item has no status of its own, so only a code that is known to be a refusal is one.
    if is_known_no(code) and not item.order_id:
        return rejected(rest, order, code, text)
    return unknown(rest, order, f"{code} {text}".strip())


def _cancelled(resting: Resting, row: msgspec.Raw) -> CancelOutcome:
    try:
        item = msgspec.json.decode(row, type=_Item)
    except NOT_DECODABLE as error:
        return OutcomeUnknown(f"an item that cannot be read: {error}")
    if item.order_id != resting.venue_order_id:
        return OutcomeUnknown(f"its item is about the order {(item.order_id or '')[:80]}")
    if item.error is None:
        return read_cancel(row, resting.venue_order_id)
    code, text = _error_of(row)
    if code == NOT_FOUND_CODE:
        return OutcomeUnknown(ENDED_OR_ELSEWHERE)
    return RequestRefused(code, text) if is_known_no(code) else OutcomeUnknown(f"{code} {text}".strip())


def _error_of(row: msgspec.Raw) -> tuple[str, str]:
    return error_in(bytes(row)) or ("", "an error of an unknown shape")


def _item(resting: Resting) -> dict[str, object]:
    item: dict[str, object] = {"order_id": resting.venue_order_id, "market_ticker": resting.ticker}
    return item | shard_field(resting.exchange_index)
