"""The report of one kind of trades: all together and by group, fed one trade at a time; it keeps none of them."""

from __future__ import annotations

from collections.abc import AsyncIterable, Mapping
from dataclasses import dataclass, field

from recio.report.figures import Figures, outcome_of
from recio.report.groups import groups
from recio.report.past_trades import Kind, PastTrade


@dataclass(slots=True)
class Report:
    kind: Kind
    total: Figures = field(default_factory=Figures)
    held: int = 0
    """Trades that are not over. In no other figure."""
    by: dict[str, dict[str, Figures]] = field(default_factory=dict[str, dict[str, Figures]])
    """Groups by what they are told apart by, and by their name."""


async def report_of(kind: Kind, trades: AsyncIterable[PastTrade], series: Mapping[str, str]) -> Report:
    """`trades` in the order in which they ended. `series`: the coin of each series."""
    made, keys = Report(kind), groups(series)
    made.by = {name: {} for name in keys}
    async for trade in trades:
        if not trade.ended_by:
            made.held += 1
            continue
        outcome = outcome_of(trade)
        made.total.add(outcome)
        for name, key in keys.items():
            made.by[name].setdefault(key(trade), Figures()).add(outcome)
    made.by = {name: dict(sorted(found.items())) for name, found in made.by.items()}
    return made
