"""One cycle of entry and one of exit as values: what was new, when, and what came of it; the same in live, replay and test.

It is what a recording of decisions holds, and what a replay computes again. A cycle keeps what changed and never the board.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from recio.messages.account import AccountView
from recio.messages.controls import TradingControls
from recio.messages.decisions import OpenIntent
from recio.messages.markets import BoardChange, MarketBoard
from recio.messages.orders import OpenTrades, TakenLevel, TradeView
from recio.messages.prices import Prices
from recio.rules.account import risk
from recio.rules.account.limits import lowered
from recio.rules.decision import entry
from recio.rules.decision import exit as exit_rule
from recio.rules.decision.entry import EntryDecision, EntryInputs, Waits
from recio.rules.decision.momentum_pause import NO_PAUSES, Pauses, remembered
from recio.rules.decision.strategy import Strategy
from recio.rules.market.quotes import ask_on
from recio.rules.market.taken import board_without
from recio.settings.risk import RiskSection
from recio.settings.strategies import Stage
from recio.units import Money, Ticker

NO_CONTROLS = TradingControls()


class EntryLook(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Everything that entry looked at once, for all strategies."""

    at: datetime
    tickers: tuple[Ticker, ...] | None
    """The markets looked at, in this order; None: the whole board."""
    board: BoardChange | None
    """What is new on it since entry's look before; None while there is no board."""
    prices: Prices | None
    trades: OpenTrades | None
    paper: Mapping[str, OpenTrades]
    """What stands in the place of the trades for each strategy that does not order."""
    account: AccountView | None
    controls: TradingControls | None
    pauses: Mapping[str, Pauses] = {}
    """What each strategy remembers of pauses, by its name; nothing where it is not in here."""


class EntryCycle(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    look: EntryLook
    outcomes: Mapping[str, OpenIntent | Waits]
    """By strategy."""


class ExitLook(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Everything that exit looked at for one trade."""

    at: datetime
    trade: TradeView
    board: BoardChange | None
    """The trade's market as it is now, if it is on the board; None while there is no board."""
    prices: Prices | None
    controls: TradingControls | None
    before: exit_rule.ExitMemory
    taken: tuple[TakenLevel, ...] = ()
    """What trades on paper took from the book; it is not there for them."""


class ExitCycle(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    look: ExitLook
    decided: exit_rule.ExitDecision


Cycle = EntryCycle | ExitCycle


def inputs_of(look: EntryLook, board: MarketBoard | None, strategy: Strategy) -> EntryInputs:
    """What one strategy saw: a shadow has trades of its own, and a board without what they took."""
    trades = look.paper.get(strategy.name) if strategy.stage is Stage.SHADOW else look.trades
    return EntryInputs(
        board=board if trades is None or not trades.taken else board_without(board, trades.taken),
        prices=look.prices,
        trades=trades,
        account=look.account,
        controls=look.controls,
        pauses=look.pauses.get(strategy.name, NO_PAUSES),
        strategy=strategy.name,
        parted=strategy.stage is Stage.LIVE
        and look.controls is not None
        and strategy.name in look.controls.parted,
    )


def remember_pauses(
    prices: Prices | None, strategies: Sequence[Strategy], before: Mapping[str, Pauses], now: datetime
) -> Mapping[str, Pauses]:
    """What every strategy remembers by now; the same object while nothing has changed."""
    if prices is None:
        return before
    minute = math.floor(now.timestamp() / 60)
    after = {
        each.name: kept
        for each in strategies
        if (kept := remembered(prices.by_symbol, minute, each.entry, before.get(each.name, NO_PAUSES)))
    }
    return before if after == before else after


def entered(
    look: EntryLook, board: MarketBoard | None, strategies: Sequence[Strategy], limits: RiskSection
) -> dict[str, OpenIntent | Waits]:
    """What every strategy makes of a look, by name; the board as it was then."""
    return {each.name: _entered(look, board, each, limits) for each in strategies}


def _entered(
    look: EntryLook, board: MarketBoard | None, strategy: Strategy, limits: RiskSection
) -> OpenIntent | Waits:
    seen = inputs_of(look, board, strategy)
    if look.tickers is None:
        return of_entry(seen, strategy, limits, look.at)[1]
    if strategy.stage is Stage.OFF:
        return _off(strategy)
    allowed = _under(seen, strategy, limits, look.at)
    return entry.decide_on(
        seen, look.tickers, strategy.entry, look.at, strategy.model, strategy.name, strategy.exit, allowed
    )


def exited(look: ExitLook, board: MarketBoard | None, strategy: Strategy) -> exit_rule.ExitDecision:
    """What the exit rule makes of a look; the board as it was then."""
    return exit_rule.decide(
        look.trade,
        board_without(board, look.taken) if look.taken else board,
        look.prices,
        look.before,
        strategy.exit,
        look.at,
        look.controls or NO_CONTROLS,
        strategy.model,
    )


def of_entry(
    seen: EntryInputs, strategy: Strategy, limits: RiskSection, now: datetime
) -> tuple[EntryDecision, OpenIntent | Waits]:
    """What the rule says of the whole board under the limits that trade_manager will apply, and what is left of it."""
    allowed = _under(seen, strategy, limits, now)
    decided = entry.decide(seen, strategy.entry, now, strategy.model, strategy.name, strategy.exit, allowed)
    return decided, _off(strategy) if strategy.stage is Stage.OFF else decided.outcome


def _under(seen: EntryInputs, strategy: Strategy, limits: RiskSection, now: datetime) -> entry.Allowed:
    return lambda intent: within_limits(intent, seen, limits, now, strategy.budget)


def _off(strategy: Strategy) -> Waits:
    return Waits(gate="switch", sentence=f"strategy {strategy.name} is off")


def of_exit(
    trade: TradeView,
    board: MarketBoard | None,
    prices: Prices | None,
    controls: TradingControls | None,
    before: exit_rule.ExitMemory,
    strategy: Strategy,
    now: datetime,
    taken: tuple[TakenLevel, ...] = (),
) -> ExitCycle:
    look = ExitLook(
        at=now,
        trade=trade,
        board=None if board is None else _of_one(board, trade.ticker),
        prices=prices,
        controls=controls,
        before=before,
        taken=taken,
    )
    return ExitCycle(look=look, decided=exited(look, board, strategy))


def _of_one(board: MarketBoard, ticker: Ticker) -> BoardChange:
    view = board.by_ticker.get(ticker)
    return BoardChange(
        views=() if view is None else (view,),
        tickers=None,
        venue=board.venue,
        heard_at=board.heard_at,
        clock_offset=board.clock_offset,
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
    in_force = limits if seen.controls is None else lowered(limits, seen.controls.lowered)
    match risk.approve(outcome, exposure, in_force, now, budget):
        case risk.Denied(limit=limit, reason=reason):
            return Waits(gate=f"{entry.OF_LIMITS}{limit}", sentence=f"{limit}: {reason}")
        case risk.Approved():
            return outcome
