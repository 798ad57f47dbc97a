"""What clients write into request bodies, field by field, and order requests as plain values; it decides nothing else."""

from __future__ import annotations

import re

import msgspec

from recio.exchange_sim.engine.orders import Refused
from recio.exchange_sim.engine.requests import AUTO_ROUTE, NewOrder, SelfTradePrevention, TimeInForce
from recio.exchange_sim.engine.units import UnitError, read_price, read_quantity

BAD_CLIENT_ID = Refused(code="invalid_order", details="client order id")
_CLIENT_ID = re.compile(r"[A-Za-z0-9_\-:+=/]{1,64}")


class CreateOrderV2Request(msgspec.Struct):
    ticker: str = ""
    side: str = ""
    count: str = ""
    price: str = ""
    time_in_force: str = ""
    self_trade_prevention_type: str = ""
    client_order_id: str = ""
    expiration_time: int | None = None
    post_only: bool = False
    reduce_only: bool = False
    cancel_order_on_pause: bool = False
    subaccount: int = 0
    order_group_id: str = ""
    exchange_index: int | None = None


class AmendOrderV2Request(msgspec.Struct):
    ticker: str = ""
    side: str = ""
    price: str = ""
    count: str = ""
    client_order_id: str = ""
    updated_client_order_id: str = ""
    expiration_time: int | None = None
    exchange_index: int | None = None


class DecreaseOrderV2Request(msgspec.Struct):
    reduce_by: str | None = None
    reduce_to: str | None = None
    exchange_index: int | None = None
    market_ticker: str | None = None


class BatchCreateV2Request(msgspec.Struct):
    orders: list[CreateOrderV2Request]


class BatchCancelItem(msgspec.Struct):
    order_id: str = ""
    subaccount: int = 0
    exchange_index: int | None = None
    market_ticker: str | None = None


class BatchCancelV2Request(msgspec.Struct):
    orders: list[BatchCancelItem]


class OrderGroupRequest(msgspec.Struct):
    """Of a new group, and of a group's new limit."""

    contracts_limit: int | None = None
    contracts_limit_fp: str | None = None
    subaccount: int = 0
    exchange_index: int | None = None


class CreateSubaccountRequest(msgspec.Struct):
    exchange_index: int | None = None


class ApplySubaccountTransferRequest(msgspec.Struct):
    client_transfer_id: str = ""
    from_subaccount: int = 0
    to_subaccount: int = 0
    amount_cents: int = 0
    exchange_index: int | None = None


class IntraExchangeInstanceTransferRequest(msgspec.Struct):
    source: str = ""
    destination: str = ""
    amount: int = 0
    source_exchange_shard: int = 0
    destination_exchange_shard: int = 0
    source_subaccount: int = 0
    destination_subaccount: int = 0
    client_transfer_id: str = ""


class TargetBalanceAllocationInput(msgspec.Struct):
    exchange_index: int
    percent: int


class SetTargetBalanceAllocationRequest(msgspec.Struct):
    allocations: list[TargetBalanceAllocationInput]
    resting_margin_reservation: str = "sum"


def new_order(body: CreateOrderV2Request) -> NewOrder | Refused:
    """The request as values, or the refusal that its missing or impossible fields earn."""
    if not body.ticker:
        return Refused(code="missing_parameters")
    if body.side not in ("bid", "ask") or not body.count or not body.price:
        return Refused(code="invalid_order", details="side, count and price are required")
    if not _may_be_client_id(body.client_order_id):
        return BAD_CLIENT_ID
    try:
        lasting = TimeInForce(body.time_in_force)
        prevention = SelfTradePrevention(body.self_trade_prevention_type)
    except ValueError:
        return Refused(code="invalid_order", details="time in force or self trade prevention type")
    numbers = _numbers(body.price, body.count)
    if isinstance(numbers, Refused):
        return numbers
    return NewOrder(
        ticker=body.ticker,
        bid=body.side == "bid",
        price=numbers[0],
        quantity=numbers[1],
        time_in_force=lasting,
        self_trade_prevention=prevention,
        client_order_id=body.client_order_id,
        expires_ms=None if body.expiration_time is None else body.expiration_time * 1000,
        post_only=body.post_only,
        reduce_only=body.reduce_only,
        shard=AUTO_ROUTE if body.exchange_index is None else body.exchange_index,
        subaccount=body.subaccount,
        group_id=body.order_group_id,
        cancel_on_pause=body.cancel_order_on_pause,
    )


def amended(body: AmendOrderV2Request, subaccount: int) -> NewOrder | Refused:
    """An amendment in the words of a new order; an expiration of 0 clears it."""
    if not _may_be_client_id(body.updated_client_order_id):
        return BAD_CLIENT_ID
    expiration = body.expiration_time or None
    return new_order(
        CreateOrderV2Request(
            ticker=body.ticker,
            side=body.side,
            count=body.count,
            price=body.price,
            time_in_force=TimeInForce.GOOD_TILL_CANCELED,
            self_trade_prevention_type=SelfTradePrevention.TAKER_AT_CROSS,
            client_order_id=body.client_order_id,
            expiration_time=expiration,
            exchange_index=body.exchange_index,
            subaccount=subaccount,
        )
    )


def group_limit(body: OrderGroupRequest) -> int | None:
    """The group's limit as a quantity; None when it is missing, no positive count, or two that differ."""
    said = [text for text in (body.contracts_limit_fp, body.contracts_limit) if text is not None]
    try:
        asked = {read_quantity(str(text)) for text in said}
    except UnitError:
        return None
    limit = asked.pop() if len(asked) == 1 else 0
    return limit if limit > 0 else None


def size(text: str | None) -> int | None:
    """A contract count, None when absent. Raises UnitError when it is not one."""
    return None if text is None else read_quantity(text)


def _may_be_client_id(text: str) -> bool:
    """None at all is as good as one of the venue's form."""
    return not text or _CLIENT_ID.fullmatch(text) is not None


def _numbers(price_text: str, count_text: str) -> tuple[int, int] | Refused:
    try:
        asked = read_price(price_text)
    except UnitError:
        return Refused(code="invalid_price")
    try:
        return asked, read_quantity(count_text)
    except UnitError:
        return Refused(code="invalid_order_size")
