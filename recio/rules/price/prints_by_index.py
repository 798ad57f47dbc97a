"""The newest prints of every index that is listened to, heard or read later; it averages nothing and fills no gap by itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from recio.messages.prices import IndexHistory, IndexValue

PRINTS_KEPT = 120
WINDOW = 60
"""Seconds of a settlement's average."""
LATE = 3
"""Seconds that the newest prints may still be on their way."""
FEWEST = 57
"""Prints of a whole window that are enough: one or two of a minute may never be made."""

Prints = Mapping[str, tuple[IndexValue, ...]]


@dataclass(slots=True)
class PrintsByIndex:
    """By index id, oldest first, at most PRINTS_KEPT each."""

    prints: dict[str, tuple[IndexValue, ...]] = field(default_factory=dict[str, tuple[IndexValue, ...]])
    why_none: str = ""
    is_refused: bool = False

    def heard(self, each: IndexValue) -> IndexHistory:
        """One more print from the venue's own channel."""
        self.why_none, self.is_refused = "", False
        self.prints[each.index_id] = (*self.prints.get(each.index_id, ()), each)[-PRINTS_KEPT:]
        return self.history()

    def read(self, found: Prints) -> IndexHistory | None:
        """Prints that were read later: they take the seconds of which none was heard. None if there are no such seconds."""
        merged = {name: _merged(self.prints.get(name, ()), more) for name, more in found.items()}
        if all(merged[name] == self.prints.get(name, ()) for name in merged):
            return None
        self.prints |= merged
        return self.history()

    def history(self) -> IndexHistory:
        return IndexHistory(prints=dict(self.prints), why_none=self.why_none, is_refused=self.is_refused)


def has_hole(heard: Iterable[IndexValue], now: datetime) -> bool:
    """Whether prints of the last minute are missing."""
    newest = int(now.timestamp()) - LATE
    seconds = {int(each.at.timestamp()) for each in heard}
    return sum(newest - WINDOW < second <= newest for second in seconds) < FEWEST


def _merged(heard: tuple[IndexValue, ...], more: Iterable[IndexValue]) -> tuple[IndexValue, ...]:
    taken = {int(each.at.timestamp()) for each in heard}
    fresh = {second: each for each in more if (second := int(each.at.timestamp())) not in taken}
    return tuple(sorted((*heard, *fresh.values()), key=lambda each: each.at))[-PRINTS_KEPT:]
