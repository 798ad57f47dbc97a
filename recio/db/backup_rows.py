"""Rows about backups: those that were taken, drilled and brought back; it takes and restores none itself."""

from __future__ import annotations

import secrets
from datetime import datetime
from decimal import Decimal

from recio.db.connection import Connection
from recio.rules.account.reconcile import FAMILY_CHARS

_TAKEN = (
    "INSERT INTO backups (kind, place, started_at, finished_at, bytes, error) VALUES ($1, $2, $3, $4, $5, $6)"
)
_DRILLED = "INSERT INTO drills (place, at, rto_seconds, rpo_seconds, error) VALUES ($1, $2, $3, $4, $5)"
_RETAG = "UPDATE identity SET tag = $1"
_TAG = "SELECT tag FROM identity"
_DRAWN = "SELECT EXISTS (SELECT FROM restores WHERE old_tag = $1)"
_RESTORED = """
    INSERT INTO restores (place, target, newest_at, restored_at, old_tag, new_tag) VALUES ($1, $2, $3, $4, $5, $6)
"""


async def note_backup(
    connection: Connection,
    kind: str,
    place: str,
    started: datetime,
    finished: datetime,
    size: int,
    error: str = "",
) -> None:
    await connection.execute(_TAKEN, kind, place, started, finished, size, error)


async def note_drill(
    connection: Connection, place: str, at: datetime, rto: float, rpo: float | None, error: str = ""
) -> None:
    """Seconds; `rpo` is None where it failed."""
    exact = None if rpo is None else Decimal(f"{rpo:.3f}")
    await connection.execute(_DRILLED, place, at, Decimal(f"{rto:.3f}"), exact, error)


async def begin_anew(
    connection: Connection, place: str, target: datetime | None, newest: datetime | None, now: datetime
) -> str:
    """In a restored database, before any daemon starts on it: no client order id may come twice. Returns the new tag.

    Its family stays: what was ordered after the backup is known by it for ours.
    """
    old: str = await connection.fetchval(_TAG)
    new = old
    while new == old or await connection.fetchval(_DRAWN, new):
        new = old[:FAMILY_CHARS] + secrets.token_hex((len(old) - FAMILY_CHARS) // 2)
    await connection.execute(_RETAG, new)
    await connection.execute(_RESTORED, place, target, newest, now, old, new)
    return new
