"""Halts: rows that stop entries until somebody clears them; set by failure_detector and the command line,
cleared only by a person, with `recio resume` or on the page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from recio.db.connection import Connection
from recio.messages.controls import Halt, HaltLevel

ACTIVE = """
    SELECT halt_id, level, cause, since, set_by, resolution FROM halts WHERE cleared_at IS NULL ORDER BY halt_id
"""
EVER_CLEARED = """
    SELECT asked.cause FROM unnest($2::text[]) AS asked (cause)
    WHERE EXISTS (SELECT FROM halts AS h WHERE h.cause = asked.cause AND h.cleared_at IS NOT NULL)
"""
FORGIVEN = "SELECT coalesce(max(after_trade), 0) FROM halts WHERE cleared_at IS NOT NULL"
"""The newest trade before a halt that somebody cleared: losses and refusals up to it count no more."""
_SET = """
    INSERT INTO halts (level, cause, since, set_by, resolution, after_trade)
    SELECT $1, $2, $3, $4, $5, max(trade_id) FROM trades
    ON CONFLICT (cause) WHERE cleared_at IS NULL DO NOTHING RETURNING halt_id
"""
_CLEAR_SOME = """
    UPDATE halts AS h SET cleared_at = $1, cleared_by = $2 FROM unnest($3::text[], $4::timestamptz[]) AS shown (cause, since)
    WHERE h.cleared_at IS NULL AND h.cause = shown.cause
        AND (shown.since IS NULL OR date_trunc('milliseconds', h.since) = date_trunc('milliseconds', shown.since))
"""
_CLEAR = "UPDATE halts SET cleared_at = $1, cleared_by = $2 WHERE cleared_at IS NULL RETURNING cause"


async def active(connection: Connection) -> tuple[Halt, ...]:
    return tuple(halt_of(tuple(row)) for row in await connection.fetch(ACTIVE))


def halt_of(row: tuple[Any, ...]) -> Halt:
    """Of the columns of ACTIVE, in their order."""
    halt_id, level, cause, since, by, resolution = row
    return Halt(
        halt_id=halt_id, level=HaltLevel(level), cause=cause, since=since, by=by, resolution=resolution
    )


async def set_halt(connection: Connection, halt: Halt) -> bool:
    """True if it is new; the same cause is never set twice."""
    return None is not await connection.fetchval(
        _SET, halt.level.value, halt.cause, halt.since, halt.by, halt.resolution
    )


async def clear(
    connection: Connection, causes: Sequence[str], at: datetime, by: str, since: Sequence[datetime] = ()
) -> None:
    """Clear these alone: a halt that came since they were looked at stays, of the same cause too where it is said when each began."""
    await connection.execute(_CLEAR_SOME, at, by, list(causes), list(since))


async def clear_all(connection: Connection, at: datetime, by: str) -> list[str]:
    """Clear every halt; returns their causes."""
    return [row["cause"] for row in await connection.fetch(_CLEAR, at, by)]
