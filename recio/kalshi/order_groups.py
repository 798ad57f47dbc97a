"""Makes, reads and uses order groups, the venue's limit on contracts matched in fifteen seconds; each names its shard.

A change here may be asked again: Transient means that its outcome is unknown, and it may safely be repeated. It
never guesses which shard a group is on.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from recio import units
from recio.errors import Transient
from recio.kalshi.names import is_name
from recio.kalshi.rate_limit import BilledRequest, Priority
from recio.kalshi.responses import read_amount
from recio.kalshi.rest import KalshiRest
from recio.kalshi.writes import change, shard_field, shard_param
from recio.units import Quantity, VenueOrderId, quantity_text

GROUPS_PATH = "/portfolio/order_groups"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderGroup:
    """One order group as the venue shows it."""

    group_id: str
    limit: Quantity | None
    """Contracts that may match in a rolling fifteen seconds; None where the venue does not say."""
    auto_cancel: bool
    exchange_index: int | None
    orders: tuple[VenueOrderId, ...]


class _Made(msgspec.Struct):
    order_group_id: str


class _One(msgspec.Struct):
    is_auto_cancel_enabled: bool
    orders: list[str]
    contracts_limit_fp: str | None = None
    exchange_index: int | None = None


class _Done(msgspec.Struct):
    """Nothing is said but that it is done."""


async def create_group(rest: KalshiRest, *, limit: Quantity, exchange_index: int | None) -> str:
    """The id of a new group; without a shard the venue makes it on shard 0."""
    body = {"contracts_limit_fp": quantity_text(limit), **shard_field(exchange_index)}
    request = _request("POST", "/create", exchange_index)
    made = (await change(rest, request, _Made, body=body)).order_group_id
    if not is_name(made):
        raise Transient("POST /portfolio/order_groups/create: order_group_id is none that a row can hold")
    return made


async def group(rest: KalshiRest, group_id: str) -> OrderGroup:
    """One group with the orders in it."""
    found = await rest.read(f"{GROUPS_PATH}/{group_id}", _One, priority=Priority.ORDER_READ)
    return OrderGroup(
        group_id=group_id,
        limit=_limit(found.contracts_limit_fp),
        auto_cancel=found.is_auto_cancel_enabled,
        exchange_index=found.exchange_index,
        orders=tuple(VenueOrderId(each) for each in found.orders),
    )


async def trigger_group(rest: KalshiRest, group_id: str, exchange_index: int | None) -> None:
    """Cancels every order in it and lets none in until it is reset."""
    await _put(rest, f"/{group_id}/trigger", exchange_index, {}, Priority.CANCEL)


async def reset_group(rest: KalshiRest, group_id: str, exchange_index: int | None) -> None:
    """Lets orders in again."""
    await _put(rest, f"/{group_id}/reset", exchange_index, {}, Priority.ORDER)


async def limit_group(
    rest: KalshiRest, group_id: str, exchange_index: int | None, *, limit: Quantity
) -> None:
    """A new limit; one that is exceeded already triggers the group."""
    body = {"contracts_limit_fp": quantity_text(limit)}
    await _put(rest, f"/{group_id}/limit", exchange_index, body, Priority.ORDER)


async def delete_group(rest: KalshiRest, group_id: str, exchange_index: int | None) -> None:
    """Cancels every order in it and removes it."""
    request = _request("DELETE", f"/{group_id}", exchange_index, Priority.CANCEL)
    await change(rest, request, _Done, params=shard_param(exchange_index))


async def _put(
    rest: KalshiRest, path: str, exchange_index: int | None, body: dict[str, str], priority: Priority
) -> None:
    # With a body even where it is empty: the venue wants to see a content type.
    request = _request("PUT", path, exchange_index, priority)
    await change(rest, request, _Done, params=shard_param(exchange_index), body=body)


def _request(
    method: str, path: str, exchange_index: int | None, priority: Priority = Priority.ORDER
) -> BilledRequest:
    # Groups default to shard 0, so one that is not named is not looked for everywhere.
    return BilledRequest(method=method, path=GROUPS_PATH + path, priority=priority, shard=exchange_index or 0)


def _limit(text: str | None) -> Quantity | None:
    return None if text is None else read_amount(units.quantity, text, "contracts_limit_fp")
