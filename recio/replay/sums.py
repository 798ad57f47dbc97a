"""What the findings of a replay add up to; money stays exact and what is unknown is left out, never guessed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from recio.messages.orders import TradeState
from recio.replay.findings import PUBLISHED, IntegrityFigures, TradeFound, WindowFound
from recio.units import ONE_CONTRACT, Money, Quantity

COUNTS = (
    "messages",
    "book_snapshots",
    "deltas",
    "deltas_without_book",
    "resubscriptions",
    "negative_levels",
    "impossible_prices",
    "crossed_instants",
    "ticker_checks",
    "ticker_agreements",
    "ticker_unchecked",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What the paper trades add up to; what is not settled counts nowhere but in `unsettled`."""

    count: int
    void: int
    unsettled: int
    wins: int
    losses: int
    fees: Money
    pnl: Money


def totals(trades: Iterable[TradeFound]) -> Totals:
    every = [each.trade for each in trades]
    ended = [trade for trade in every if trade.state is TradeState.CLOSED]
    return Totals(
        count=sum(trade.state is not TradeState.VOID for trade in every),
        void=sum(trade.state is TradeState.VOID for trade in every),
        unsettled=sum(trade.closed_at is None for trade in every),
        wins=sum(trade.pnl > 0 for trade in ended),
        losses=sum(trade.pnl < 0 for trade in ended),
        fees=Money(sum(trade.fees for trade in ended)),
        pnl=Money(sum(trade.pnl for trade in ended)),
    )


def agreement(windows: Sequence[WindowFound]) -> dict[str, int]:
    """How often the rule's result from the best known value is the recorded one."""
    both = [each for each in windows if each.result is not None and each.recorded_result is not None]
    return {"checked": len(both), "agree": sum(each.result is each.recorded_result for each in both)}


def proxy_agreement(windows: Sequence[WindowFound]) -> dict[str, int]:
    """How often the result from the spot stream alone is the recorded one."""
    both = [each for each in windows if each.proxy_result is not None and each.recorded_result is not None]
    return {"checked": len(both), "agree": sum(each.proxy_result is each.recorded_result for each in both)}


def without_result(windows: Sequence[WindowFound]) -> int:
    """Windows whose outcome no recording tells, or whose recorded words contradict each other."""
    return sum(each.yes_value is None for each in windows)


def strike_agreement(windows: Sequence[WindowFound]) -> dict[str, int]:
    """How often the published value of a window is the strike of the next one, as it should be."""
    both = [each for each in windows if each.settlement_source == PUBLISHED and each.next_strike is not None]
    return {"checked": len(both), "agree": sum(each.settlement_value == each.next_strike for each in both)}


def integrity(figures: Sequence[IntegrityFigures]) -> dict[str, int]:
    """The counts of several sessions as one, by the names that scripts rely on."""
    counts = {name: sum(getattr(each, name) for each in figures) for name in COUNTS}
    return {**counts, "sequence_gaps": sum(len(each.gaps) for each in figures)}


def average(value: Money, quantity: Quantity) -> str | None:
    """Dollars per contract, to the micro-dollar where it does not end before; None for nothing."""
    if quantity == 0:
        return None
    per_contract = Decimal(value) * ONE_CONTRACT / quantity
    return str(per_contract.scaleb(-6).quantize(Decimal("0.000001")))
