"""exit: asks the exit rule about every open trade and hands its wish to trade_manager.

No halt, block or switch of entry stops it; only its own switch and exit.enabled do. A flatten passes both.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import anyio
import structlog

from recio.clock import Clock
from recio.crash_points import CrashPoint, reached
from recio.freeze_points import Task, turn_of
from recio.messages import CloseIntent, MarketBoard, OpenTrades, Prices, Restraints, TradeState
from recio.rules import exit as exit_rule
from recio.rules.entry import TURN_SECONDS
from recio.rules.model import Model
from recio.sections import ExitSection
from recio.supervisor import Say
from recio.units import TradeId
from recio.wires import Reads, Sends

log: structlog.stdlib.BoundLogger = structlog.get_logger()

LONGEST_TURN = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    clock: Clock
    settings: ExitSection
    model: Model
    prices: Reads[Prices]
    board: Reads[MarketBoard]
    open_trades: Reads[OpenTrades]
    restraints: Reads[Restraints]
    close_intents: Sends[CloseIntent]

    async def run(self, say: Say) -> None:
        attempts: dict[TradeId, datetime] = {}
        board_version = 0
        while self.restraints.version == 0:
            # Its own switch may be off: until the rows have said so once, nothing is sold.
            say("waits for the switches to be read")
            with anyio.move_on_after(LONGEST_TURN):
                await self.restraints.newer_than(0)
        while True:
            with anyio.move_on_after(LONGEST_TURN):
                board_version = await self.board.newer_than(board_version)
            await turn_of(Task.EXIT)
            say(await self._turn(attempts))
            await anyio.sleep(TURN_SECONDS / self.clock.speed)

    async def _turn(self, attempts: dict[TradeId, datetime]) -> str:
        trades = self.open_trades.get()
        open_ones = [each for each in (trades.trades if trades else ()) if each.state is TradeState.OPEN]
        for gone in attempts.keys() - {each.trade_id for each in open_ones}:
            if trades is not None and all(each.trade_id != gone for each in trades.trades):
                del attempts[gone]
        sentence = "nothing is held"
        for trade in open_ones:
            now = self.clock.utc()
            decided = exit_rule.decide(
                trade,
                self.board.get(),
                self.prices.get(),
                attempts,
                self.settings,
                now,
                self.restraints.get() or Restraints(),
                self.model,
            )
            if isinstance(decided, exit_rule.Holds):
                sentence = f"trade {trade.trade_id}: {decided.sentence}"
                continue
            attempts[trade.trade_id] = now
            log.info("exit wanted", trade=trade.trade_id, ticker=trade.ticker, why=decided.why)
            reached(CrashPoint.EXIT_DECIDED)
            await self.close_intents.send(decided)
            reached(CrashPoint.EXIT_WISH_SENT)
            sentence = f"sells trade {trade.trade_id}: {decided.why}"
        return sentence
