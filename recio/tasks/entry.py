"""entry: asks the entry rule at each change of price or book, and hands its wish to trade_manager.

It decides nothing itself, sends nothing, and writes no table but the why-not ledger, aside from its turns.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

import anyio
import asyncpg
import structlog

from recio.clock import Clock
from recio.crash_points import CrashPoint, reached
from recio.db import why_not
from recio.db.connection import transaction
from recio.errors import Transient
from recio.freeze_points import Task, turn_of
from recio.messages import (
    AccountView,
    Assessments,
    MarketBoard,
    MarketView,
    OpenIntent,
    OpenTrades,
    Prices,
    Restraints,
)
from recio.rules import entry, turns
from recio.rules.model import Model
from recio.rules.strikes import ask_of, bid_of
from recio.rules.turns import EntryTurn
from recio.rules.why_not import NO_EVENT, WhyNot
from recio.sections import EntrySection, RiskSection
from recio.supervisor import Say
from recio.units import EventTicker, Side, price_text
from recio.wires import Notes, Reads, Sends, Writes

log: structlog.stdlib.BoundLogger = structlog.get_logger()

SHORTEST_TURN = 0.05
"""Host seconds between two turns where market time runs fast: a ladder's turn takes some milliseconds."""
LONGEST_TURN = 1.0
"""Host seconds after which a turn is taken even if nothing changed, so that staleness is noticed."""
KEEP_EVERY = 10.0
"""Host seconds between two writings of the why-not ledger."""
KEEP_DAYS = 30
REPORT_EVERY = 15.0
"""Host seconds between two log lines while the gate that says no stays the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    clock: Clock
    settings: EntrySection
    model: Model
    limits: RiskSection
    prices: Reads[Prices]
    board: Reads[MarketBoard]
    account: Reads[AccountView]
    open_trades: Reads[OpenTrades]
    restraints: Reads[Restraints]
    assessments: Writes[Assessments]
    open_intents: Sends[OpenIntent]
    entry_turns: Notes[EntryTurn]
    pool: asyncpg.Pool[asyncpg.Record]
    why_not: WhyNot = field(default_factory=WhyNot)
    """Outlives a restart of the task: what could not be kept yet counts on."""

    async def run(self, say: Say) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(self._keep_why_not)
            await self._decide_forever(say)

    async def _decide_forever(self, say: Say) -> None:
        reported = _Reported()
        board_version = 0
        while True:
            with anyio.move_on_after(LONGEST_TURN):
                board_version = await self.board.newer_than(board_version)
            await turn_of(Task.ENTRY)
            now = self.clock.utc()
            decided, turn = turns.of_entry(self._seen(), self.settings, self.limits, now, self.model)
            outcome = turn.outcome
            self.entry_turns.put(turn)
            self._count(decided, outcome, now)
            self.assessments.set(replace(decided.assessments, why_not=self.why_not.of(self._events())))
            if isinstance(outcome, entry.Waits):
                say(outcome.sentence)
                reported.waits(outcome, self._figures(decided.assessments))
            else:
                await self._wish(outcome, say)
                reported.gate = ""
            # One turn per interval is enough: the newest board and price are read at its end.
            await anyio.sleep(max(SHORTEST_TURN, entry.TURN_SECONDS / self.clock.speed))

    def _count(self, decided: entry.Decided, outcome: OpenIntent | entry.Waits, now: datetime) -> None:
        for event, waits in decided.refusals:
            self.why_not.note(event, waits.gate, waits.sentence, now)
        if isinstance(outcome, entry.Waits):
            if isinstance(decided.outcome, OpenIntent):
                self.why_not.note(decided.outcome.event_ticker, outcome.gate, outcome.sentence, now)
            elif not decided.refusals:
                self.why_not.note(NO_EVENT, outcome.gate, outcome.sentence, now)

    def _events(self) -> set[EventTicker]:
        board = self.board.get()
        return {view.market.event_ticker for view in (board.markets if board else ())}

    async def _keep_why_not(self) -> None:
        """Off the path of a decision: a database that is away keeps nothing for a while and stops nobody."""
        while True:
            await anyio.sleep(KEEP_EVERY)
            taken = self.why_not.take_unkept()
            try:
                async with transaction(self.pool) as connection:
                    await why_not.add(connection, entry.STRATEGY, taken)
                    await why_not.expire(connection, KEEP_DAYS)
            except Transient:
                self.why_not.give_back(taken)

    async def _wish(self, intent: OpenIntent, say: Say) -> None:
        say(f"wants {intent.side} on {intent.ticker}: {intent.why}")
        log.info("entry wanted", ticker=intent.ticker, side=intent.side.value, why=intent.why)
        before = self.open_trades.version
        reached(CrashPoint.ENTRY_DECIDED)
        await self.open_intents.send(intent)
        reached(CrashPoint.ENTRY_WISH_SENT)
        # Whatever comes of it, rows change or the intent is refused: never wish twice on one view.
        with anyio.move_on_after(LONGEST_TURN):
            await self.open_trades.newer_than(before)

    def _seen(self) -> entry.Seen:
        return entry.Seen(
            board=self.board.get(),
            prices=self.prices.get(),
            trades=self.open_trades.get(),
            account=self.account.get(),
            restraints=self.restraints.get(),
        )

    def _figures(self, said: Assessments) -> dict[str, str]:
        """Of the market nearest to even odds: price, strike, model probability and quotes, for the log."""
        prices, board = self.prices.get(), self.board.get()
        if board is None or not board.markets:
            return {}
        view = max(board.markets, key=lambda each: _evenness(each, said))
        price = None if prices is None else prices.by_symbol.get(view.market.symbol)
        figures = {"price": "unknown" if price is None else f"{price.tick.price:.2f}"}
        figures["strike"] = str(view.market.floor_strike or view.market.cap_strike or "unknown")
        chance = next((each.probability for each in said.strikes if each.ticker == view.market.ticker), None)
        figures["model"] = "unknown" if chance is None else f"{chance:.1%}"
        for name, quote in (("bid", bid_of(view, Side.YES)), ("ask", ask_of(view, Side.YES))):
            figures[name] = "none" if quote is None else price_text(quote[0])
        return figures


def _evenness(view: MarketView, said: Assessments) -> float:
    chance = next((each.probability for each in said.strikes if each.ticker == view.market.ticker), None)
    return -1.0 if chance is None else -abs(chance - 0.5)


@dataclass(slots=True)
class _Reported:
    """Keeps the log to one line per change of reason, and a reminder now and then."""

    gate: str = ""
    at: float = 0.0

    def waits(self, waits: entry.Waits, figures: dict[str, str]) -> None:
        now = anyio.current_time()
        if waits.gate == self.gate and now - self.at < REPORT_EVERY:
            return
        self.gate, self.at = waits.gate, now
        log.info("no entry", sentence=waits.sentence, **figures)
