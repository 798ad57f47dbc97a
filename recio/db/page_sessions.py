"""Sessions of the page: who logged in, until when; a cookie comes in as its digest only. One function per operation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from recio.db.connection import Connection

KEEP = timedelta(days=30)
SHOWN = 100
_OF = "session_id, login, address, began_at, ends_at, passkey_id"
_BEGIN = """
    INSERT INTO page_sessions (digest, login, address, began_at, ends_at, passkey_id) VALUES ($1, $2, $3, $4, $5, $6)
    RETURNING session_id
"""
_FORGET = "DELETE FROM page_sessions WHERE ends_at < $1"
_FIND = f"SELECT {_OF} FROM page_sessions WHERE digest = $1 AND ends_at > $2 AND ended_by IS NULL"
_RUNNING = f"""
    SELECT {_OF} FROM page_sessions WHERE ends_at > $1 AND ended_by IS NULL ORDER BY session_id DESC LIMIT {SHOWN}
"""
_END_OF_PASSKEY = "UPDATE page_sessions SET ended_by = $2 WHERE passkey_id = $1 AND ended_by IS NULL"
_END = "UPDATE page_sessions SET ended_by = $2 WHERE session_id = $1 AND ended_by IS NULL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    session_id: int
    login: str
    address: str
    began_at: datetime
    ends_at: datetime
    passkey_id: int | None = None
    """That began it; None: a password did."""


async def begin(
    connection: Connection,
    digest: str,
    login: str,
    address: str,
    began_at: datetime,
    ends_at: datetime,
    passkey_id: int | None = None,
) -> int:
    """Its number. Those that ended long ago are forgotten on the way."""
    await connection.execute(_FORGET, began_at - KEEP)
    return await connection.fetchval(_BEGIN, digest, login, address, began_at, ends_at, passkey_id)


async def find(connection: Connection, digest: str, now: datetime) -> Session | None:
    """None where it is unknown or over."""
    row = await connection.fetchrow(_FIND, digest, now)
    return None if row is None else Session(**row)


async def running(connection: Connection, now: datetime) -> Sequence[Session]:
    """The newest first."""
    return [Session(**row) for row in await connection.fetch(_RUNNING, now)]


async def end_of_passkey(connection: Connection, passkey_id: int, by: str) -> None:
    """Every session that a passkey began."""
    await connection.execute(_END_OF_PASSKEY, passkey_id, by)


async def end(connection: Connection, session_id: int, by: str) -> bool:
    """False where it was over before."""
    return await connection.execute(_END, session_id, by) == "UPDATE 1"
