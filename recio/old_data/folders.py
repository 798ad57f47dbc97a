"""Which files of given paths may hold old data, and of which account mode; it opens none, and passes private ones by."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

DATABASES = (".db", ".sqlite", ".sqlite3")
TEXTS = (".csv", ".csv.gz", ".sql", ".sql.gz", ".dump", ".pgsql")
SETTINGS_FILES = {
    "auto_entry_settings.json",
    "auto_stop_settings.json",
    "trade_preferences.json",
    "auto_entry_preferences.json",
    "auto_stop_preferences.json",
}
PASSED_BY = {
    "credentials",
    "kalshi-credentials",
    ".git",
    "node_modules",
    "venv",
    ".venv",
    "__pycache__",
    "logs",
    "archives",
}
"""Folders without trading data, or with keys."""
MODES = {"prod", "demo"}
OF_ACCOUNTS = {"kalshi", "accounts"}
"""Folders of the old system that hold one for each mode."""
OF_BOTH = {"backend", "users", "rec.io"}
"""Folders of the old system above those of a mode: what stands above them says nothing of its account."""
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_KEYWORDS = re.compile(r"\b(?:host|hostaddr|dbname|user|password|service)\s*=", re.IGNORECASE)


def is_server(given: str) -> bool:
    """Whether it is written as an address of any kind: there may be a password in it, so it is never shown as it is."""
    return bool(_ADDRESS.match(given) or _KEYWORDS.search(given)) and not os.path.lexists(given)


Refuse = Callable[[str, str], None]
"""Of a path, and why it cannot be read."""


def candidates(given: Path, refuse: Refuse) -> Iterator[Path]:
    """The file itself, or the files of a REC.IO folder that may hold data, in a stable order."""
    if not given.is_dir():
        yield given
        return
    for folder, files in _walk(given, refuse, set(), ()):
        for name in files:
            lower = name.lower()
            if lower.startswith("._"):
                continue  # what macOS keeps beside a file
            if lower.endswith(DATABASES + TEXTS) or lower in SETTINGS_FILES:
                yield folder / name


def _walk(
    folder: Path, refuse: Refuse, entered: set[Path], above: tuple[Path, ...]
) -> Iterator[tuple[Path, list[str]]]:
    """Every folder once with its files, also where a link leads: data was moved to other disks.

    `above`: the folders that it was reached through. One that holds any of them is reached by a link up, to all of a disk.
    """
    real = folder.resolve()
    if real in entered or any(real in each.parents for each in above):
        return
    entered.add(real)
    try:
        inside = sorted(folder.iterdir())
    except OSError as error:
        refuse(str(folder), f"the folder cannot be read ({error.strerror}): let this account read it")
        return
    below = [each for each in inside if each.is_dir()]
    yield folder, [each.name for each in inside if each not in below]
    for each in below:
        if not {each.name.lower(), each.resolve().name.lower()} & PASSED_BY:
            yield from _walk(each, refuse, entered, (*above, real))


def mode_of(path: Path, given: Path) -> str | None:
    """prod or demo, where a folder of the old system's is called so, one of what was given, or the one that the file is in.

    What stands further up may be somebody's home.
    """
    for folder in path.parents:
        name = folder.name.lower()
        is_told = folder == path.parent or folder.is_relative_to(given) or folder.parent.name in OF_ACCOUNTS
        if name in MODES and is_told:
            return name
        if name in OF_BOTH:
            return None
    return None
