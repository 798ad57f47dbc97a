"""Which row of the old ledger tells of which trade; it looks at each row a few times, however many one market has."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from operator import itemgetter
from typing import Protocol, TypeVar

from recio.old_data.records import LedgerRow

LAST = datetime.max.replace(tzinfo=UTC)
NEVER_HELD = ("pending", "error", "deleted", "unresolved", "")


class Entered(Protocol):
    """What of a trade tells its row."""

    side: str
    opened_at: datetime | None


Trade = TypeVar("Trade", bound=Entered)


def was_held(row: LedgerRow) -> bool:
    return row.status not in NEVER_HELD and bool(row.quantity)


class _Free:
    """Ledger rows that no trade has taken yet, of one side and either held once or never, by the time of their entry."""

    def __init__(self, rows: Sequence[tuple[int, LedgerRow]]) -> None:
        self.timed = sorted((row.opened_at, place, row) for place, row in rows if row.opened_at)
        self.untimed = [(place, row) for place, row in rows if not row.opened_at]
        self.untimed.reverse()

    def take(self, at: datetime | None) -> LedgerRow | None:
        """The nearest; the first of several that are as near."""
        if self.timed and at is not None:
            return self.timed.pop(self._nearest(at))[2]
        first = min(range(len(self.timed)), key=lambda each: self.timed[each][1], default=None)
        if self.untimed and (first is None or self.untimed[-1][0] < self.timed[first][1]):
            return self.untimed.pop()[1]
        return None if first is None else self.timed.pop(first)[2]

    def _nearest(self, at: datetime) -> int:
        after = bisect_left(self.timed, at, key=itemgetter(0))
        if after == 0:
            return 0
        before = bisect_left(self.timed, self.timed[after - 1][0], key=itemgetter(0))
        if after == len(self.timed):
            return before
        return before if at - self.timed[before][0] <= self.timed[after][0] - at else after


def matched(trades: Sequence[Trade], ledger: Sequence[LedgerRow]) -> Iterator[tuple[Trade, LedgerRow]]:
    """Each trade with the row of its side whose entry is nearest; rows that were never held come last."""
    free = {
        (side, held): _Free(
            [(place, row) for place, row in enumerate(ledger) if row.side == side and was_held(row) is held]
        )
        for side in ("yes", "no")
        for held in (True, False)
    }
    for trade in sorted(trades, key=lambda each: (each.opened_at is None, each.opened_at or LAST)):
        row = free[trade.side, True].take(trade.opened_at)
        row = free[trade.side, False].take(trade.opened_at) if row is None else row
        if row is not None:
            yield trade, row
