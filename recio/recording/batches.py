"""The lines of a recording's file as far as its batches are whole; it understands none of them."""

from __future__ import annotations

import gzip
import io
import os
import zlib
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from recio.errors import BadRecording

GZIP_BEGINS = b"\x1f"
LOST_TO_POWER = bytes(4)
"""A batch hardly ends so, but a file of which a loss of power left the length and not all that was in it."""


def lines_of(path: Path) -> Iterator[bytes | None]:
    """Each line; None at the end where a kill or a loss of power cut the file. Raises BadRecording for what is no recording."""
    try:
        with path.open("rb") as packed:
            kept = _without_lost_end(packed)
            yield from _lines(kept, path)
    except OSError as error:
        raise BadRecording(f"{path} cannot be read: {error.strerror or error}") from error


def _lines(packed: IO[bytes], path: Path) -> Iterator[bytes | None]:
    try:
        with gzip.open(packed, "rb") as stream:
            for raw in stream:
                yield raw if raw.endswith(b"\n") else None
    except EOFError:
        yield None
    except (gzip.BadGzipFile, zlib.error) as error:
        if not _ends_with_a_begun_batch(packed):
            raise BadRecording(f"{path} is not a whole gzip stream ({error})") from error
        yield None


def _without_lost_end(packed: IO[bytes]) -> IO[bytes]:
    """The same file, or what it held before the zeros at its end where these hide a batch that was cut."""
    size = packed.seek(0, os.SEEK_END)
    packed.seek(max(0, size - len(LOST_TO_POWER)))
    if packed.read() != LOST_TO_POWER or _is_whole(packed):
        packed.seek(0)
        return packed
    packed.seek(0)
    return io.BytesIO(packed.read().rstrip(b"\0"))


def _is_whole(packed: IO[bytes]) -> bool:
    """Whether zeros are all that follows the last batch."""
    packed.seek(0)
    try:
        with gzip.open(packed, "rb") as stream:
            deque(stream, maxlen=0)
    except (EOFError, gzip.BadGzipFile, zlib.error):
        return False
    return True


def _ends_with_a_begun_batch(packed: IO[bytes]) -> bool:
    """Whether the kill left a single byte of the next batch. No whole one ends so: that byte would tell of half a gigabyte."""
    packed.seek(-1, os.SEEK_END)
    return packed.read() == GZIP_BEGINS
