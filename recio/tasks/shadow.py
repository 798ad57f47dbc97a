"""shadow: trades on paper what strategies that do not order want, by the one engine of recio/paper, and keeps its rows.

It never orders, and no real trade or limit knows of it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import anyio
import asyncpg
import structlog

from recio.bells import woken_by
from recio.board_wire import Watch
from recio.clock import Clock
from recio.db import paper_trades as rows
from recio.db.connection import transaction
from recio.errors import Transient
from recio.kalshi.answers import NoAnswer, answer_of
from recio.kalshi.markets import read_result
from recio.kalshi.rest import KalshiRest
from recio.messages.account import AccountView
from recio.messages.controls import TradingControls
from recio.messages.decisions import OpenIntent, ShadowScore
from recio.messages.orders import OpenTrades, TradeView
from recio.messages.prices import Prices
from recio.paper.engine import Engine, Happened
from recio.paper.matching import MET_AFTER
from recio.paper.rows import PaperFill, account_of
from recio.rules.decision.cycles import NO_CONTROLS, Cycle
from recio.rules.decision.strategy import Strategy
from recio.settings.risk import RiskSection
from recio.supervisor import Say
from recio.test_hooks.freeze_points import Task, cycle_of
from recio.units import Ticker, money_decimal, price_decimal, quantity_text
from recio.wires import Notes, Reads, ReadsBoard, Takes, Writes

log: structlog.stdlib.BoundLogger = structlog.get_logger()

LONGEST_PAUSE = 1.0
"""Host seconds between two looks at most, whatever is held: the task is seen to be alive."""
SHORTEST_PAUSE = 0.01
"""Host seconds between two looks that time alone asks for, where market time runs fast."""
RESULT_EVERY = 5.0
"""Host seconds between two questions for the results of closed markets."""


@dataclass(slots=True)
class _Run:
    engine: Engine
    closing: dict[Ticker, datetime]
    """Markets whose results are wanted, with their close."""
    paper: Mapping[str, OpenTrades] = field(default_factory=dict[str, OpenTrades])
    asked_at: float = -math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Shadow:
    pool: asyncpg.Pool[asyncpg.Record]
    rest: KalshiRest
    clock: Clock
    strategies: Sequence[Strategy]
    """Those that are shadows."""
    limits: RiskSection
    board: ReadsBoard
    prices: Reads[Prices]
    account: Reads[AccountView]
    controls: Reads[TradingControls]
    shadow_intents: Takes[OpenIntent]
    paper_trades: Writes[Mapping[str, OpenTrades]]
    shadow_scores: Writes[Mapping[str, ShadowScore]]
    cycles: Notes[Cycle]

    async def run(self, say: Say) -> None:
        run, watch = await self._go_on_from_rows(), self.board.watch()
        try:
            with woken_by(self.board, self.prices, self.controls, self.shadow_intents) as bell:
                while True:
                    await cycle_of(Task.SHADOW)
                    self._look(run, watch)
                    await self._keep(run)
                    await self._ask_for_results(run)
                    say(_sentence(run))
                    await bell.wait(self._seconds_until_due(run.engine))
        finally:
            self.board.unwatch(watch)

    async def _go_on_from_rows(self) -> _Run:
        now = self.clock.utc()
        async with transaction(self.pool) as connection:
            counted, newest = await rows.counted(connection, now), await rows.newest(connection)
        accounts = {
            each.name: account_of((row for row in counted if row.strategy == each.name), now)
            for each in self.strategies
        }
        engine = Engine(
            strategies=self.strategies,
            limits=self.limits,
            told=self.cycles.put,
            accounts=accounts,
            newest=newest,
        )
        run = _Run(engine, {each.ticker: each.closes_at for each in counted if each.awaits_result})
        self._publish(run)
        await self._score()
        return run

    def _look(self, run: _Run, watch: Watch) -> None:
        """What is due meets the book, what entry wants is ordered, and the exit rule is asked: all on paper."""
        engine, board, now = run.engine, self.board.get(), self.clock.utc()
        engine.board = board
        if board is not None:
            engine.see(watch.take(board).views)
        engine.arrive(now)
        controls = self.controls.get()
        for intent in self.shadow_intents.take()[0]:
            if why := engine.want(intent, self.account.get(), now, controls or NO_CONTROLS):
                log.info("shadow refused", strategy=intent.strategy, ticker=intent.ticker, why=why)
        if controls is not None:
            engine.ask_exits(self.prices.get(), controls, now)
        self._publish(run)

    def _publish(self, run: _Run) -> None:
        paper = run.engine.paper(self.clock.utc())
        if paper is not run.paper:
            run.paper = paper
            self.paper_trades.set(paper)

    def _seconds_until_due(self, engine: Engine) -> float:
        """Host seconds until an order arrives or time alone asks for a look."""
        now = self.clock.utc()
        due = engine.due(now + timedelta(seconds=LONGEST_PAUSE * self.clock.speed))
        return max(SHORTEST_PAUSE, (due - now).total_seconds() / self.clock.speed)

    async def _keep(self, run: _Run) -> None:
        """Rows of whatever happened. Raises Transient where they say otherwise: they are right, and read anew."""
        if not run.engine.happened:
            return
        while run.engine.happened:
            each = run.engine.happened.pop(0)
            if isinstance(each.intent, OpenIntent):
                await self._keep_entry(each, each.intent)
                if each.trade.entry_quantity:
                    run.closing[each.trade.ticker] = each.trade.closes_at
            elif each.intent is not None:
                await self._keep_sale(each, each.intent.decided_at, each.intent.why)
        run.engine.forget_ended()
        await self._score()

    async def _keep_entry(self, happened: Happened, intent: OpenIntent) -> None:
        trade, got = happened.trade, happened.answer
        async with transaction(self.pool) as connection:
            taken = await rows.insert(connection, trade.trade_id, intent, _fill(happened))
        if not taken:
            raise Transient(f"paper_trades has another trade of {trade.strategy} on {trade.ticker}")
        if not got.quantity:
            log.info("shadow got nothing", strategy=trade.strategy, ticker=trade.ticker, why=got.note)
            return
        log.info("paper trade", **_told(happened, "cost"), why=intent.why)

    async def _keep_sale(self, happened: Happened, decided_at: datetime, why: str) -> None:
        trade, got = happened.trade, happened.answer
        async with transaction(self.pool) as connection:
            await rows.record_exit_order(connection, trade.trade_id, decided_at)
            fill = _fill(happened)
            taken = fill is None or await rows.sell(connection, trade.trade_id, fill, happened.at)
        if not taken:
            raise Transient(f"paper_trades does not have so much left of trade {trade.trade_id}")
        if not got.quantity:
            log.info("shadow sold nothing", strategy=trade.strategy, ticker=trade.ticker, why=got.note)
            return
        log.info("shadow sold", **_told(happened, "proceeds"), why=why)

    async def _score(self) -> None:
        async with transaction(self.pool) as connection:
            self.shadow_scores.set(await rows.scores(connection))

    async def _ask_for_results(self, run: _Run) -> None:
        now = self.clock.utc()
        run.engine.arrive(now)
        # By then every order that was sent before the close has been answered.
        closed = [ticker for ticker, closes in run.closing.items() if closes + MET_AFTER <= now]
        if not closed or anyio.current_time() - run.asked_at < RESULT_EVERY:
            return
        run.asked_at = anyio.current_time()
        for ticker in closed:
            await self._settle(ticker, run)

    async def _settle(self, ticker: Ticker, run: _Run) -> None:
        try:
            found = await answer_of(read_result(self.rest, ticker))
        except NoAnswer as error:
            log.warning("no result of a shadow's market", ticker=ticker, why=str(error))
            return
        if found.value is None or found.settled_at is None:
            return
        async with transaction(self.pool) as connection:
            await rows.settle(connection, ticker, found.value, found.settled_at)
        log.info("shadow settled", ticker=ticker, pays=f"{price_decimal(found.value)}")
        del run.closing[ticker]
        run.engine.settle(ticker, found.value, found.settled_at)
        self._publish(run)
        await self._score()


def _fill(happened: Happened) -> PaperFill | None:
    got = happened.answer
    if not got.quantity:
        return None
    return PaperFill(quantity=got.quantity, value=got.value(happened.trade.side), fees=got.fees)


def _told(happened: Happened, value: str) -> dict[str, str]:
    trade, got = happened.trade, happened.answer
    return {
        "strategy": trade.strategy,
        "ticker": trade.ticker,
        "side": trade.side.value,
        "contracts": quantity_text(got.quantity),
        value: f"{money_decimal(got.value(trade.side)):f}",
        "fees": f"{money_decimal(got.fees):f}",
    }


def _sentence(run: _Run) -> str:
    if not run.closing:
        return "nothing is held in shadow"
    held: list[TradeView] = [each for rows in run.paper.values() for each in rows.trades]
    return f"{len(held)} shadow trades are held, {len(run.closing)} markets have no result yet"
