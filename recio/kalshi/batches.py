"""Orders and cancels by the batch: one request, one outcome for each item; an item without a clear word is unknown."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from recio.kalshi.answers import UNREADABLE, Answer, error_words
from recio.kalshi.order_changes import (
    GONE,
    CancelOutcome,
    CancelRefused,
    CancelUnknown,
    Resting,
    cancelled,
    read_cancel,
)
from recio.kalshi.orders import EXISTS, MADE, Created, NewOrder, accepted, order_body, rejected, unknown
from recio.kalshi.rate_limit import Asked, Priority
from recio.kalshi.rest import CREATE, KalshiRest
from recio.kalshi.writes import Doubt, Refusal, attempt, verdict
from recio.messages.orders import OrderOutcome

BATCH = f"{CREATE}/batched"
CLEAR_NO = frozenset(
    {
        "bad_request",
        "missing_parameters",
        "invalid_order",
        "invalid_price",
        "invalid_order_size",
        "insufficient_balance",
        "available_balance_too_low",
        "fill_or_kill_insufficient_resting_volume",
        "market_not_found",
        "MARKET_INACTIVE",
    }
)
"""An item has no status of its own, so only a code that is known to be a refusal is one."""
NO_SUCH = "not_found"


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
    asked = Asked(method="POST", path=BATCH, priority=Priority.ORDER, items=len(orders))
    body = {"orders": [order_body(each) for each in orders]}
    came = await attempt(rest, asked, body=body, wait_seconds=wait_seconds)
    if isinstance(came, Answer) and came.status == EXISTS:
        return tuple(unknown(rest, each, "the venue already has an order of this batch") for each in orders)
    match verdict(came, MADE):
        case Refusal(code=code, text=text):
            return tuple(rejected(rest, each, code, text) for each in orders)
        case Doubt(why=why):
            return tuple(unknown(rest, each, why) for each in orders)
        case Answer(body=body):
            rows = _rows(body, len(orders))
            if isinstance(rows, str):
                return tuple(unknown(rest, each, rows) for each in orders)
            return tuple(_made(rest, each, row) for each, row in zip(orders, rows, strict=True))


async def cancel_batch(rest: KalshiRest, resting: Sequence[Resting]) -> tuple[CancelOutcome, ...]:
    """One DELETE for all; each item names its shard and its market."""
    asked = Asked(method="DELETE", path=BATCH, priority=Priority.CANCEL, items=len(resting))
    came = await attempt(rest, asked, body={"orders": [_named(each) for each in resting]})
    said = verdict(came, (200,))
    if not isinstance(said, Answer):
        return tuple(cancelled(said, (200,), each.venue_order_id) for each in resting)
    rows = _rows(said.body, len(resting))
    if isinstance(rows, str):
        return tuple(CancelUnknown(rows) for _ in resting)
    return tuple(_ended(each, row) for each, row in zip(resting, rows, strict=True))


def _rows(body: bytes, wanted: int) -> list[msgspec.Raw] | str:
    """The items as they came, or why they cannot be told apart."""
    try:
        rows = msgspec.json.decode(body, type=_Batch).orders
    except UNREADABLE as error:
        return f"a batch answer that cannot be read: {error}"
    return rows if len(rows) == wanted else f"a batch answer with {len(rows)} items for {wanted}"


def _made(rest: KalshiRest, order: NewOrder, row: msgspec.Raw) -> OrderOutcome:
    try:
        item = msgspec.json.decode(row, type=_Item)
        if item.client_order_id not in (None, "", order.client_order_id):
            return unknown(rest, order, f"its place in the batch is taken by {item.client_order_id[:80]}")
        if item.error is None:
            return accepted(rest, order, msgspec.json.decode(row, type=Created))
    except UNREADABLE as error:
        return unknown(rest, order, f"an item that cannot be read: {error}")
    code, text = error_words(bytes(row)) or ("", "an error of an unknown shape")
    if code in CLEAR_NO and not item.order_id:
        return rejected(rest, order, code, text)
    return unknown(rest, order, f"{code} {text}".strip())


def _ended(resting: Resting, row: msgspec.Raw) -> CancelOutcome:
    try:
        item = msgspec.json.decode(row, type=_Item)
    except UNREADABLE as error:
        return CancelUnknown(f"an item that cannot be read: {error}")
    if item.order_id != resting.venue_order_id:
        return CancelUnknown(f"its place in the batch is taken by {(item.order_id or '')[:80]}")
    if item.error is None:
        return read_cancel(row, resting.venue_order_id)
    code, text = error_words(bytes(row)) or ("", "an error of an unknown shape")
    if code == NO_SUCH:
        return CancelUnknown(GONE)
    return CancelRefused(code, text) if code in CLEAR_NO else CancelUnknown(f"{code} {text}".strip())


def _named(resting: Resting) -> dict[str, object]:
    named: dict[str, object] = {"order_id": resting.venue_order_id, "market_ticker": resting.ticker}
    if resting.exchange_index is not None:
        named["exchange_index"] = resting.exchange_index
    return named
