"""Turns frames about our own orders and fills into messages; they are hints, never proof, until a REST list says the same."""

from __future__ import annotations

from datetime import datetime

import msgspec

from recio import units
from recio.kalshi.amounts import contract_count, from_unix_ms, parse_amount, trade_price
from recio.kalshi.frame_bodies import Envelope, Fill, UserOrder
from recio.kalshi.frame_kinds import Passed
from recio.kalshi.names import insist_on_writable
from recio.messages.account import FillSeen, OrderSeen, VenueOrderStatus
from recio.units import ClientOrderId, FillId, Ticker, VenueOrderId

_fill = msgspec.json.Decoder(Fill)
_order = msgspec.json.Decoder(UserOrder)


def sent_at(envelope: Envelope) -> datetime | None:
    """When the venue sent a frame, by its own clock; None where it does not say so, or nothing that is a time."""
    ms = envelope.sending_ts_ms
    try:
        return from_unix_ms(ms, "sending_ts_ms") if type(ms) is int else None
    except units.UnitError:
        return None


def fill_from_frame(raw: msgspec.Raw, sent: datetime | None) -> FillSeen:
    """The body of a fill frame. Raises MsgspecError or UnitError naming the field."""
    body = _fill.decode(raw)
    insist_on_writable(body)
    post = body.post_position_fp
    return FillSeen(
        fill_id=FillId(body.trade_id),
        venue_order_id=VenueOrderId(body.order_id),
        ticker=Ticker(body.market_ticker),
        book_side=body.book_side,
        price=trade_price(body.yes_price_dollars),
        quantity=contract_count(body.count_fp, "count_fp", least=1),
        fee=parse_amount(units.money, body.fee_cost, "fee_cost"),
        is_taker=body.is_taker,
        at=from_unix_ms(body.ts_ms),
        client_order_id=ClientOrderId(body.client_order_id) if body.client_order_id else None,
        post_position=None if post is None else parse_amount(units.quantity, post, "post_position_fp"),
        subaccount=body.subaccount or 0,
        sent_at=sent,
    )


def order_from_frame(raw: msgspec.Raw, sent: datetime | None) -> OrderSeen | Passed:
    """The body of a user_order frame; one of unknown status is passed over. Raises MsgspecError or UnitError."""
    body = _order.decode(raw)
    insist_on_writable(body)
    try:
        status = VenueOrderStatus(body.status)
    except ValueError:
        # "unknown" is a status of this channel; the order list over REST settles what it is.
        return Passed(kind=f"user_order with status {body.status}", sid=None, seq=None)
    return OrderSeen(
        venue_order_id=VenueOrderId(body.order_id),
        client_order_id=ClientOrderId(body.client_order_id) if body.client_order_id else None,
        ticker=Ticker(body.ticker),
        status=status,
        filled=contract_count(body.fill_count_fp, "fill_count_fp"),
        remaining=contract_count(body.remaining_count_fp, "remaining_count_fp"),
        reason=body.last_update_reason or "",
        sent_at=sent,
    )
