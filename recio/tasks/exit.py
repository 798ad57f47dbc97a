"""exit: asks the exit rule about every open trade and hands its intent to trade_manager.

No halt, block or switch of entry stops it; only its own switch and exit.enabled do. A flatten passes both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import anyio
import structlog

from recio.clock import Clock
from recio.messages.controls import TradingControls
from recio.messages.decisions import CloseIntent
from recio.messages.markets import MarketBoard
from recio.messages.orders import OpenTrades, TradeState, TradeView
from recio.messages.prices import Prices
from recio.rules.decision import cycles
from recio.rules.decision import exit as exit_rule
from recio.rules.decision.cycles import ExitCycle
from recio.rules.decision.entry import CYCLE_SECONDS
from recio.rules.decision.exit import ExitMemory
from recio.rules.decision.strategy import Strategy, named
from recio.supervisor import Say
from recio.test_hooks.crash_points import CrashPoint, reached
from recio.test_hooks.freeze_points import Task, cycle_of
from recio.units import TradeId
from recio.wires import Notes, Reads, Sends

log: structlog.stdlib.BoundLogger = structlog.get_logger()

LONGEST_CYCLE = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    clock: Clock
    strategies: Sequence[Strategy]
    """All that the config names, the one of unknown trades first."""
    prices: Reads[Prices]
    board: Reads[MarketBoard]
    open_trades: Reads[OpenTrades]
    controls: Reads[TradingControls]
    close_intents: Sends[CloseIntent]
    exit_cycles: Notes[ExitCycle]

    async def run(self, say: Say) -> None:
        remembered: dict[TradeId, ExitMemory] = {}
        board_version = 0
        while self.controls.version == 0:
            # Its own switch may be off: until the rows have said so once, nothing is sold.
            say("waits for the switches to be read")
            with anyio.move_on_after(LONGEST_CYCLE):
                await self.controls.newer_than(0)
        while True:
            with anyio.move_on_after(LONGEST_CYCLE):
                board_version = await self.board.newer_than(board_version)
            await cycle_of(Task.EXIT)
            say(await self._cycle(remembered))
            await anyio.sleep(CYCLE_SECONDS / self.clock.speed)

    async def _cycle(self, remembered: dict[TradeId, ExitMemory]) -> str:
        trades = self.open_trades.get()
        open_ones = [each for each in (trades.trades if trades else ()) if each.state is TradeState.OPEN]
        for gone in remembered.keys() - {each.trade_id for each in (trades.trades if trades else ())}:
            if trades is not None:
                del remembered[gone]
        sentence = "nothing is held"
        for trade in open_ones:
            before = remembered.get(trade.trade_id, exit_rule.NOTHING)
            decided = self._decide(trade, before)
            remembered[trade.trade_id] = decided.remembered
            if isinstance(decided.outcome, CloseIntent):
                sentence = await self._send_intent(decided.outcome, trade)
            else:
                sentence = f"trade {trade.trade_id}: {decided.outcome.sentence}"
                if decided.outcome.alarm:
                    log.error("cannot sell", trade=trade.trade_id, ticker=trade.ticker, sentence=sentence)
        return sentence

    def _decide(self, trade: TradeView, before: ExitMemory) -> exit_rule.ExitDecision:
        cycle = cycles.of_exit(
            trade,
            self.board.get(),
            self.prices.get(),
            self.controls.get(),
            before,
            named(self.strategies, trade.strategy),
            self.clock.utc(),
        )
        self.exit_cycles.put(cycle)
        return cycle.decided

    async def _send_intent(self, intent: CloseIntent, trade: TradeView) -> str:
        log.info("exit wanted", trade=intent.trade_id, ticker=trade.ticker, why=intent.why)
        reached(CrashPoint.EXIT_DECIDED)
        await self.close_intents.send(intent)
        reached(CrashPoint.EXIT_INTENT_SENT)
        return f"sells trade {intent.trade_id}: {intent.why}"
