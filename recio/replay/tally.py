"""What a replay found of decisions and trades, as the engine tells it; it decides nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from recio.messages.decisions import OpenIntent
from recio.messages.orders import TradeView
from recio.paper.engine import Happened
from recio.replay.findings import TradeFound, WindowFound
from recio.rules.decision.cycles import Cycle, EntryCycle
from recio.units import Ticker, TradeId


@dataclass(slots=True)
class Tally:
    decisions: int = 0
    """Of entry."""
    reasons: Counter[str] = field(default_factory=Counter[str])
    trades: dict[TradeId, TradeView] = field(default_factory=dict[TradeId, TradeView])
    intents: dict[TradeId, OpenIntent] = field(default_factory=dict[TradeId, OpenIntent])
    notes: dict[TradeId, tuple[str, ...]] = field(default_factory=dict[TradeId, tuple[str, ...]])

    def told(self, cycle: Cycle) -> None:
        if isinstance(cycle, EntryCycle):
            for outcome in cycle.outcomes.values():
                self.decisions += 1
                self.reasons["order" if isinstance(outcome, OpenIntent) else outcome.gate] += 1

    def take(self, happened: list[Happened]) -> None:
        for each in happened:
            trade = self.trades[each.trade.trade_id] = each.trade
            if isinstance(each.intent, OpenIntent):
                self.intents[trade.trade_id] = each.intent
            if each.answer.note:
                purpose = "entry" if isinstance(each.intent, OpenIntent) else "exit"
                known = self.notes.get(trade.trade_id, ())
                self.notes[trade.trade_id] = (*known, f"{purpose}: {each.answer.note}")
        happened.clear()

    def trades_found(self, session: str, ends: Mapping[Ticker, WindowFound]) -> tuple[TradeFound, ...]:
        """All trades, with how their markets settled."""
        return tuple(
            TradeFound(
                session=session,
                trade=trade,
                intent=self.intents[number],
                result=ends[trade.ticker].outcome if trade.ticker in ends else None,
                scalar_value=ends[trade.ticker].scalar_value if trade.ticker in ends else None,
                notes=self.notes.get(number, ()),
            )
            for number, trade in sorted(self.trades.items())
        )
