"""The lines of a recording's file as far as its batches are whole; it understands none of them."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from pathlib import Path

from recio.errors import BadRecording

GZIP_BEGINS = b"\x1f"


def lines_of(path: Path) -> Iterator[bytes | None]:
    """Each line; None at the end where a kill cut the file. Raises BadRecording for what is no recording."""
    try:
        with gzip.open(path, "rb") as stream:
            for raw in stream:
                yield raw if raw.endswith(b"\n") else None
    except EOFError:
        yield None
    except (gzip.BadGzipFile, zlib.error) as error:
        if not _ends_with_a_begun_batch(path):
            raise BadRecording(f"{path} is not a whole gzip stream ({error})") from error
        yield None
    except OSError as error:
        raise BadRecording(f"{path} cannot be read: {error.strerror or error}") from error


def _ends_with_a_begun_batch(path: Path) -> bool:
    """Whether the kill left a single byte of the next batch. No whole one ends so: that byte would tell of half a gigabyte."""
    with path.open("rb") as stream:
        stream.seek(-1, os.SEEK_END)
        return stream.read() == GZIP_BEGINS
