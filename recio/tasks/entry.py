"""entry: asks every strategy's entry rule at each change of what it looks at, at once, and hands an intent to trade_manager or to shadow.

It decides nothing itself, sends nothing, and writes no table but the count of rejections and the answers to requests.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

import anyio
import asyncpg
import structlog

from recio.bells import stand_aside, woken_by
from recio.board_wire import Watch
from recio.clock import Clock
from recio.db import rejections, requests, rule_memories
from recio.db.connection import single_statement, transaction
from recio.errors import Fatal, Transient, said_of_a_fault
from recio.messages.account import AccountView
from recio.messages.controls import TradingControls
from recio.messages.decisions import Assessments, OpenIntent
from recio.messages.markets import BoardChange, MarketView
from recio.messages.orders import OpenTrades
from recio.messages.prices import Prices
from recio.rules.decision import cycles, entry, manual
from recio.rules.decision.attention import Attention
from recio.rules.decision.cycles import EntryCycle, EntryLook
from recio.rules.decision.manual import TradeRequest
from recio.rules.decision.momentum_pause import Pauses
from recio.rules.decision.rejections import NO_EVENT, Rejections
from recio.rules.decision.strategy import Strategy, named
from recio.rules.market.market_board import strike_text
from recio.rules.market.quotes import ask_of, bid_of
from recio.settings.risk import RiskSection
from recio.settings.strategies import Stage
from recio.supervisor import Say
from recio.test_hooks.crash_points import CrashPoint, reached
from recio.test_hooks.freeze_points import Task, cycle_of
from recio.units import EventTicker, Side, price_text
from recio.wires import Notes, Reads, ReadsBoard, Sends, Writes

log: structlog.stdlib.BoundLogger = structlog.get_logger()

NO_PAPER: Mapping[str, OpenTrades] = {}
SHORTEST_PAUSE = 0.05
"""Host seconds between two looks that time alone asks for, where market time runs fast."""
ANSWER_LIMIT = 1.0
"""Host seconds to wait for what becomes of an intent before the next one."""
CENTS_SAY_ENOUGH = 100
"""Dollars from which a price is logged in whole cents."""
KEEP_EVERY = 10.0
"""Host seconds between two writings of the count of rejections."""
KEEP_DAYS = 30
ASKED_EVERY = 0.5
"""Host seconds between two looks for what a person asked for."""
REPORT_EVERY = 15.0
"""Host seconds between two log lines while the gate that says no stays the same."""


@dataclass(slots=True)
class _PausesKept:
    """What strategies remember of pauses for momentum; outlives a restart of the task."""

    last: Mapping[str, Pauses] = field(default_factory=dict[str, Pauses])
    kept: Mapping[str, Pauses] | None = None
    """As the rows say; None: they have not been read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    clock: Clock
    strategies: Sequence[Strategy]
    limits: RiskSection
    prices: Reads[Prices]
    board: ReadsBoard
    account: Reads[AccountView]
    open_trades: Reads[OpenTrades]
    controls: Reads[TradingControls]
    assessments: Writes[Assessments]
    open_intents: Sends[OpenIntent]
    cycles: Notes[EntryCycle]
    paper_trades: Reads[Mapping[str, OpenTrades]]
    shadow_intents: Notes[OpenIntent]
    pool: asyncpg.Pool[asyncpg.Record]
    rejections: dict[str, Rejections] = field(default_factory=dict[str, Rejections])
    """By strategy. Outlives a restart of the task: what could not be kept yet counts on."""
    pauses: _PausesKept = field(default_factory=lambda: _PausesKept())

    async def run(self, say: Say) -> None:
        await self._recall_pauses()
        async with anyio.create_task_group() as group:
            group.start_soon(self._keep_rejections)
            group.start_soon(self._serve_people, say)
            await self._decide_forever(say)

    async def _decide_forever(self, say: Say) -> None:
        """Wakes on whatever a decision looks at, and on the moments at which time alone may open a gate."""
        asked = [each for each in self.strategies if each.stage is not Stage.OFF] or self.strategies[:1]
        attention = Attention()
        reported = {each.name: Reported() for each in self.strategies}
        wires = (self.board, self.prices, self.account, self.open_trades, self.controls, self.paper_trades)
        watch = self.board.watch()
        try:
            with woken_by(*wires) as bell:
                while True:
                    await cycle_of(Task.ENTRY)
                    look = attention.look(self._notice(watch), self.board.get())
                    if look.tickers is None:
                        intents = self._look_around(asked, look, say, reported)
                        attention.next_at = self._next_moment(asked, look)
                    else:
                        intents = self._look_at(asked, look)
                    await self._send_intents(intents, say)
                    await bell.wait(self._seconds_until(attention.next_at or look.at))
        finally:
            self.board.unwatch(watch)

    def _notice(self, watch: Watch) -> EntryLook:
        board, pauses = self.board.get(), self.pauses
        pauses.last = cycles.remember_pauses(
            self.prices.get(), self.strategies, pauses.last, self.clock.utc()
        )
        return self._all(None if board is None else watch.take(board))

    def _all(self, new: BoardChange | None) -> EntryLook:
        """All that there is to look at."""
        return EntryLook(
            at=self.clock.utc(),
            tickers=None,
            board=new,
            prices=self.prices.get(),
            trades=self.open_trades.get(),
            paper=self.paper_trades.get() or NO_PAPER,
            account=self.account.get(),
            controls=self.controls.get(),
            pauses=self.pauses.last,
        )

    def _next_moment(self, asked: Sequence[Strategy], look: EntryLook) -> datetime:
        board = self.board.get()
        return min(
            entry.next_moment(cycles.inputs_of(look, board, each), each.entry, look.at) for each in asked
        )

    def _seconds_until(self, moment: datetime) -> float:
        """Host seconds. Where market time runs fast, time alone does not wake more often than the machine can bear."""
        left = (moment - self.clock.utc()).total_seconds() / self.clock.speed
        return max(SHORTEST_PAUSE if self.clock.speed > 1 else 0.0, left)

    def _look_at(self, asked: Sequence[Strategy], look: EntryLook) -> list[OpenIntent]:
        """Decide on what changed."""
        if not look.tickers:
            return []
        outcomes = cycles.entered(look, self.board.get(), asked, self.limits)
        self.cycles.put(EntryCycle(look=look, outcomes=outcomes))
        return [each for each in outcomes.values() if isinstance(each, OpenIntent)]

    def _look_around(
        self,
        asked: Sequence[Strategy],
        look: EntryLook,
        say: Say,
        reported: Mapping[str, Reported],
    ) -> list[OpenIntent]:
        """Decide on the whole board, and show it."""
        said = [self._decide(each, look) for each in asked]
        outcomes = {each.strategy.name: each.outcome for each in said}
        self.cycles.put(EntryCycle(look=look, outcomes=outcomes))
        self._publish(said)
        say("; ".join(_named(each, said) for each in said))
        for each in said:
            if isinstance(each.outcome, entry.Waits):
                figures = self._figures(each.decided.assessments)
                reported[each.strategy.name].waits(each.outcome, _label(each, said) | figures)
        return [each.outcome for each in said if isinstance(each.outcome, OpenIntent)]

    def _decide(self, strategy: Strategy, look: EntryLook) -> _Said:
        seen = cycles.inputs_of(look, self.board.get(), strategy)
        decided, outcome = cycles.of_entry(seen, strategy, self.limits, look.at)
        self._count(strategy.name, decided, outcome, look.at)
        return _Said(strategy=strategy, decided=decided, outcome=outcome)

    def _publish(self, said: Sequence[_Said]) -> None:
        """The board as the first strategy sees it, with everybody's verdict."""
        events = self._events()
        first = said[0].decided.assessments
        verdict = first.verdict if len(said) == 1 else "; ".join(_named(each, said) for each in said)
        refused = tuple(
            replace(counted, by=each.strategy.name, sentence=_with_name(each, said, counted.sentence))
            for each in said
            for counted in self.rejections[each.strategy.name].of(events)
        )
        self.assessments.set(replace(first, verdict=verdict, rejections=refused))

    def _count(
        self, name: str, decided: entry.EntryDecision, outcome: OpenIntent | entry.Waits, now: datetime
    ) -> None:
        counted = self.rejections.setdefault(name, Rejections())
        for event, waits in decided.refusals:
            counted.note(event, waits.gate, waits.sentence, now)
        if isinstance(outcome, entry.Waits) and not decided.refusals:
            counted.note(NO_EVENT, outcome.gate, outcome.sentence, now)

    def _events(self) -> set[EventTicker]:
        board = self.board.get()
        return {view.market.event_ticker for view in (board.by_ticker.values() if board else ())}

    async def _keep_rejections(self) -> None:
        """Off the path of a decision: a database that is away keeps nothing for a while and stops nobody."""
        while True:
            await anyio.sleep(KEEP_EVERY)
            for name, counted in self.rejections.items():
                await self._keep(name, counted)
            await self._keep_pauses()

    async def _recall_pauses(self) -> None:
        """Of the run before. What a strategy has that the config no longer names goes with the next writing."""
        pauses_at_all = any(each.entry.spike_trigger_bp is not None for each in self.strategies)
        if pauses_at_all and self.pauses.kept is None:
            async with transaction(self.pool) as connection:
                self.pauses.last = self.pauses.kept = await rule_memories.recall_pauses(connection)

    async def _keep_pauses(self) -> None:
        pauses = self.pauses.last
        if pauses == self.pauses.kept:
            return
        try:
            async with transaction(self.pool) as connection:
                await rule_memories.keep_pauses(connection, pauses)
            self.pauses.kept = pauses
        except Transient as error:
            log.warning("pauses not written yet", why=str(error))

    async def _keep(self, name: str, counted: Rejections) -> None:
        taken = counted.take_unkept()
        try:
            async with transaction(self.pool) as connection:
                await rejections.add(connection, name, taken)
                await rejections.expire(connection, KEEP_DAYS)
        except Transient:
            counted.give_back(taken)

    async def _serve_people(self, say: Say) -> None:
        while True:
            await anyio.sleep(ASKED_EVERY)
            try:
                async with single_statement(self.pool) as connection:
                    asked = await requests.waiting(connection)
            except Transient as error:
                log.warning("requests not read", why=str(error))
                continue
            for each in asked:
                await self._serve_or_refuse(each, say)

    async def _serve_or_refuse(self, request: TradeRequest, say: Say) -> None:
        """One request that cannot be dealt with holds up no other and is not tried for ever."""
        try:
            await self._serve(request, say)
        except Transient as error:
            log.warning("request not answered yet", request=request.request_id, why=str(error))
        except Fatal:
            raise
        except Exception as fault:
            log.exception("request broke", request=request.request_id)
            with suppress(Transient):
                await self._answer(request.request_id, accepted=False, sentence=said_of_a_fault(fault))

    async def _answer(self, request_id: int, *, accepted: bool, sentence: str) -> bool:
        async with transaction(self.pool) as connection:
            return await requests.answer(connection, request_id, accepted, sentence)

    async def _serve(self, request: TradeRequest, say: Say) -> None:
        common = self.strategies[0]
        outcome = manual.decide(request, self._seen(common), common, self.clock.utc())
        if isinstance(outcome, OpenIntent):
            outcome = cycles.within_limits(outcome, self._seen(common), self.limits, self.clock.utc())
        accepted = isinstance(outcome, OpenIntent)
        sentence = f"accepted: {outcome.why}" if isinstance(outcome, OpenIntent) else outcome.sentence
        # Answered before it is sent: after a crash in between nothing was bought, and nothing is bought twice.
        is_first = await self._answer(request.request_id, accepted=accepted, sentence=sentence)
        log.info(
            "request answered",
            request=request.request_id,
            by=request.by,
            accepted=accepted,
            sentence=sentence,
        )
        if is_first and isinstance(outcome, OpenIntent):
            await self._send(outcome, say)

    async def _send_intents(self, intents: Sequence[OpenIntent], say: Say) -> None:
        """Shadows' intents are noted; of the others one leaves in a cycle, because it changes what the next may want."""
        live: list[OpenIntent] = []
        for each in intents:
            if named(self.strategies, each.strategy).stage is Stage.SHADOW:
                self.shadow_intents.put(each)
            else:
                live.append(each)
        if live:
            await self._send(live[0], say)

    async def _send(self, intent: OpenIntent, say: Say) -> None:
        reached(CrashPoint.ENTRY_DECIDED)
        await self.open_intents.send(intent)
        reached(CrashPoint.ENTRY_INTENT_SENT)
        # Told after it is on its way: a line of the log takes longer than the decision.
        await stand_aside()
        say(f"wants {intent.side} on {intent.ticker}: {intent.why}")
        log.info(
            "entry wanted",
            ticker=intent.ticker,
            side=intent.side.value,
            why=intent.why,
            strategy=intent.strategy,
        )
        # Whatever comes of it, rows change or the intent is refused: one view never leads to two intents.
        with anyio.move_on_after(ANSWER_LIMIT):
            await self.open_intents.finished()

    def _seen(self, strategy: Strategy) -> entry.EntryInputs:
        return cycles.inputs_of(self._all(None), self.board.get(), strategy)

    def _figures(self, said: Assessments) -> dict[str, str]:
        """Of the market nearest to even odds: price, strike, model probability and quotes, for the log."""
        prices, board = self.prices.get(), self.board.get()
        if board is None or not board.by_ticker:
            return {}
        view = max(board.by_ticker.values(), key=lambda each: _evenness(each, said))
        price = None if prices is None else prices.by_symbol.get(view.market.symbol)
        figures: dict[str, str] = {"ticker": view.market.ticker}
        figures["price"] = "unknown" if price is None else _level(price.tick.price)
        figures["strike"] = strike_text(view.market)
        probability = next(
            (each.probability for each in said.strikes if each.ticker == view.market.ticker), None
        )
        figures["model"] = "unknown" if probability is None else f"{probability:.1%}"
        for name, quote in (("bid", bid_of(view, Side.YES)), ("ask", ask_of(view, Side.YES))):
            figures[name] = "none" if quote is None else price_text(quote[0])
        return figures


def _level(price: Decimal) -> str:
    """Cents of a dear coin; of a cheap one all that is known, for cents would say nothing."""
    return f"{price:.2f}" if price >= CENTS_SAY_ENOUGH else f"{price:f}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """What one strategy said in a cycle."""

    strategy: Strategy
    decided: entry.EntryDecision
    outcome: OpenIntent | entry.Waits


def _named(each: _Said, said: Sequence[_Said]) -> str:
    outcome = each.outcome
    return _with_name(each, said, outcome.why if isinstance(outcome, OpenIntent) else outcome.sentence)


def _with_name(each: _Said, said: Sequence[_Said], sentence: str) -> str:
    """One strategy needs no name."""
    if len(said) == 1:
        return sentence
    shadow = " (shadow)" if each.strategy.stage is Stage.SHADOW else ""
    return f"{each.strategy.name}{shadow}: {sentence}"


def _label(each: _Said, said: Sequence[_Said]) -> dict[str, str]:
    return {} if len(said) == 1 else {"strategy": each.strategy.name}


def _evenness(view: MarketView, said: Assessments) -> float:
    probability = next((each.probability for each in said.strikes if each.ticker == view.market.ticker), None)
    return -1.0 if probability is None else -abs(probability - 0.5)


@dataclass(slots=True)
class Reported:
    """Keeps the log to one line per new reason, and a reminder now and then: reasons that take turns are told once each."""

    at: dict[str, float] = field(default_factory=dict[str, float])
    """When each gate was told last."""

    def waits(self, waits: entry.Waits, figures: dict[str, str]) -> None:
        now = anyio.current_time()
        if now - self.at.get(waits.gate, -math.inf) < REPORT_EVERY:
            return
        self.at[waits.gate] = now
        log.info("no entry", sentence=waits.sentence, **figures)
