"""Halts: rows that stop entries until somebody clears them; set by failure_detector and the command line,
cleared only by `recio resume`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from recio.db.connection import Connection
from recio.messages.controls import Halt, HaltLevel

_ACTIVE = """
    SELECT halt_id, level, cause, since, set_by, resolution FROM halts WHERE cleared_at IS NULL ORDER BY halt_id
"""
_EVER_CLEARED = """
    SELECT asked.cause FROM unnest($1::text[]) AS asked (cause)
    WHERE EXISTS (SELECT FROM halts AS h WHERE h.cause = asked.cause AND h.cleared_at IS NOT NULL)
"""
_SET = """
    INSERT INTO halts (level, cause, since, set_by, resolution, after_trade)
    SELECT $1, $2, $3, $4, $5, max(trade_id) FROM trades
    ON CONFLICT (cause) WHERE cleared_at IS NULL DO NOTHING RETURNING halt_id
"""
_IN_OLD_WORDS = """
    SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'halts'::regclass AND attname = 'brake')
"""
"""Versions 7 to 12 call a halt's level and resolution so."""
_CLEAR = "UPDATE halts SET cleared_at = $1, cleared_by = $2 WHERE cleared_at IS NULL RETURNING cause"


async def active(connection: Connection) -> tuple[Halt, ...]:
    rows = await connection.fetch(_ACTIVE)
    return tuple(
        Halt(
            halt_id=row["halt_id"],
            level=HaltLevel(row["level"]),
            cause=row["cause"],
            since=row["since"],
            by=row["set_by"],
            resolution=row["resolution"],
        )
        for row in rows
    )


async def ever_cleared(connection: Connection, causes: Iterable[str]) -> frozenset[str]:
    """Which of these causes somebody cleared at some time: for causes that never go away by themselves."""
    return frozenset(row["cause"] for row in await connection.fetch(_EVER_CLEARED, list(causes)))


async def set_halt(connection: Connection, halt: Halt) -> bool:
    """True if it is new; the same cause is never set twice."""
    return None is not await connection.fetchval(
        _SET, halt.level.value, halt.cause, halt.since, halt.by, halt.resolution
    )


async def set_in_any_version(connection: Connection, halt: Halt) -> bool:
    """The same on a database that is still to be carried over: a halt must not wait for an upgrade."""
    if await connection.fetchval(_IN_OLD_WORDS):
        statement = _SET.replace("level", "brake").replace("resolution", "way_out")
        return None is not await connection.fetchval(
            statement, halt.level.value, halt.cause, halt.since, halt.by, halt.resolution
        )
    return await set_halt(connection, halt)


async def clear_all(connection: Connection, at: datetime, by: str) -> list[str]:
    """Clear every halt; returns their causes."""
    return [row["cause"] for row in await connection.fetch(_CLEAR, at, by)]
