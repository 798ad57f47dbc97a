"""Opens a text file of the old system, packed with gzip or not, whatever its name; it reads nothing of its content."""

from __future__ import annotations

import gzip
import stat
import zlib
from pathlib import Path
from typing import IO

from recio.old_data.tables import BrokenSource

GZIP = b"\x1f\x8b"
WIDE = (b"\xff\xfe", b"\xfe\xff")
NOTHING = b"\xef\xbb\xbf\0 \t\r\n"
BEGINS = 4096
"""Bytes of which one at least says something, or the export came to nothing: a disk that was full leaves none, or zeros."""
UNREADABLE = (OSError, EOFError, zlib.error, UnicodeDecodeError)
"""What a packed file may raise wherever it is read: cut off, or damaged within."""


def opened(path: Path) -> IO[bytes]:
    """Raises BrokenSource and UNREADABLE."""
    beginning = head_of(path, BEGINS)
    if not beginning.strip(NOTHING):
        raise BrokenSource(
            "it is empty, or begins with nothing but blanks and zeros: what should have written it did not; write it again, or leave it out"
        )
    head = beginning[: len(GZIP)]
    if head in WIDE:
        raise BrokenSource(
            "it is written in UTF-16, as PowerShell's > does: write it again with pg_dump --file=dump.sql, or save it as UTF-8"
        )
    return gzip.open(path, "rb") if head == GZIP else path.open("rb", buffering=1 << 20)  # type: ignore[return-value]


def head_of(path: Path, length: int) -> bytes:
    """The first bytes as they are stored. A pipe or device, which would wait for ever, raises BrokenSource."""
    require_file(path)
    with path.open("rb") as file:
        return file.read(length)


def require_file(path: Path) -> None:
    if not stat.S_ISREG(path.stat().st_mode):
        raise BrokenSource("it is a pipe or a device, which cannot be read twice: write it to a file first")
