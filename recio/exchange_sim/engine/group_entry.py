"""Decides requests about order groups: create, reset, trigger, limit, delete; it reads no body."""

from __future__ import annotations

from recio.exchange_sim.engine.allocation import SHARDS
from recio.exchange_sim.engine.execution import end_group_orders, publish_group, stop_group
from recio.exchange_sim.engine.groups import OrderGroup
from recio.exchange_sim.engine.orders import EXCHANGE_PAUSED, FORBIDDEN, NO_SUCH_SHARD, NOT_FOUND, Refused
from recio.exchange_sim.engine.venue import Venue

MOST_GROUPS = 100_000


def create_group(venue: Venue, *, limit: int, subaccount: int, shard: int) -> OrderGroup | Refused:
    if subaccount not in venue.accounts:
        return FORBIDDEN
    if shard not in SHARDS:
        return NO_SUCH_SHARD
    if len(venue.groups) >= MOST_GROUPS:
        return Refused(code="invalid_order", details="too many order groups")
    group = OrderGroup(
        group_id=venue.new_id(),
        subaccount=subaccount,
        shard=shard,
        limit=limit,
        stops_beyond=venue.floor.groups_stop_beyond,
    )
    venue.groups[group.group_id] = group
    publish_group(venue, group, "created")
    return group


def find_group(venue: Venue, group_id: str, subaccount: int) -> OrderGroup | Refused:
    group = venue.groups.get(group_id)
    return NOT_FOUND if group is None or group.subaccount != subaccount else group


def reset_group(venue: Venue, group: OrderGroup) -> None:
    """Count from nothing again and take orders again."""
    group.reset()
    publish_group(venue, group, "reset")


def trigger_group(venue: Venue, group: OrderGroup) -> Refused | None:
    if venue.exchange_paused(venue.now_ms):
        return EXCHANGE_PAUSED
    stop_group(venue, group)
    return None


def limit_group(venue: Venue, group: OrderGroup, limit: int) -> None:
    """A limit below what was matched just now stops the group at once."""
    group.limit = limit
    publish_group(venue, group, "limit_updated")
    if not group.triggered and group.exceeded(venue.now_ms):
        stop_group(venue, group)


def delete_group(venue: Venue, group: OrderGroup) -> Refused | None:
    if venue.exchange_paused(venue.now_ms):
        return EXCHANGE_PAUSED
    end_group_orders(venue, group)
    del venue.groups[group.group_id]
    publish_group(venue, group, "deleted")
    return None
