"""Tables of prices into the spool, from where an earlier import had got to; it looks at no other table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from recio.old_data.harvest import SourceLine
from recio.old_data.parts import Seen
from recio.old_data.price_log import PriceSpool, symbol_of
from recio.old_data.tables import ENGINE, OldTable

HOURS_BACK = 2
"""A log is read again from so long before its newest time: autumn's repeated hour must not hide rows."""


def take_log(spool: PriceSpool, before: Seen | None, line: SourceLine, table: OldTable) -> None:
    """A table that can be read from a time on."""
    if _passed_by(before, line):
        return
    since = _back(before.newest) if before and table.columns[ENGINE] == "sqlite" else None
    names = table.names
    counted, newest = spool.add(
        symbol_of(table.name, table.path), table.rows(since), names.index("timestamp"), names.index("price")
    )
    whole = None if since is None else table.count()
    line.rows = counted if whole is None else whole
    line.newest = max(newest or "", (before.newest if before else None) or "") or None


def take_rows(
    spool: PriceSpool,
    before: Seen | None,
    line: SourceLine,
    names: Sequence[str],
    rows: Iterable[Sequence[object]],
) -> None:
    """Some rows of a dump."""
    if _passed_by(before, line):
        return
    counted, newest = spool.add(
        symbol_of(line.table, ""), rows, names.index("timestamp"), names.index("price")
    )
    line.rows = (line.rows or 0) + counted
    line.newest = max(newest or "", line.newest or "") or None


def _passed_by(before: Seen | None, line: SourceLine) -> bool:
    line.used = True
    if before is None or before.stamp != line.stamp:
        return False
    line.rows, line.newest = before.rows, before.newest
    return True


def _back(newest: str | None) -> str | None:
    """Some time before a time as it was written, in the same writing."""
    if newest is None or len(newest) < 13 or not newest[11:13].isdigit():
        return None
    hour = int(newest[11:13]) - HOURS_BACK
    return None if hour < 0 else f"{newest[:11]}{hour:02}"
