"""The daemon's own rules on paper: exit and entry decide on a board, and the account of the replay follows their orders.

It neither builds a board nor matches an order; whoever plays a recording does both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from recio.messages.decisions import CloseIntent
from recio.messages.markets import BoardChange, MarketBoard
from recio.messages.orders import OpenTrades, PlaceOrder, TradeState, TradeView
from recio.messages.prices import Prices
from recio.replay.findings import TradeFound
from recio.replay.paper import Paper
from recio.rules.account import risk
from recio.rules.decision import cycles, entry
from recio.rules.decision import exit as exit_rule
from recio.rules.decision.attention import Attention, ExitAttention
from recio.rules.decision.cycles import NO_CONTROLS, EntryLook
from recio.rules.decision.entry import Waits
from recio.rules.decision.strategy import Strategy
from recio.rules.market.quotes import ask_on
from recio.rules.pricing.model import Model
from recio.settings.config import Config
from recio.units import Side, Ticker, TradeId

NO_PAPER: Mapping[str, OpenTrades] = {}
Look = Callable[[MarketBoard, Prices, datetime], None]
"""Told what each cycle sees; it decides nothing."""


@dataclass(slots=True, kw_only=True)
class Trader:
    """Everything that was decided, and what it is remembered by."""

    session: str
    config: Config
    strategy: Strategy
    """Its entries are switched on, whatever the config says."""
    model: Model
    paper: Paper
    attention: Attention = field(default_factory=Attention)
    exit_attention: ExitAttention = field(default_factory=ExitAttention)
    decisions: int = 0
    reasons: Counter[str] = field(default_factory=Counter[str])
    exits: dict[TradeId, exit_rule.ExitMemory] = field(default_factory=dict[TradeId, exit_rule.ExitMemory])

    def look(
        self, board: MarketBoard, change: BoardChange, prices: Prices, now: datetime
    ) -> list[PlaceOrder]:
        """Let exit and entry decide on what is new, as live they do; returns the orders that left."""
        exits = self._exits(board, prices, now)
        look = self.attention.look(self._noticed(change, prices, now), board)
        return exits + self._entries(look, board)

    def next_at(self, now: datetime) -> datetime:
        """When time alone may change what is decided, if nothing else does before."""
        entries = self.attention.next_at or now
        held = self.paper.open_trades(now).trades
        return min(entries, self.exit_attention.next_at(held, entries)) if held else entries

    def _exits(self, board: MarketBoard, prices: Prices, now: datetime) -> list[PlaceOrder]:
        orders: list[PlaceOrder] = []
        for trade in self.paper.open_trades(now).trades:
            if trade.state is TradeState.OPEN and self.exit_attention.wants(
                trade, board, prices, NO_CONTROLS, now
            ):
                order = self._exit(trade, board, prices, now)
                orders += [] if order is None else [order]
        return orders

    def _exit(self, trade: TradeView, board: MarketBoard, prices: Prices, now: datetime) -> PlaceOrder | None:
        before = self.exits.get(trade.trade_id, exit_rule.NOTHING)
        made = cycles.of_exit(trade, board, prices, NO_CONTROLS, before, self.strategy, now)
        remembered = self.exits[trade.trade_id] = made.decided.remembered
        next_at = exit_rule.next_moment(trade, remembered, self.strategy.exit, now)
        self.exit_attention.looked(trade, board, prices, NO_CONTROLS, next_at)
        outcome = made.decided.outcome
        return self.paper.record_exit(outcome, now) if isinstance(outcome, CloseIntent) else None

    def _noticed(self, change: BoardChange, prices: Prices, now: datetime) -> EntryLook:
        return EntryLook(
            at=now,
            tickers=None,
            board=change,
            prices=prices,
            trades=self.paper.open_trades(now),
            paper=NO_PAPER,
            account=self.paper.account(now),
            controls=NO_CONTROLS,
        )

    def _entries(self, look: EntryLook, board: MarketBoard) -> list[PlaceOrder]:
        seen = cycles.inputs_of(look, board, self.strategy)
        if look.tickers is None:
            self.attention.next_at = entry.next_moment(seen, self.strategy.entry, look.at)
        elif not look.tickers:
            return []
        outcome = cycles.entered(look, board, (self.strategy,), self.config.risk)[self.strategy.name]
        self.decisions += 1
        if isinstance(outcome, Waits):
            self.reasons[outcome.gate] += 1
            return []
        exposure = risk.Exposure(
            trades=self.paper.open_trades(look.at),
            account=self.paper.account(look.at),
            ask=ask_on(board, outcome.ticker, outcome.side),
        )
        match risk.approve(outcome, exposure, self.config.risk, look.at):
            case risk.Denied(limit=limit):
                self.reasons[f"risk {limit}"] += 1
                return []
            case risk.Approved() as approved:
                self.reasons["order"] += 1
                return [self.paper.record_entry(approved, look.at)]

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
        strategy=Strategy(
            entry=config.entry.model_copy(update={"enabled": True}), exit=config.exit, model=model
        ),
        model=model,
        paper=Paper(deadline=timedelta(seconds=config.risk.max_send_delay_seconds)),
    )
