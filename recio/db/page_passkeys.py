"""Passkeys of the page: public keys by login, and how often each was used; one function per operation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from recio.db.connection import Connection

MOST = 16
"""Of one login."""
_OF = "passkey_id, login, label, credential, public_key, sign_count, made_at, used_at"
_TURN = "SELECT pg_advisory_xact_lock(hashtextextended('passkeys ' || $1, 0))"
_COUNT = "SELECT count(*) FROM page_passkeys WHERE login = $1 AND removed_by IS NULL"
_ADD = """
    INSERT INTO page_passkeys (login, label, credential, public_key, sign_count, made_at) VALUES ($1, $2, $3, $4, $5, $6)
    RETURNING passkey_id
"""
_FIND = f"SELECT {_OF} FROM page_passkeys WHERE credential = $1 AND removed_by IS NULL"
_OF_LOGIN = f"SELECT {_OF} FROM page_passkeys WHERE login = $1 AND removed_by IS NULL ORDER BY passkey_id DESC LIMIT {MOST}"
# Of two uses that say the same count, one is a copy of the device.
_USE = """
    UPDATE page_passkeys SET sign_count = $2, used_at = $3
    WHERE passkey_id = $1 AND removed_by IS NULL AND (sign_count < $2 OR $2 = 0)
"""
_REMOVE = (
    "UPDATE page_passkeys SET removed_by = $3 WHERE passkey_id = $1 AND login = $2 AND removed_by IS NULL"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Passkey:
    passkey_id: int
    login: str
    label: str
    credential: bytes
    public_key: bytes
    sign_count: int
    made_at: datetime
    used_at: datetime | None


async def add(
    connection: Connection,
    login: str,
    label: str,
    credential: bytes,
    public_key: bytes,
    sign_count: int,
    at: datetime,
) -> int | None:
    """Its number; None where the login has as many as it may, or the passkey is known already."""
    await connection.execute(_TURN, login)
    if await connection.fetchval(_COUNT, login) >= MOST:
        return None
    try:
        async with connection.transaction():
            return await connection.fetchval(_ADD, login, label, credential, public_key, sign_count, at)
    except asyncpg.UniqueViolationError:
        return None


async def find(connection: Connection, credential: bytes) -> Passkey | None:
    row = await connection.fetchrow(_FIND, credential)
    return None if row is None else Passkey(**row)


async def of_login(connection: Connection, login: str) -> Sequence[Passkey]:
    """The newest first."""
    return [Passkey(**row) for row in await connection.fetch(_OF_LOGIN, login)]


async def use(connection: Connection, passkey_id: int, sign_count: int, at: datetime) -> bool:
    """False where it was removed since, or its count went backwards."""
    return await connection.execute(_USE, passkey_id, sign_count, at) == "UPDATE 1"


async def remove(connection: Connection, passkey_id: int, login: str, by: str) -> bool:
    """False where it was gone before, or is somebody else's."""
    return await connection.execute(_REMOVE, passkey_id, login, by) == "UPDATE 1"
