"""The daemon's own rules on paper: exit and entry decide on a board, and the account of the replay follows their orders.

It neither builds a board nor matches an order; whoever plays a recording does both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from recio.messages.controls import TradingControls
from recio.messages.decisions import CloseIntent, OpenIntent
from recio.messages.markets import MarketBoard
from recio.messages.orders import PlaceOrder, TradeState
from recio.messages.prices import Prices
from recio.replay.findings import TradeFound
from recio.replay.paper import Paper
from recio.rules.account import risk
from recio.rules.decision import entry
from recio.rules.decision import exit as exit_rule
from recio.rules.market.quotes import ask_on
from recio.rules.pricing.model import Model
from recio.settings.config import Config
from recio.settings.trading import EntrySection
from recio.units import Side, Ticker, TradeId

Look = Callable[[MarketBoard, Prices, datetime], None]
"""Told what each cycle sees; it decides nothing."""


@dataclass(slots=True, kw_only=True)
class Trader:
    """Everything that was decided, and what it is remembered by."""

    session: str
    config: Config
    entry_settings: EntrySection
    """Switched on, whatever the config says."""
    model: Model
    paper: Paper
    decisions: int = 0
    reasons: Counter[str] = field(default_factory=Counter[str])
    exits: dict[TradeId, exit_rule.ExitMemory] = field(default_factory=dict[TradeId, exit_rule.ExitMemory])

    def cycle(self, board: MarketBoard, prices: Prices, now: datetime) -> list[PlaceOrder]:
        """Let exit and entry decide; returns the orders that left."""
        return [*self._exit_cycle(board, prices, now), *self._entry_cycle(board, prices, now)]

    def _exit_cycle(self, board: MarketBoard, prices: Prices, now: datetime) -> list[PlaceOrder]:
        orders: list[PlaceOrder] = []
        for trade in self.paper.live():
            if trade.state is not TradeState.OPEN:
                continue
            before = self.exits.get(trade.trade_id, exit_rule.NOTHING)
            decided = exit_rule.decide(trade, board, prices, before, self.config.exit, now, model=self.model)
            self.exits[trade.trade_id] = decided.remembered
            if isinstance(decided.outcome, CloseIntent):
                order = self.paper.record_exit(decided.outcome, now)
                orders += [] if order is None else [order]
        return orders

    def _entry_cycle(self, board: MarketBoard, prices: Prices, now: datetime) -> list[PlaceOrder]:
        trades, account = self.paper.open_trades(now), self.paper.account(now)
        seen = entry.EntryInputs(
            board=board, prices=prices, trades=trades, account=account, controls=TradingControls()
        )
        outcome = entry.decide(seen, self.entry_settings, now, self.model).outcome
        self.decisions += 1
        if not isinstance(outcome, OpenIntent):
            self.reasons[outcome.gate] += 1
            return []
        ask = ask_on(board, outcome.ticker, outcome.side)
        exposure = risk.Exposure(trades=trades, account=account, ask=ask)
        match risk.approve(outcome, exposure, self.config.risk, now):
            case risk.Denied(limit=limit):
                self.reasons[f"risk {limit}"] += 1
                return []
            case risk.Approved() as approved:
                self.reasons["order"] += 1
                return [self.paper.record_entry(approved, now)]

    def trades_found(self, results: Mapping[Ticker, Side | None]) -> tuple[TradeFound, ...]:
        """All trades, with how their markets settled."""
        return tuple(
            TradeFound(
                session=self.session,
                trade=trade,
                intent=self.paper.intents[trade.trade_id],
                result=results.get(trade.ticker),
                notes=self.paper.notes(trade.trade_id),
            )
            for trade in self.paper.trades.values()
        )


def trader(session: str, config: Config, model: Model) -> Trader:
    """With a fresh account, and entries switched on."""
    return Trader(
        session=session,
        config=config,
        entry_settings=config.entry.model_copy(update={"enabled": True}),
        model=model,
        paper=Paper(deadline=timedelta(seconds=config.risk.max_send_delay_seconds)),
    )
