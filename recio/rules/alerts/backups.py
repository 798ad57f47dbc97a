"""When backups call for somebody: one that failed, one that is too old, one that nobody restored, a stream with a gap; it reads no folder."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from recio.messages.alerts import Alarm, Severity
from recio.messages.backups import BackupsSeen, StreamCopySeen, StreamSeen, Tried
from recio.settings.alerts import AlertsSection

BACKUP = "Look at recio backup, by hand or systemctl status recio-backup; docs/operate/backups.md"
DRILL = "Look at recio drill, by hand or systemctl status recio-drill; docs/operate/backups.md"
STREAM = "Look at systemctl status recio-stream; once it runs again take a base backup: recio backup"
COPY = "Look at systemctl status recio-stream and at the bucket: its key, its room, the network; docs/operate/backups.md"
COPY_PATIENCE = timedelta(minutes=10)
"""A stream that was sent no longer than so ago is on its way."""
MUCH_WAITS = 1_000_000_000
"""Bytes of changes that nobody received: half of what the embedded server keeps before it gives them up."""


def alarms(seen: BackupsSeen, settings: AlertsSection, *, is_live: bool) -> Iterator[Alarm]:
    """A database of play money that never had a backup needs none."""
    if seen.backup.failed_at is not None:
        yield _failed("backup failed", "backup", seen.backup, BACKUP)
    wanted = is_live or seen.backup.good_at is not None
    if wanted and settings.max_backup_hours is not None:
        yield from _backup_too_old(seen, timedelta(hours=settings.max_backup_hours))
    if seen.drill.failed_at is not None:
        yield _failed("drill failed", "drill of a backup", seen.drill, DRILL)
    if seen.backup.good_at is not None and settings.max_drill_days is not None:
        yield from _drill_too_old(seen, timedelta(days=settings.max_drill_days))
    if seen.stream is not None:
        yield from _stream(seen.stream)
    if seen.copy is not None:
        yield from _copy(seen.copy, seen.asked_at)


def _failed(cause: str, what: str, tried: Tried, resolution: str) -> Alarm:
    return Alarm(
        cause=cause,
        severity=Severity.WARNING,
        sentence=f"the last {what} failed: {tried.why}",
        resolution=resolution,
    )


def _backup_too_old(seen: BackupsSeen, most: timedelta) -> Iterator[Alarm]:
    made = seen.backup.good_at
    since = made or seen.since
    if since is not None and seen.asked_at - since > most:
        yield Alarm(
            cause="backup too old",
            severity=Severity.WARNING,
            sentence=f"the last backup was made {_age(seen.asked_at, made)} (alerts.max_backup_hours = {most / timedelta(hours=1):.0f})"
            if made is not None
            else f"there is no backup of this database, which is used since {since:%Y-%m-%d}",
            resolution=f'{BACKUP}; where something else makes the backups: alerts.max_backup_hours = "off"',
        )


def _drill_too_old(seen: BackupsSeen, most: timedelta) -> Iterator[Alarm]:
    """Before the first drill counted from the beginning: a new installation has until then."""
    proven = seen.drill.good_at
    since = proven or seen.since
    if since is not None and seen.asked_at - since > most:
        yield Alarm(
            cause="drill too old",
            severity=Severity.WARNING,
            sentence=f"the last backup that was restored and proven was so {_age(seen.asked_at, proven)}"
            f" (alerts.max_drill_days = {most / timedelta(days=1):.0f})"
            if proven is not None
            else "no backup of this database was ever restored and proven",
            resolution=DRILL,
        )


def _stream(seen: StreamSeen) -> Iterator[Alarm]:
    if seen.is_lost:
        yield Alarm(
            cause="stream of changes",
            severity=Severity.WARNING,
            sentence="the server gave up keeping changes that nobody received: the stream has a gap",
            resolution=STREAM,
        )
    elif not seen.is_received and seen.waiting_bytes > MUCH_WAITS:
        yield Alarm(
            cause="stream of changes",
            severity=Severity.WARNING,
            sentence=f"nobody receives the stream of changes: {seen.waiting_bytes / 1_000_000:,.0f} MB wait on the server's disk",
            resolution=f"{STREAM}; or end it for good: SELECT pg_drop_replication_slot('recio_backup')",
        )


def _copy(seen: StreamCopySeen, now: datetime) -> Iterator[Alarm]:
    """Also where nobody sends any more: then the row stands still."""
    behind = now - (seen.reaches_at or seen.noted_at)
    if behind <= COPY_PATIENCE:
        return
    reaches = f"reaches {seen.reaches_at:%Y-%m-%d %H:%M:%S} UTC" if seen.reaches_at else "never got there"
    why = f": {seen.why}" if seen.why else ": nobody sends it"
    yield Alarm(
        cause="stream in the bucket",
        severity=Severity.WARNING,
        sentence=f"the stream of changes in {seen.place} {reaches}{why}; {seen.waiting} full files of it wait on this machine's disk",
        resolution=COPY,
    )


def _age(now: datetime, then: datetime) -> str:
    hours = (now - then).total_seconds() / 3_600
    return f"{hours:.0f} hours ago" if hours < 72 else f"{hours / 24:.0f} days ago"
