"""Devices that are told by Web Push, and by whose word; one function per operation, written by the page's task only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from recio.db.connection import Connection

MOST = 8
"""Of all logins: each message to each device is a process of its own."""
_OF = "subscription_id, login, label, least, endpoint, public_key, auth, made_at"
_TURN = "SELECT pg_advisory_xact_lock(hashtextextended('push subscriptions', 0))"
_COUNT = "SELECT count(*) FROM push_subscriptions WHERE ended_at IS NULL"
_SAME = f"SELECT {_OF} FROM push_subscriptions WHERE endpoint = $1 AND ended_at IS NULL"
_ADD = """
    INSERT INTO push_subscriptions (login, label, least, endpoint, public_key, auth, made_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING subscription_id
"""
RUNNING = f"SELECT {_OF} FROM push_subscriptions WHERE ended_at IS NULL ORDER BY subscription_id LIMIT {MOST}"
_END = """
    UPDATE push_subscriptions SET ended_at = greatest($2, made_at), ended_by = $3
    WHERE subscription_id = $1 AND ended_at IS NULL
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a device asks for."""

    login: str
    label: str
    least: str
    endpoint: str
    public_key: bytes
    auth: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    subscription_id: int
    login: str
    label: str
    least: str
    endpoint: str
    public_key: bytes
    auth: bytes
    made_at: datetime


async def add(connection: Connection, wanted: Wanted, at: datetime) -> int | None:
    """Its number, also of the very same one; another of the same device takes its place. None: there are as many as may be."""
    await connection.execute(_TURN)
    row = await connection.fetchrow(_SAME, wanted.endpoint)
    if row is not None:
        same = Subscription(**row)
        if _asked(same) == _asked(wanted):
            return same.subscription_id
        await end(connection, same.subscription_id, at, wanted.login)
    if await connection.fetchval(_COUNT) >= MOST:
        return None
    return await connection.fetchval(
        _ADD,
        wanted.login,
        wanted.label,
        wanted.least,
        wanted.endpoint,
        wanted.public_key,
        wanted.auth,
        at,
    )


async def running(connection: Connection) -> Sequence[Subscription]:
    """The oldest first."""
    return [Subscription(**row) for row in await connection.fetch(RUNNING)]


async def end(connection: Connection, subscription_id: int, at: datetime, by: str) -> bool:
    """False where it was over before."""
    return await connection.execute(_END, subscription_id, at, by) == "UPDATE 1"


def _asked(wanted: Wanted | Subscription) -> tuple[object, ...]:
    return (wanted.login, wanted.label, wanted.least, wanted.public_key, wanted.auth)
