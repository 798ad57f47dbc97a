"""Rows about backups: those that were taken, drilled and brought back; it takes and restores none itself."""

from __future__ import annotations

import secrets
from datetime import datetime
from decimal import Decimal

from recio.db import bringing_in
from recio.db.connection import Connection
from recio.db.wal_stream import GONE, SLOT
from recio.messages.backups import BackupsSeen, StreamCopySeen, StreamSeen, Tried
from recio.rules.account.reconcile import FAMILY_CHARS

_TAKEN = (
    "INSERT INTO backups (kind, place, started_at, finished_at, bytes, error) VALUES ($1, $2, $3, $4, $5, $6)"
)
_DRILLED = "INSERT INTO drills (place, at, rto_seconds, rpo_seconds, error) VALUES ($1, $2, $3, $4, $5)"
_SEEN = """
    SELECT clock_timestamp() AS asked_at, (SELECT started_at FROM runs ORDER BY fencing LIMIT 1) AS since,
        b.finished_at AS backup_at, d.at AS drill_at, d.rto_seconds, d.rpo_seconds,
        fb.finished_at AS backup_failed_at, fb.error AS backup_why, fd.at AS drill_failed_at, fd.error AS drill_why,
        s.active AS is_received, s.wal_status IS NOT DISTINCT FROM $2 AS is_lost,
        c.place AS copy_place, c.at AS copy_at, c.reaches_at AS copy_reaches_at, c.waiting AS copy_waiting, c.error AS copy_why,
        CASE WHEN NOT pg_is_in_recovery() THEN pg_wal_lsn_diff(pg_current_wal_lsn(), s.restart_lsn) END AS waiting
    FROM (SELECT) AS one
        LEFT JOIN (SELECT * FROM backups WHERE error = '' ORDER BY backup_id DESC LIMIT 1) AS b ON true
        LEFT JOIN (SELECT * FROM (SELECT * FROM backups ORDER BY backup_id DESC LIMIT 1) AS n WHERE error <> '') AS fb ON true
        LEFT JOIN (SELECT * FROM drills WHERE error = '' ORDER BY drill_id DESC LIMIT 1) AS d ON true
        LEFT JOIN (SELECT * FROM (SELECT * FROM drills ORDER BY drill_id DESC LIMIT 1) AS n WHERE error <> '') AS fd ON true
        LEFT JOIN (SELECT * FROM stream_copies ORDER BY at DESC LIMIT 1) AS c ON true
        LEFT JOIN pg_replication_slots AS s ON s.slot_name = $1
"""
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


async def seen(connection: Connection) -> BackupsSeen:
    """What became of the newest backups and drills, and how the server has the stream."""
    row = await connection.fetchrow(_SEEN, SLOT, GONE)
    assert row is not None
    restored = await bringing_in.newest(connection)
    return BackupsSeen(
        asked_at=row["asked_at"],
        since=row["since"],
        backup=Tried(
            good_at=row["backup_at"], failed_at=row["backup_failed_at"], why=row["backup_why"] or ""
        ),
        drill=Tried(good_at=row["drill_at"], failed_at=row["drill_failed_at"], why=row["drill_why"] or ""),
        rto_seconds=row["rto_seconds"],
        rpo_seconds=row["rpo_seconds"],
        brought_in=restored,
        stream=None
        if row["is_received"] is None
        else StreamSeen(
            is_received=row["is_received"], is_lost=row["is_lost"], waiting_bytes=int(row["waiting"] or 0)
        ),
        copy=None
        if row["copy_place"] is None
        else StreamCopySeen(
            place=row["copy_place"],
            noted_at=row["copy_at"],
            reaches_at=row["copy_reaches_at"],
            waiting=row["copy_waiting"],
            why=row["copy_why"],
        ),
    )


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
