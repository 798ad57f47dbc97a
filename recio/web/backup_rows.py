"""The backups part of GET /status: how old the last backup and the last proven one are, and what is wrong with them; it reads only."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from recio.messages.backups import BackupsSeen, Tried
from recio.rules.account.forgotten import told
from recio.rules.alerts.alarms import backup_alarms
from recio.settings.config import Config
from recio.times import time_text


def backup_rows(seen: BackupsSeen | None, config: Config) -> dict[str, Any] | None:
    """Ages in hours; null: there is none, and as a whole: not known yet. `problems` are the sentences of its alerts."""
    if seen is None:
        return None
    return {
        "last_backup": _tried(seen.backup, seen.asked_at),
        "last_drill": _tried(seen.drill, seen.asked_at)
        | {"rto_seconds": _number(seen.rto_seconds), "rpo_seconds": _number(seen.rpo_seconds)},
        "stream": None
        if seen.stream is None
        else {
            "received": seen.stream.is_received,
            "lost": seen.stream.is_lost,
            "waiting_bytes": seen.stream.waiting_bytes,
        },
        "stream_copy": None
        if seen.copy is None
        else {
            "place": seen.copy.place,
            "reaches_at": None if seen.copy.reaches_at is None else time_text(seen.copy.reaches_at),
            "behind_seconds": None
            if seen.copy.reaches_at is None
            else round((seen.asked_at - seen.copy.reaches_at).total_seconds(), 1),
            "waiting_files": seen.copy.waiting,
            "failed": seen.copy.why or None,
        },
        "restored": None
        if seen.brought_in is None
        else {
            "at": time_text(seen.brought_in.restored_at),
            "done": seen.brought_in.finished_at is not None,
            "sentence": told(seen.brought_in),
        },
        "problems": [each.sentence for each in backup_alarms(seen, config)],
    }


def _number(seconds: Decimal | None) -> float | None:
    return None if seconds is None else float(seconds)


def _tried(tried: Tried, now: datetime) -> dict[str, Any]:
    good = tried.good_at
    return {
        "at": None if good is None else time_text(good),
        "age_hours": None if good is None else round((now - good).total_seconds() / 3_600, 2),
        "failed": tried.why or None,
    }
