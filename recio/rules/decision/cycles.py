"""One cycle of entry and one of exit as values: what was seen, when, and what came of it; the same in live, replay and test.

It is what a recording of decisions holds, and what a replay computes again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from recio.messages.controls import TradingControls
from recio.messages.decisions import OpenIntent
from recio.messages.markets import MarketBoard
from recio.messages.orders import TradeView
from recio.messages.prices import Prices
from recio.rules.account import risk
from recio.rules.decision import entry
from recio.rules.decision import exit as exit_rule
from recio.rules.decision.entry import EntryDecision, EntryInputs, Waits
from recio.rules.decision.strategy import Strategy, named
from recio.rules.market.quotes import ask_on
from recio.settings.risk import RiskSection
from recio.settings.strategies import Stage
from recio.units import Money

NO_CONTROLS = TradingControls()


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryCycle:
    at: datetime
    strategy: str
    seen: EntryInputs
    outcome: OpenIntent | Waits


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitCycle:
    at: datetime
    trade: TradeView
    board: MarketBoard | None
    prices: Prices | None
    controls: TradingControls | None
    before: exit_rule.ExitMemory
    decided: exit_rule.ExitDecision


Cycle = EntryCycle | ExitCycle


def of_entry(
    seen: EntryInputs, strategy: Strategy, limits: RiskSection, now: datetime
) -> tuple[EntryDecision, EntryCycle]:
    """What the rule says, and what is left of it under the limits that trade_manager will apply."""
    decided = entry.decide(seen, strategy.entry, now, strategy.model, strategy.name)
    outcome: OpenIntent | Waits = Waits(gate="switch", sentence=f"strategy {strategy.name} is off")
    if strategy.stage is not Stage.OFF:
        outcome = within_limits(decided.outcome, seen, limits, now, strategy.budget)
    return decided, EntryCycle(at=now, strategy=strategy.name, seen=seen, outcome=outcome)


def of_exit(
    trade: TradeView,
    board: MarketBoard | None,
    prices: Prices | None,
    controls: TradingControls | None,
    before: exit_rule.ExitMemory,
    strategy: Strategy,
    now: datetime,
) -> ExitCycle:
    held_by = controls or NO_CONTROLS
    return ExitCycle(
        at=now,
        trade=trade,
        board=board,
        prices=prices,
        controls=controls,
        before=before,
        decided=exit_rule.decide(trade, board, prices, before, strategy.exit, now, held_by, strategy.model),
    )


def again(cycle: Cycle, strategies: Sequence[Strategy], limits: RiskSection) -> Cycle:
    """The same cycle decided anew."""
    match cycle:
        case EntryCycle(at=at, seen=seen):
            return of_entry(seen, named(strategies, cycle.strategy), limits, at)[1]
        case ExitCycle():
            return of_exit(
                cycle.trade,
                cycle.board,
                cycle.prices,
                cycle.controls,
                cycle.before,
                named(strategies, cycle.trade.strategy),
                cycle.at,
            )


def within_limits(
    outcome: OpenIntent | Waits,
    seen: EntryInputs,
    limits: RiskSection,
    now: datetime,
    budget: Money | None = None,
) -> OpenIntent | Waits:
    """The intent, or the limit that trade_manager would refuse it by: a hopeless intent is not sent."""
    if isinstance(outcome, Waits) or seen.trades is None or seen.account is None:
        return outcome
    ask = ask_on(seen.board, outcome.ticker, outcome.side)
    exposure = risk.Exposure(trades=seen.trades, account=seen.account, ask=ask)
    match risk.approve(outcome, exposure, limits, now, budget):
        case risk.Denied(limit=limit, reason=reason):
            return Waits(gate=f"risk {limit}", sentence=f"{limit}: {reason}")
        case risk.Approved():
            return outcome
