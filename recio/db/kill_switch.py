"""What was done at the venue about each halt, and the order groups there; written by the kill_switch task only.

Times are the database's own, so that a halt set from another process is measured by the same clock.
"""

from __future__ import annotations

from asyncpg import Record

from recio.db.connection import Connection
from recio.messages.controls import HaltVerification

_AFTER = "extract(epoch FROM {} - h.set_at)::double precision"
_CHECKS = f"""
    SELECT c.halt_id, c.cancelled, {_AFTER.format("c.verified_at")} AS verified_after,
           {_AFTER.format("c.flat_at")} AS flat_after
    FROM halt_verifications c JOIN halts h USING (halt_id) WHERE h.cleared_at IS NULL ORDER BY c.halt_id
"""
_VERIFIED = """
    INSERT INTO halt_verifications (halt_id, cancelled, verified_at) VALUES ($1, $2, clock_timestamp())
    ON CONFLICT (halt_id) DO NOTHING
"""
_FLAT = "UPDATE halt_verifications SET flat_at = clock_timestamp() WHERE halt_id = $1 AND flat_at IS NULL"
_GROUP = """
    SELECT group_id FROM order_groups WHERE exchange_index IS NOT DISTINCT FROM $1 AND gone_at IS NULL
    ORDER BY made_at DESC LIMIT 1
"""
_ADD_GROUP = "INSERT INTO order_groups (group_id, exchange_index) VALUES ($1, $2)"
_GROUP_GONE = "UPDATE order_groups SET gone_at = clock_timestamp() WHERE group_id = $1"


async def checks(connection: Connection) -> tuple[HaltVerification, ...]:
    """Of every halt that is in force and was verified."""
    return tuple(_check(row) for row in await connection.fetch(_CHECKS))


async def verified(connection: Connection, halt_id: int, cancelled: int) -> None:
    """Nothing of ours rests at the venue any more, seen just now. The same halt is verified once."""
    await connection.execute(_VERIFIED, halt_id, cancelled)


async def flat(connection: Connection, halt_id: int) -> None:
    """Nothing is held any more, seen just now."""
    await connection.execute(_FLAT, halt_id)


async def order_group(connection: Connection, exchange_index: int | None) -> str | None:
    """The group in use on a shard."""
    return await connection.fetchval(_GROUP, exchange_index)


async def add_order_group(connection: Connection, group_id: str, exchange_index: int | None) -> None:
    await connection.execute(_ADD_GROUP, group_id, exchange_index)


async def order_group_gone(connection: Connection, group_id: str) -> None:
    """The venue does not know it any more."""
    await connection.execute(_GROUP_GONE, group_id)


def _check(row: Record) -> HaltVerification:
    return HaltVerification(
        halt_id=row["halt_id"],
        cancelled=row["cancelled"],
        verified_after=row["verified_after"],
        flat_after=row["flat_after"],
    )
