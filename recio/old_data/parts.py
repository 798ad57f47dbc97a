"""What one source gives beside its records, until it was read to its end; and what tells two old trades apart. It reads nothing."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal

from recio.old_data import values
from recio.old_data.blocks import READING
from recio.old_data.compare import Disagreement
from recio.old_data.harvest import SourceLine
from recio.old_data.layouts import Layout, Unusable
from recio.old_data.records import LedgerRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What an earlier import read of one table."""

    stamp: str
    rows: int
    newest: str | None
    bad: int = 0
    rounded: bool = False
    blocks: bytes = b""
    reading: int = READING

    @property
    def is_whole(self) -> bool:
        """Every row was taken, as it would be taken today."""
        return self.bad == 0 and self.reading == READING


@dataclass(slots=True)
class Figures:
    """Results and fees of the ledger rows of one file."""

    told: int = 0
    has_cents: bool = False

    def add(self, *told: Decimal | None) -> None:
        for each in told:
            if each:
                self.told += 1
                self.has_cents = self.has_cents or each != each.to_integral_value()


@dataclass(slots=True)
class Part:
    """What one file gives beside its records; joined to the harvest only when the file was read to its end."""

    begins: int
    """Where its records begin in the staging."""
    trusts: bool = True
    """Whether what was taken before is passed by."""
    turned: bool = False
    """Rows that were passed by would be read in another way now: the file is to be read again, and nothing of it trusted."""
    users: set[str] = field(default_factory=set[str])
    """Numbers of the users that it has something of; the empty one: it does not say."""
    settings: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    elsewhere: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    figures: dict[str, Figures] = field(default_factory=dict[str, Figures])
    alone: dict[tuple[str, str], object] = field(default_factory=dict[tuple[str, str], object])
    """Of a table and a key of ledger rows: what tells its trade from others that share it."""
    twins: dict[tuple[str, str], list[object]] = field(default_factory=dict[tuple[str, str], list[object]])
    """The same of the few keys that several trades share."""
    lines: list[SourceLine] = field(default_factory=list[SourceLine])
    unusable: list[str] = field(default_factory=list[str])
    layouts: dict[str, Layout | Unusable | None] = field(
        default_factory=dict[str, "Layout | Unusable | None"]
    )


def apart(told: LedgerRow, row: dict[str, object], table: str, part: Part) -> LedgerRow:
    """Two tickets of one second on one market are two trades, and one that is there twice is one."""
    identity = values.words(row.get("ticket_id")) or (told.quantity, told.buy_price)
    key = (table, told.key)
    first = part.alone.setdefault(key, identity)
    if first == identity:
        return told
    twins = part.twins.setdefault(key, [first])
    if identity not in twins:
        twins.append(identity)
    return replace(told, key=f"{told.key}|{twins.index(identity) + 1}")


def without_end(line: SourceLine) -> Disagreement:
    """A value of its last line may be cut off, as 25 of 250: it counts, and is told each time."""
    theirs = "no line break: its last value may be cut off"
    return Disagreement(ticker="", old_row=line.table, field="end of file", theirs=theirs, ours=None)


def looks_rounded(figures: Figures) -> bool:
    """No cents anywhere in results and fees, though there are enough of them: they were rounded on some way here."""
    return figures.told >= 6 and not figures.has_cents
