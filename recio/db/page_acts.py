"""What was asked for on the page, once for each key, so that two taps are one act; one function per operation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from recio.db.connection import Connection

_TURN = "SELECT pg_advisory_xact_lock(hashtextextended('act ' || $1, 0))"
_FIND = "SELECT key, kind, asked, asked_by, asked_at, number FROM page_acts WHERE key = $1"
_KEEP = "INSERT INTO page_acts (key, kind, asked, asked_by, number) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING"


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    key: str
    kind: str
    asked: Mapping[str, Any]
    asked_by: str
    asked_at: datetime
    number: int | None


async def before(connection: Connection, key: str) -> Act | None:
    """What this key was used for; until the transaction ends, nobody else uses it."""
    await connection.execute(_TURN, key)
    return await find(connection, key)


async def find(connection: Connection, key: str) -> Act | None:
    row = await connection.fetchrow(_FIND, key)
    return None if row is None else Act(**row)


async def keep(
    connection: Connection, key: str, kind: str, asked: Mapping[str, Any], by: str, number: int | None
) -> None:
    """In the transaction that does what was asked for."""
    await connection.execute(_KEEP, key, kind, dict(asked), by, number)
