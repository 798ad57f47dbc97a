"""The zone that the venue's rules speak in, and how a moment is written; it reads no clock."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")


def time_text(at: datetime) -> str:
    """An aware UTC moment for logs, page and reports, as 2026-11-23T12:00:00.000Z."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
