"""exit: asks the exit rule about an open trade at each change of what it looks at, at once, and hands its intent to trade_manager.

No halt, block or switch of entry stops it; only its own switch and exit.enabled do. A flatten passes both. What it
remembers of a trade is kept in rows, off the way of its decisions, and read once after a start.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import anyio
import asyncpg
import structlog

from recio.bells import Bell, stand_aside, woken_by
from recio.clock import Clock
from recio.db import rule_memories
from recio.db.connection import transaction
from recio.errors import Transient
from recio.messages.controls import TradingControls
from recio.messages.decisions import CloseIntent
from recio.messages.orders import OpenTrades, TradeState, TradeView
from recio.messages.prices import Prices
from recio.rules.decision import cycles
from recio.rules.decision import exit as exit_rule
from recio.rules.decision.attention import ExitAttention
from recio.rules.decision.cycles import ExitCycle
from recio.rules.decision.exit import ExitMemory
from recio.rules.decision.strategy import Strategy, named
from recio.supervisor import Say
from recio.test_hooks.crash_points import CrashPoint, reached
from recio.test_hooks.freeze_points import Task, cycle_of
from recio.units import TradeId
from recio.wires import Notes, Reads, ReadsBoard, Sends

log: structlog.stdlib.BoundLogger = structlog.get_logger()

LONGEST_PAUSE = 1.0
"""Host seconds between two cycles at most, whatever is held: the task is seen to be alive."""
SHORTEST_PAUSE = 0.01
"""Host seconds between two looks that time alone asks for, where market time runs fast."""


KEEP_EVERY = 1.0
"""Host seconds between two writings of what is remembered: so much of it a kill may cost."""
RECALL_LIMIT = 2.0
"""Host seconds to wait for what was remembered before: a sale is worth more."""


@dataclass(slots=True)
class _Kept:
    """What is remembered of trades; outlives a restart of the task."""

    remembered: dict[TradeId, ExitMemory] = field(default_factory=dict[TradeId, ExitMemory])
    in_rows: dict[TradeId, ExitMemory] = field(default_factory=dict[TradeId, ExitMemory])
    recalled: anyio.Event = field(default_factory=anyio.Event)

    def recall(self, in_rows: Mapping[TradeId, ExitMemory]) -> None:
        """What the run before remembered; what was learnt of a trade since then outweighs it."""
        self.in_rows = dict(in_rows)
        for trade, each in in_rows.items():
            if self.remembered.get(trade, exit_rule.NOTHING) == exit_rule.NOTHING:
                self.remembered[trade] = each
        self.recalled.set()


@dataclass(slots=True)
class _Memory:
    """What this run knows of each trade."""

    remembered: dict[TradeId, ExitMemory]
    attention: ExitAttention = field(default_factory=ExitAttention)
    held: bool = False
    said: str = "nothing is held"

    def forget_all_but(self, trades: OpenTrades) -> None:
        """What is known of a trade goes with it."""
        live = {each.trade_id for each in trades.trades}
        for gone in self.remembered.keys() - live:
            del self.remembered[gone]
        self.attention.keep_only(trades.trades)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    clock: Clock
    strategies: Sequence[Strategy]
    """All that the config names, the one of unknown trades first."""
    prices: Reads[Prices]
    board: ReadsBoard
    open_trades: Reads[OpenTrades]
    controls: Reads[TradingControls]
    close_intents: Sends[CloseIntent]
    cycles: Notes[ExitCycle]
    pool: asyncpg.Pool[asyncpg.Record]
    kept: _Kept = field(default_factory=_Kept)

    async def run(self, say: Say) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(self._keep_forever, say)
            await self._decide_forever(say)

    async def _decide_forever(self, say: Say) -> None:
        while self.controls.version == 0:
            # Its own switch may be off: until the rows have said so once, nothing is sold.
            say("waits for the switches to be read")
            with anyio.move_on_after(LONGEST_PAUSE):
                await self.controls.newer_than(0)
        with anyio.move_on_after(RECALL_LIMIT):
            await self.kept.recalled.wait()
        memory = _Memory(self.kept.remembered)
        while True:
            # With nothing held no market concerns it, and hundreds of them change each second.
            markets = (self.board, self.prices) if memory.held else ()
            with woken_by(self.open_trades, self.controls, *markets) as bell:
                await self._look_while(memory, bell, say)

    async def _look_while(self, memory: _Memory, bell: Bell, say: Say) -> None:
        """Until the first trade is held, or the last one is not any more."""
        was_held = memory.held
        while memory.held is was_held:
            await cycle_of(Task.EXIT)
            next_at = await self._look(memory, say)
            say(memory.said)
            if memory.held is was_held:
                left = (next_at - self.clock.utc()).total_seconds() / self.clock.speed
                await bell.wait(min(LONGEST_PAUSE, max(SHORTEST_PAUSE, left)))

    async def _look(self, memory: _Memory, say: Say) -> datetime:
        """One cycle for every open trade that something new concerns; returns when time alone asks for the next."""
        trades, now = self.open_trades.get(), self.clock.utc()
        longest = now + timedelta(seconds=LONGEST_PAUSE * self.clock.speed)
        if trades is None:
            return longest
        memory.forget_all_but(trades)
        held = [each for each in trades.trades if each.state is TradeState.OPEN]
        memory.held = bool(held)
        if not held:
            memory.said = _without_open(trades)
        for each in held:
            trade = self._as_it_is_now(each)
            seen = (self.board.get(), self.prices.get(), self.controls.get())
            if trade is not None and memory.attention.wants(trade, *seen, self.clock.utc()):
                await self._look_at(trade, memory, say)
                say(memory.said)
        return memory.attention.next_at(held, longest)

    def _as_it_is_now(self, trade: TradeView) -> TradeView | None:
        """The sale of another may have taken a while; None: it cannot be sold any more."""
        trades = self.open_trades.get()
        now = () if trades is None else trades.trades
        return next(
            (each for each in now if each.trade_id == trade.trade_id and each.state is TradeState.OPEN),
            None,
        )

    async def _recall(self, say: Say) -> None:
        """What the run before remembered of the trades that it left. Beside the decisions: a transaction cannot be given up
        half-way, and without a database they are sold all the same."""
        while not self.kept.recalled.is_set():
            try:
                async with transaction(self.pool) as connection:
                    self.kept.recall(await rule_memories.recall_exits(connection))
            except Transient as error:
                log.warning("what exits remembered is not known", why=str(error))
                say("what exits remembered is not known yet")
                await anyio.sleep(KEEP_EVERY)

    async def _keep_forever(self, say: Say) -> None:
        """Nothing is written before the rows were read: they would be lost."""
        await self._recall(say)
        while True:
            await anyio.sleep(KEEP_EVERY)
            kept, now = self.kept, dict(self.kept.remembered)
            changed = {
                trade: each
                for trade, each in now.items()
                if each != kept.in_rows.get(trade, exit_rule.NOTHING)
            }
            ended = kept.in_rows.keys() - now.keys()
            if not changed and not ended:
                continue
            try:
                async with transaction(self.pool) as connection:
                    await rule_memories.keep_exits(connection, changed, ended)
            except Transient as error:
                log.warning("what exits remember is not written yet", why=str(error))
                continue
            kept.in_rows = {**{each: kept.in_rows[each] for each in kept.in_rows if each in now}, **changed}

    async def _look_at(self, trade: TradeView, memory: _Memory, say: Say) -> None:
        strategy, now = named(self.strategies, trade.strategy), self.clock.utc()
        seen = (self.board.get(), self.prices.get(), self.controls.get())
        before = memory.remembered.get(trade.trade_id, exit_rule.NOTHING)
        decided = self._decide(trade, before, strategy, now)
        memory.remembered[trade.trade_id] = decided.remembered
        next_at = exit_rule.next_moment(trade, decided.remembered, strategy.exit, now)
        memory.attention.looked(trade, *seen, next_at)
        if isinstance(decided.outcome, CloseIntent):
            memory.said = await self._send_intent(decided.outcome, trade, say)
            if self._as_it_is_now(trade) == trade:
                # No order came of it: too old when its turn came, or the database failed on it. It is the next after all others.
                memory.remembered[trade.trade_id] = exit_rule.not_tried(decided.remembered, before)
                memory.attention.looked(trade, *seen, now)
        else:
            memory.said = f"trade {trade.trade_id}: {decided.outcome.sentence}"
            if decided.outcome.alarm:
                log.error("cannot sell", trade=trade.trade_id, ticker=trade.ticker, sentence=memory.said)

    def _decide(
        self, trade: TradeView, before: ExitMemory, strategy: Strategy, now: datetime
    ) -> exit_rule.ExitDecision:
        cycle = cycles.of_exit(
            trade, self.board.get(), self.prices.get(), self.controls.get(), before, strategy, now
        )
        self.cycles.put(cycle)
        return cycle.decided

    async def _send_intent(self, intent: CloseIntent, trade: TradeView, say: Say) -> str:
        reached(CrashPoint.EXIT_DECIDED)
        await self.close_intents.send(intent)
        reached(CrashPoint.EXIT_INTENT_SENT)
        # Told after it is on its way: a line of the log takes longer than the decision.
        await stand_aside()
        log.info("exit wanted", trade=intent.trade_id, ticker=trade.ticker, why=intent.why)
        # One sale after another gets its row. What waited for that in the queue would be too old when its turn comes.
        while self.close_intents.unfinished:
            with anyio.move_on_after(LONGEST_PAUSE):
                await self.close_intents.finished()
            say(f"waits for the row of its sale of trade {intent.trade_id}")
        return f"sells trade {intent.trade_id}: {intent.why}"


def _without_open(trades: OpenTrades) -> str:
    """Nothing can be sold now; that is not always because nothing is held."""
    return "; ".join(f"trade {each.trade_id} is {each.state}" for each in trades.trades) or "nothing is held"
