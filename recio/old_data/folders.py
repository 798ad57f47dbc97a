"""Which files of given paths may hold old data, and of which account mode; it opens none, and passes private ones by."""

from __future__ import annotations

import os
from collections.abc import Iterator
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
SERVERS = ("postgresql://", "postgres://")


def is_server(given: str) -> bool:
    return given.startswith(SERVERS)


def candidates(given: Path) -> Iterator[Path]:
    """The file itself, or the files of a REC.IO folder that may hold data, in a stable order."""
    if not given.is_dir():
        yield given
        return
    for folder, below, files in os.walk(given):
        below[:] = sorted(each for each in below if each.lower() not in PASSED_BY)
        for name in sorted(files):
            lower = name.lower()
            if lower.endswith(DATABASES + TEXTS) or lower in SETTINGS_FILES:
                yield Path(folder) / name


def mode_of(path: Path) -> str | None:
    """prod or demo, where a folder of the path is called so."""
    for part in reversed(path.parts[:-1]):
        if part.lower() in ("prod", "demo"):
            return part.lower()
    return None
