"""What was read of all sources, their records aside, and which of two records of one thing is the better witness."""

from __future__ import annotations

from dataclasses import dataclass, field

from recio.old_data.compare import Disagreement
from recio.old_data.layouts import Kind
from recio.old_data.records import Fill, LedgerRow, Order, Record

STAGES = ("error", "pending", "open", "closing", "expired", "closed")
"""Of a ledger row, in the order of its life: a later import sees a later one."""


@dataclass(slots=True, kw_only=True)
class SourceLine:
    """What is told of one table of one source."""

    path: str
    table: str
    kind: Kind
    layout: str
    stamp: str
    rows: int | None = None
    bad: int = 0
    """Rows that do not say what they must."""
    used: bool = False
    newest: str | None = None
    rounded: bool = False
    """Its results and fees look as if they had been rounded to whole numbers on some way here."""
    blocks: bytearray = field(default_factory=bytearray)
    """Sums of the blocks of rows that were taken whole."""
    user: str = ""
    """Number of the old system's user that it is of; empty: it does not say."""


@dataclass(slots=True)
class Harvest:
    sources: list[SourceLine] = field(default_factory=list[SourceLine])
    refused: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    settings: dict[str, str] = field(default_factory=dict[str, str])
    elsewhere: set[str] = field(default_factory=set[str])
    """Tickers that the other account mode traded."""


def is_better(record: Record, known: Record) -> bool:
    """Whether it is to be believed instead of what is known of the same thing."""
    return _weight(record) > _weight(known)


def _weight(record: Record) -> tuple[object, ...]:
    match record:
        case Order():
            return record.trust, record.filled
        case LedgerRow():
            return record.whole, _stage(record)
        case _:
            return (record.trust,)


def clash(record: Record, known: Record) -> Disagreement | None:
    """Two fills of one name that are worth the same and say different things."""
    if not isinstance(record, Fill) or not isinstance(known, Fill) or record.trust != known.trust:
        return None
    theirs, ours = _terms(record), _terms(known)
    if theirs == ours:
        return None
    return Disagreement(ticker=record.ticker, old_row=record.fill_id, field="fill", theirs=theirs, ours=ours)


def _terms(fill: Fill) -> str:
    return f"{fill.action} {fill.quantity} {fill.side} at {fill.price} of {fill.ticker}"


def _stage(row: LedgerRow) -> int:
    return STAGES.index(row.status) if row.status in STAGES else -1
