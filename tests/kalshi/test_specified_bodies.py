"""Every body that the client decodes is one of the venue's specifications: no field is made up, none demanded that may lack.

Words are looked at too: a word that the venue may send and a body does not know would spoil the whole of it.
"""

from __future__ import annotations

import importlib
import types
from enum import Enum
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec
import pytest

from tests.exchange_sim import specifications as spec

pytestmark = [
    pytest.mark.recorded,
    pytest.mark.skipif(not spec.FOLDER.is_dir(), reason=spec.ABSENT),
]

BODIES = {
    "account._ShardBalance": "IndexedBalance",
    "account._Balance": "GetBalanceResponse",
    "account._RestingRow": "Order",
    "account._RestingRows": "GetOrdersResponse",
    "settlements._Settlement": "Settlement",
    "settlements._Settlements": "GetSettlementsResponse",
    "settlements._Market": "Market",
    "settlements._OneMarket": "GetMarketResponse",
    "account._AsOf": "GetUserDataTimestampResponse",
    "account_bodies.PositionBody": "MarketPosition",
    "account_bodies.Positions": "GetPositionsResponse",
    "account_bodies.FillBody": "Fill",
    "account_bodies.Fills": "GetFillsResponse",
    "account_bodies.OrderBody": "Order",
    "account_bodies.Orders": "GetOrdersResponse",
    "account_limits._Limits": "GetAccountApiLimitsResponse",
    "account_limits._Costs": "GetAccountEndpointCostsResponse",
    "cash_movements._Payment": "Deposit",
    "cash_movements._Transfer": "SubaccountTransfer",
    "cash_movements._Exchange": "IntraExchangeInstanceTransfer",
    "exchange_status._ShardStatus": "ExchangeIndexStatus",
    "exchange_status._ShardName": "ExchangeIndexStatus",
    "exchange_status._Status": "ExchangeStatus",
    "exchange_status._Hours": "DailySchedule",
    "exchange_status._Week": "WeeklySchedule",
    "exchange_status._Window": "MaintenanceWindow",
    "exchange_status._Schedule": "Schedule",
    "exchange_status._OneSchedule": "GetExchangeScheduleResponse",
    "fees._Series": "Series",
    "fees._OneSeries": "GetSeriesResponse",
    "fees._Change": "SeriesFeeChange",
    "fees._Changes": "GetSeriesFeeChangesResponse",
    "fees._EventChange": "EventFeeChange",
    "fees._EventChanges": "GetEventFeeChangesResponse",
    "fees._Event": "EventData",
    "fees._Events": "GetEventsResponse",
    "historical._Cutoff": "GetHistoricalCutoffResponse",
    "market_bodies.MarketBody": "Market",
    "market_bodies.RangeBody": "PriceRange",
    "market_bodies.ResultBody": "Market",
    "markets._MarketPage": "GetMarketsResponse",
    "markets._OneResult": "GetMarketResponse",
    "order_changes._CancelledBody": "CancelOrderV2Response",
    "order_changes._AmendedBody": "AmendOrderV2Response",
    "order_groups._Made": "CreateOrderGroupResponse",
    "orders.CreatedOrder": "CreateOrderV2Response",
}
"""By module and name, the schema of REST."""
MESSAGES = {
    "frame_bodies.Snapshot": "orderbookSnapshotPayload",
    "frame_bodies.Delta": "orderbookDeltaPayload",
    "frame_bodies.TopOfBook": "tickerPayload",
    "frame_bodies.Fill": "fillPayload",
    "frame_bodies.UserOrder": "userOrderPayload",
    "frame_bodies.Index": "cfbenchmarksValuePayload",
    "frame_bodies.FastIndex": "cfbenchmarksValue5HzPayload",
    "frame_bodies.SubscribedTo": "subscribedResponsePayload",
    "frame_bodies.ErrorBody": "errorResponsePayload",
    "lifecycle_frames._Market": "marketLifecycleV2Payload",
}
"""The same of what is in `msg` on the socket."""
DIFFERS = {
    "market_bodies.MarketBody.strike_type does not know custom, functional, structured": "each market is decoded by "
    "itself, and one that is not understood is refused by itself",
    "order_changes._CancelledBody.error is not specified": "an error was seen inside an answer of success",
    "orders.CreatedOrder.error is not specified": "an error was seen inside an answer of success",
}
"""A flaw by the specifications, and why it is there all the same."""


def struct_of(name: str) -> type[msgspec.Struct]:
    module, _, kind = name.rpartition(".")
    return getattr(importlib.import_module(f"recio.kalshi.{module}"), kind)


def words_of(kind: Any) -> set[str] | None:
    """The words of an enumeration that a field's type allows; None where it allows any text or is no enumeration."""
    options = get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)
    found = [one for one in options if isinstance(one, type) and issubclass(one, Enum)]
    return {str(word.value) for one in found for word in one} if found and str not in options else None


def may_lack(field: str, schema: Any, told: Any) -> bool:
    return field not in schema.get("required", ()) or bool(told.get("nullable"))


def takes_null(kind: Any) -> bool:
    """Whether a field of this type may hold null."""
    return kind in (object, Any, msgspec.Raw) or types.NoneType in get_args(kind)


def flaws(name: str, schema: Any, root: Any) -> list[str]:
    struct, known = struct_of(name), schema["properties"]
    hints, found = get_type_hints(struct), list[str]()
    for field in msgspec.structs.fields(struct):
        told = spec.resolved(known.get(field.encode_name), root)
        if told is None:
            found.append(f"{name}.{field.encode_name} is not specified")
            continue
        if field.required and field.encode_name not in schema.get("required", ()):
            found.append(f"{name}.{field.encode_name} may be missing and is demanded")
        if may_lack(field.encode_name, schema, told) and not takes_null(hints[field.name]):
            found.append(f"{name}.{field.encode_name} may be missing and null is refused in it")
        words = words_of(hints[field.name])
        new = set(told.get("enum", ())) - {None} - words if words is not None else set[str]()
        if new:
            found.append(f"{name}.{field.encode_name} does not know {', '.join(sorted(new))}")
    return found


def test_every_body_that_is_decoded_is_a_specified_one() -> None:
    rest, socket = spec.openapi(), spec.asyncapi()
    found = [flaw for name, of in BODIES.items() for flaw in flaws(name, spec.schema(rest, of), rest)]
    for name, of in MESSAGES.items():
        payload = spec.schema(socket, of)
        found += flaws(name, spec.resolved(payload["properties"]["msg"], socket), socket)
    unexplained = "\n".join(flaw for flaw in found if flaw not in DIFFERS)
    assert not unexplained, unexplained
