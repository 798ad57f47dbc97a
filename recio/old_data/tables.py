"""What every reader of old sources gives: tables with columns and rows, or a sentence why a source cannot be used."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

ENGINE = "#engine"
"""Among a table's columns, the engine that declared their types."""


class BrokenSource(Exception):
    """A source that cannot be read to its end. The message says what was found and what to do."""


class Stranger(Exception):
    """A source that can be read and is not of the old system."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OldTable:
    path: str
    """As told to the user: a password is not in it."""
    name: str
    """Lower case, with its schema where it has one."""
    columns: dict[str, str]
    """Lower-case names with lower-case declared types, in the order of the rows' values."""
    rows: Callable[[str | None], Iterator[Sequence[object]]]
    """All rows, or for a log of times those from a text on. Raises BrokenSource."""
    count: Callable[[], int | None]
    stamp: str
    """Changes whenever the source does: size and time of change of its files."""
    mode: str | None = None
    """prod or demo where the place says so."""
    ended: Callable[[], bool] = lambda: True
    """Once it was read: whether its end is there to see. A text without its last line break may be cut off."""

    @property
    def names(self) -> list[str]:
        return [each for each in self.columns if each != ENGINE]


def why_unusable(error: Exception) -> str:
    if isinstance(error, BrokenSource | Stranger):
        return str(error)
    said = error.strerror if isinstance(error, OSError) and error.strerror else error
    return f"it cannot be read to its end ({said}): copy it again, or let this account read it"


def why_no_path(error: Exception) -> str:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return "it does not exist: check the path"
    return f"it cannot be looked at ({error}): check the path, and that this account may read it"
