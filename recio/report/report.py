"""The report of one kind of trades: all together, by group and over time, fed one trade at a time; it keeps none of them."""

from __future__ import annotations

from collections.abc import AsyncIterable, Collection, Mapping
from dataclasses import dataclass, field

from recio.report.calibration import Said
from recio.report.equity import Equity
from recio.report.figures import Figures, outcome_of
from recio.report.groups import groups
from recio.report.past_trades import Kind, PastTrade, coin_of
from recio.units import Money


@dataclass(slots=True)
class Report:
    kind: Kind
    total: Figures = field(default_factory=Figures)
    held: int = 0
    """Trades that are not over. In no other figure."""
    by: dict[str, dict[str, Figures]] = field(default_factory=dict[str, dict[str, Figures]])
    """Groups by what they are told apart by, and by their name."""
    equity: Equity = field(default_factory=Equity)
    said: list[Said] = field(default_factory=list[Said])
    """What the model gave the sides that were bought, of trades whose market's end is known."""
    unjudged: int = 0
    """Trades that ended and are not in `said`: no probability was kept, or no settlement of their market was listed."""


async def report_of(
    kind: Kind,
    trades: AsyncIterable[PastTrade],
    series: Mapping[str, str],
    by: Collection[str] | None = None,
) -> Report:
    """`trades` in the order in which they ended. `series`: the coin of each series. `by`: the groups to make, None for all."""
    made = Report(kind)
    keys = {name: key for name, key in groups(series).items() if by is None or name in by}
    made.by = {name: {} for name in keys}
    async for trade in trades:
        if not trade.ended_by:
            made.held += 1
            continue
        outcome = outcome_of(trade)
        made.total.add(outcome)
        for name, key in keys.items():
            made.by[name].setdefault(key(trade), Figures()).add(outcome)
        if outcome is not None:
            made.equity.add(trade.closed_at, Money(outcome.net))
        _judge(made, trade, series)
    made.by = {name: dict(sorted(found.items())) for name, found in made.by.items()}
    return made


def _judge(made: Report, trade: PastTrade, series: Mapping[str, str]) -> None:
    if trade.probability is None or trade.result is None:
        made.unjudged += 1
        return
    made.said.append(
        Said(
            close=trade.close(),
            coin=coin_of(trade.ticker, series),
            market=trade.ticker,
            probability=float(trade.probability),
            happened=trade.result is trade.side,
        )
    )
