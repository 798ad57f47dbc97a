"""The files of a recording: one segment after the other, each readable by itself, old ones deleted; it never waits for anybody.

Every batch is a gzip member of its own, appended in one write: a kill costs the batch that was under way and no other.
"""

from __future__ import annotations

import gzip
import os
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from recio.messages.markets import MarketEnded
from recio.recording.decode import ENDING, RECORDING, segment_files
from recio.settings.system import RecorderSection

MODE = 0o600
PACKED = 5
"""Of gzip's nine levels: one more costs twice the time for a few percent."""


@dataclass(slots=True, kw_only=True)
class Segments:
    """Raises OSError from its writing; after that the next batch begins a new segment."""

    folder: Path
    longest: timedelta
    keep: timedelta
    keep_bytes: int
    path: Path | None = None
    began: datetime | None = None
    written: int = 0
    is_blind: bool = False
    """Decisions were lost, and none that came since has seen the whole board."""
    unkept: int = 0
    """Cycles that no file holds and none tells of yet: they are written down as lost once one can be written."""
    unkept_ends: list[MarketEnded] = field(default_factory=list[MarketEnded])
    """Ends of markets that no file holds yet."""

    @classmethod
    def under(cls, root: Path, settings: RecorderSection) -> Segments:
        return cls(
            folder=root / RECORDING,
            longest=timedelta(minutes=settings.segment_minutes),
            keep=timedelta(days=settings.keep_days),
            keep_bytes=settings.keep_megabytes * 1_000_000,
        )

    def must_begin(self, now: datetime) -> bool:
        """Whether the next batch has to begin with everything that later lines build on."""
        return self.path is None or self.began is None or now - self.began >= self.longest

    def begin(self, now: datetime) -> None:
        """Name a new segment; its file appears with the first batch. What is too old or too much goes."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._expire(now)
        self.path, self.began = self.folder / f"{now:%Y%m%dT%H%M%S.%f}Z{ENDING}", now

    def append(self, lines: bytes) -> None:
        if self.path is None:
            raise ValueError("a segment begins before anything is appended to it")
        packed = gzip.compress(lines, PACKED)
        try:
            handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, MODE)
            try:
                if os.write(handle, packed) != len(packed):
                    raise OSError(28, "only a part was written")
            finally:
                os.close(handle)
        except OSError:
            self.path = None
            raise
        self.written += len(packed)

    def _expire(self, now: datetime) -> None:
        segments = segment_files(self.folder.glob)[::-1]
        held = 0
        for path in segments:
            about = path.stat()
            held += about.st_size
            if held > self.keep_bytes or now.timestamp() - about.st_mtime > self.keep.total_seconds():
                path.unlink(missing_ok=True)
