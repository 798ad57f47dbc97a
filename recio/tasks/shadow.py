"""shadow: books what strategies that do not order would have bought and sold, by the books that their orders would have met, and how it ended.

It never orders, and no real trade or limit knows of it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import anyio
import asyncpg
import structlog

from recio.clock import Clock
from recio.db import paper_trades as rows
from recio.db.connection import transaction
from recio.kalshi.answers import NoAnswer, answer_of
from recio.kalshi.markets import read_result
from recio.kalshi.rest import KalshiRest
from recio.messages.controls import TradingControls
from recio.messages.decisions import CloseIntent, OpenIntent, ShadowScore
from recio.messages.markets import MarketBoard
from recio.messages.orders import OpenTrades, TradeView
from recio.messages.prices import Prices
from recio.rules.decision import cycles, shadow
from recio.rules.decision.cycles import ExitCycle
from recio.rules.decision.exit import LOOK_AROUND_SECONDS, NOTHING, ExitMemory
from recio.rules.decision.strategy import Strategy, named
from recio.supervisor import Say
from recio.test_hooks.freeze_points import Task, cycle_of
from recio.units import Ticker, TradeId, money_decimal, quantity_text
from recio.wires import Notes, Reads, Takes, Writes

log: structlog.stdlib.BoundLogger = structlog.get_logger()

LOOK_EVERY = 0.05
"""Host seconds between two looks for intents that are due."""
REFRESH_EVERY = 30.0
"""Host seconds after which what is counted is read anew: a day ends, a market is forgotten."""
RESULT_EVERY = 5.0
"""Host seconds between two questions for the results of closed markets."""


@dataclass(slots=True)
class _Run:
    pending: list[OpenIntent] = field(default_factory=list[OpenIntent])
    live: set[tuple[str, Ticker]] = field(default_factory=set[tuple[str, Ticker]])
    closing: dict[Ticker, datetime] = field(default_factory=dict[Ticker, datetime])
    """Markets whose results are wanted, with their close."""
    held: Sequence[TradeView] = ()
    remembered: dict[TradeId, ExitMemory] = field(default_factory=dict[TradeId, ExitMemory])
    """What the exit rule knows of each from the cycles before."""
    sales: dict[TradeId, CloseIntent] = field(default_factory=dict[TradeId, CloseIntent])
    """On their way to the book."""
    exited_at: float = -math.inf
    read_at: float = -math.inf
    asked_at: float = -math.inf

    def hold(self, held: Sequence[TradeView]) -> None:
        """What is known of a trade goes with it."""
        self.held, kept = held, {each.trade_id for each in held}
        self.remembered = {key: value for key, value in self.remembered.items() if key in kept}
        self.sales = {key: value for key, value in self.sales.items() if key in kept}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shadow:
    pool: asyncpg.Pool[asyncpg.Record]
    rest: KalshiRest
    clock: Clock
    strategies: Sequence[Strategy]
    """Those that are shadows."""
    board: Reads[MarketBoard]
    prices: Reads[Prices]
    controls: Reads[TradingControls]
    shadow_intents: Takes[OpenIntent]
    paper_trades: Writes[Mapping[str, OpenTrades]]
    shadow_scores: Writes[Mapping[str, ShadowScore]]
    cycles: Notes[ExitCycle]

    async def run(self, say: Say) -> None:
        run = _Run()
        await self._publish(run)
        while True:
            await cycle_of(Task.SHADOW)
            self._hear(run)
            self._ask_exit(run)
            changed = await self._meet_the_book(run)
            changed |= await self._sell(run)
            changed |= await self._ask_for_results(run)
            if changed or anyio.current_time() - run.read_at > REFRESH_EVERY:
                await self._publish(run)
            say(
                f"{len(run.held)} shadow trades are held, {len(run.closing)} markets have no result yet"
                if run.closing
                else "nothing is held in shadow"
            )
            await anyio.sleep(LOOK_EVERY)

    def _hear(self, run: _Run) -> None:
        """One intent at a time on one market: while it is on its way the same strategy may say the same again."""
        intents, _ = self.shadow_intents.take()
        for each in intents:
            key = (each.strategy, each.ticker)
            if key not in run.live:
                run.live.add(key)
                run.pending.append(each)

    def _ask_exit(self, run: _Run) -> None:
        """The exit rule over all that is held on paper, as often as live: flatten and switches hold for it too."""
        controls, now = self.controls.get(), anyio.current_time()
        if controls is None or now - run.exited_at < LOOK_AROUND_SECONDS / self.clock.speed:
            return
        run.exited_at = now
        for trade in run.held:
            if trade.trade_id in run.sales:
                continue
            cycle = cycles.of_exit(
                trade,
                self.board.get(),
                self.prices.get(),
                controls,
                run.remembered.get(trade.trade_id, NOTHING),
                named(self.strategies, trade.strategy),
                self.clock.utc(),
            )
            self.cycles.put(cycle)
            run.remembered[trade.trade_id] = cycle.decided.remembered
            if isinstance(cycle.decided.outcome, CloseIntent):
                run.sales[trade.trade_id] = cycle.decided.outcome

    async def _sell(self, run: _Run) -> bool:
        now = self.clock.utc()
        due = [each for each in run.held if self._is_due(run.sales.get(each.trade_id), now)]
        for trade in due:
            await self._book_sale(trade, run.sales.pop(trade.trade_id), now)
        return bool(due)

    def _is_due(self, sale: CloseIntent | None, now: datetime) -> bool:
        return sale is not None and now - sale.decided_at >= shadow.LATENCY

    async def _book_sale(self, trade: TradeView, intent: CloseIntent, now: datetime) -> None:
        settings = named(self.strategies, trade.strategy).exit
        got = shadow.sale(intent, trade, self.board.get(), now, settings.max_book_age_seconds)
        async with transaction(self.pool) as connection:
            await rows.record_exit_order(connection, trade.trade_id, intent.decided_at)
            taken = not isinstance(got, str) and await rows.sell(connection, trade.trade_id, got, now)
        if isinstance(got, str):
            log.info("shadow sold nothing", strategy=trade.strategy, ticker=trade.ticker, why=got)
            return
        if taken:
            log.info(
                "shadow sold",
                strategy=trade.strategy,
                ticker=trade.ticker,
                side=trade.side.value,
                contracts=quantity_text(got.quantity),
                proceeds=f"{money_decimal(got.value):f}",
                fees=f"{money_decimal(got.fees):f}",
                why=intent.why,
            )

    async def _meet_the_book(self, run: _Run) -> bool:
        now = self.clock.utc()
        due = [each for each in run.pending if now - each.decided_at >= shadow.LATENCY]
        if not due:
            return False
        run.pending = [each for each in run.pending if each not in due]
        for intent in due:
            await self._book(intent, now)
        return True

    async def _book(self, intent: OpenIntent, now: datetime) -> None:
        settings = next(each.entry for each in self.strategies if each.name == intent.strategy)
        got = shadow.fill(intent, self.board.get(), now, settings.max_book_age_seconds)
        async with transaction(self.pool) as connection:
            taken = await rows.insert(connection, intent, None if isinstance(got, str) else got)
        if not taken:
            return
        if isinstance(got, str):
            log.info("shadow got nothing", strategy=intent.strategy, ticker=intent.ticker, why=got)
            return
        log.info(
            "paper trade",
            strategy=intent.strategy,
            ticker=intent.ticker,
            side=intent.side.value,
            contracts=quantity_text(got.quantity),
            cost=f"{money_decimal(got.value):f}",
            fees=f"{money_decimal(got.fees):f}",
            why=intent.why,
        )

    async def _ask_for_results(self, run: _Run) -> bool:
        now = self.clock.utc()
        closed = [ticker for ticker, closes in run.closing.items() if closes <= now]
        if not closed or anyio.current_time() - run.asked_at < RESULT_EVERY:
            return False
        run.asked_at, settled = anyio.current_time(), False
        for ticker in closed:
            settled |= await self._settle(ticker)
        return settled

    async def _settle(self, ticker: Ticker) -> bool:
        try:
            found = await answer_of(read_result(self.rest, ticker))
        except NoAnswer as error:
            log.warning("no result of a shadow's market", ticker=ticker, why=str(error))
            return False
        if found.result is None or found.settled_at is None:
            return False
        async with transaction(self.pool) as connection:
            await rows.settle(connection, ticker, found.result, found.settled_at)
        log.info("shadow settled", ticker=ticker, result=found.result.value)
        return True

    async def _publish(self, run: _Run) -> None:
        now = self.clock.utc()
        async with transaction(self.pool) as connection:
            counted = await rows.counted(connection, now)
            scores = await rows.scores(connection)
        live = [each for each in counted if each.is_live]
        run.live = {(each.strategy, each.ticker) for each in (*live, *run.pending)}
        run.closing = {each.ticker: each.closes_at for each in counted if each.awaits_result}
        trades = {
            strategy.name: shadow.open_trades(
                (each for each in counted if each.strategy == strategy.name), now
            )
            for strategy in self.strategies
        }
        run.hold([trade for of_one in trades.values() for trade in of_one.trades])
        run.read_at = anyio.current_time()
        self.paper_trades.set(trades)
        self.shadow_scores.set(scores)
