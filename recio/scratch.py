"""Folders for what must not be left lying about: each goes at its end, or after a kill with the next of its kind; one in use, or of another user, is never touched."""

from __future__ import annotations

import fcntl
import glob
import os
import shutil
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

YOUNG = 60.0
"""Host seconds in which somebody may have made a folder and not locked it yet."""


@contextmanager
def scratch_folder(kind: str, beside: Path | None = None) -> Generator[Path]:
    """A private folder whose name begins with `kind`, in the folder for temporary files or in `beside`. Raises OSError.

    It is locked for as long as it is used: whoever comes next knows by that whether it was left behind.
    """
    where = Path(tempfile.gettempdir()) if beside is None else beside
    _remove_abandoned(where, kind)
    folder = Path(tempfile.mkdtemp(prefix=kind, dir=where))
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _remove_abandoned(where: Path, kind: str) -> None:
    for each in where.glob(f"{glob.escape(kind)}*"):
        with suppress(OSError):
            lock = os.open(each, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                found = os.fstat(lock)
                if found.st_uid == os.geteuid() and time.time() - found.st_ctime > YOUNG:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(each, ignore_errors=True)
            finally:
                os.close(lock)
