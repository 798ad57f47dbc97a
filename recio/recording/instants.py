"""Which file of a recording holds a moment, by the files' names alone; it opens none."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from recio.recording.decode import segment_files

BATCH = timedelta(minutes=1)
"""A file goes on until the first batch after its time."""
_NAMED = "%Y%m%dT%H%M%S.%fZ"


@dataclass(frozen=True, slots=True, kw_only=True)
class Instant:
    path: Path
    began: datetime
    """Of the file."""


def instant_of(folder: Path, longest: timedelta, at: datetime) -> Instant | None:
    """The newest file that began before, none of which goes on for longer; None: it is not there, or not any more.

    Reads the folder: call it in a thread.
    """
    found = [each for path in segment_files(folder.glob) if (each := _began(path)) and each.began <= at]
    newest = max(found, key=lambda each: each.began, default=None)
    return None if newest is None or at - newest.began > longest + BATCH else newest


def _began(path: Path) -> Instant | None:
    """None for a file that is named otherwise."""
    try:
        began = datetime.strptime(path.name.split("Z", 1)[0] + "Z", _NAMED).replace(tzinfo=UTC)
    except ValueError:
        return None
    return Instant(path=path, began=began)
