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
UNREADABLE = (OSError, EOFError, zlib.error, UnicodeDecodeError)
"""What a packed file may raise wherever it is read: cut off, or damaged within."""


def opened(path: Path) -> IO[bytes]:
    """Raises BrokenSource and UNREADABLE."""
    head = head_of(path, len(GZIP))
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
