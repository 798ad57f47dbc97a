"""trade_manager: the one writer of trades, orders, fills, settlements and the audit log.

It commits an order's row before the order leaves, turns every answer and fact into legal moves of those rows,
and publishes what they say. It holds what is unfinished in memory, changes that only by what it committed, and
compares it with the rows. It never speaks to the venue and never deletes a row.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeVar

import anyio
import asyncpg
import structlog

from recio import trade_log
from recio.bells import stand_aside
from recio.clock import Clock
from recio.db import bringing_in, held_rows, orders, settle_requests, trade_store
from recio.db.connection import Connection, single_statement, transaction
from recio.db.own_connection import OwnConnection, own_connection
from recio.errors import ExitCode, Fatal, Transient, said_of_a_fault
from recio.measurements import Measurements
from recio.messages.account import AccountView, FillSeen, OrderProvenAbsent, SettlementSeen, VenueFact
from recio.messages.controls import SettleRequest
from recio.messages.decisions import CloseIntent, OpenIntent
from recio.messages.markets import MarketBoard
from recio.messages.orders import OpenTrades, OrderOutcome, PlaceOrder
from recio.messages.past_account import PastFact
from recio.rules.account import risk
from recio.rules.account.held import Held, apply, differences, shown
from recio.rules.market.quotes import ask_on
from recio.settings.risk import RiskSection
from recio.supervisor import Say
from recio.test_hooks.crash_points import CrashPoint, reached
from recio.test_hooks.freeze_points import Task, cycle_of
from recio.units import Money, price_text, quantity_text
from recio.wires import Reads, Receives, Sends, Writes

log: structlog.stdlib.BoundLogger = structlog.get_logger()
T = TypeVar("T")

WORK_LIMIT = 15.0
"""Host seconds that one message may take; a database slower than that is a fault."""
IDLE_CYCLE = 2.0
"""Host seconds between two comparisons of what is held with the rows."""


@dataclass(slots=True, kw_only=True)
class _Memory:
    """What this run of the task holds; gone with it."""

    own: OwnConnection
    held: Held
    one_at_a_time: anyio.Lock = field(default_factory=anyio.Lock)
    behind_sales: anyio.Lock = field(default_factory=anyio.Lock)
    shown: OpenTrades | None = None

    @asynccontextmanager
    async def turn(self, *, of_sale: bool = False) -> AsyncGenerator[None]:
        """One at a time. A sale waits for one other at most, however many wait: with a slow database its decision would be too old."""
        async with nullcontext() if of_sale else self.behind_sales, self.one_at_a_time:
            yield


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeManager:
    pool: asyncpg.Pool[asyncpg.Record]
    clock: Clock
    limits: RiskSection
    writer: trade_store.Writer
    account: Reads[AccountView]
    board: Reads[MarketBoard]
    open_intents: Receives[OpenIntent]
    close_intents: Receives[CloseIntent]
    outcomes: Receives[OrderOutcome]
    venue_facts: Receives[VenueFact | PastFact]
    open_trades: Writes[OpenTrades]
    orders: Sends[PlaceOrder]
    budgets: Mapping[str, Money] = field(default_factory=dict[str, Money])
    """Of each strategy that has one."""
    measurements: Measurements = field(default_factory=Measurements)

    async def run(self, say: Say) -> None:
        async with own_connection(self.pool) as own:
            await own.prepare(held_rows.LOAD, trade_store.PLACE_ENTRY, trade_store.PLACE_EXIT)
            await bringing_in.begin(own, self.clock.utc())
            memory = _Memory(own=own, held=await held_rows.load(own, self.clock.utc()))
            self._publish(memory, say, "read its rows")
            reached(CrashPoint.ROWS_READ_AT_START)
            trade_log.tell_what_was_left(memory.held)
            reached(CrashPoint.LEFT_OVERS_TOLD)
            for intents in (self.close_intents, self.open_intents):
                intents.begin_anew()  # or exit would wait for ever for what died in the hands of the run before
            try:
                async with anyio.create_task_group() as group:
                    group.start_soon(self._serve, self.venue_facts, self._fact, memory, say)
                    group.start_soon(self._serve, self.outcomes, self._outcome, memory, say)
                    group.start_soon(self._serve_sales, memory, say)
                    group.start_soon(self._serve, self.open_intents, self._open, memory, say)
                    group.start_soon(self._compare_forever, memory, say)
                    group.start_soon(self._serve_people, memory, say)
            finally:
                try:
                    await self._mark_unanswered(memory)  # noqa: ASYNC102 - a transaction is shielded and each statement bounded
                except Transient as error:
                    # Why this run ends is worth more: the next one finds them pending and looks for them all the same.
                    log.warning("orders without an answer not marked", why=str(error))

    async def _serve(
        self,
        queue: Receives[T],
        handle: Callable[[T, _Memory], Awaitable[str]],
        memory: _Memory,
        say: Say,
    ) -> None:
        """Take one kind of message after another; what was begun is finished even while stopping."""
        while True:
            message = await queue.receive()
            try:
                with anyio.CancelScope(shield=True):
                    async with memory.turn():
                        self._publish(memory, say, await _within_limit(handle(message, memory)))
                        reached(CrashPoint.ROWS_PUBLISHED)
            finally:
                queue.done()

    async def _serve_sales(self, memory: _Memory, say: Say) -> None:
        """One sale after another in one turn, for as long as exit wants the next: with a slow database a turn of another
        between two of them takes longer than a decision may wait."""
        while True:
            sale: CloseIntent | None = await self.close_intents.receive()
            with anyio.CancelScope(shield=True):
                async with memory.turn(of_sale=True):
                    while sale is not None:
                        try:
                            self._publish(memory, say, await _within_limit(self._close(sale, memory)))
                            reached(CrashPoint.ROWS_PUBLISHED)
                        finally:
                            self.close_intents.done()
                        await stand_aside()  # exit decides on the next,
                        await stand_aside()  # or once more on one that was too old
                        sale = self.close_intents.receive_waiting()

    async def _compare_forever(self, memory: _Memory, say: Say) -> None:
        """Now and then, and whenever the account was compared with the venue."""
        version = self.account.version
        while True:
            with anyio.move_on_after(IDLE_CYCLE):
                version = await self.account.newer_than(version)
            async with memory.turn():
                await cycle_of(Task.TRADE_MANAGER)
                with anyio.CancelScope(shield=True):
                    await _within_limit(self._compare(memory))
                    self._publish(memory, say, "")

    async def _compare(self, memory: _Memory) -> str:
        """The rows are the truth: whoever holds something else must not go on. Raises Fatal."""
        now = self.clock.utc()
        rows = await held_rows.load(memory.own, now)
        if found := differences(memory.held, rows, now):
            raise Fatal(
                f"what is held in memory differs from its rows: {'; '.join(found)}:"
                " start recio again, it goes on from the rows; and look who else writes them",
                ExitCode.TEMPORARY,
            )
        memory.held = rows
        reached(CrashPoint.ROWS_COMPARED)
        return ""

    async def _serve_people(self, memory: _Memory, say: Say) -> None:
        """What a person wants settled. It is looked for without the lock: an exit never waits for a free connection."""
        while True:
            await anyio.sleep(IDLE_CYCLE)
            try:
                async with single_statement(self.pool) as reading:
                    waiting = await settle_requests.waiting(reading)
            except Transient as error:
                log.warning("requests not read", why=str(error))
                continue
            for asked in waiting:
                async with memory.turn():
                    with anyio.CancelScope(shield=True):
                        self._publish(memory, say, await _within_limit(self._settle_manually(asked, memory)))

    async def _settle_manually(self, asked: SettleRequest, memory: _Memory) -> str:
        """As the venue's own word would, because that cannot be read or does not come."""
        reached(CrashPoint.SETTLE_REQUEST_TAKEN)
        try:
            async with memory.own.transaction() as connection:
                changes, answer = await settle_requests.carry_out(connection, asked, self.clock.utc())
                reached(CrashPoint.SETTLE_REQUEST_BEFORE_COMMIT)
        except (Transient, Fatal):
            raise
        except Exception as fault:
            log.exception("request broke", request=asked.request_id, ticker=asked.ticker)
            async with memory.own.transaction() as connection:
                answer = await settle_requests.refuse(connection, asked, said_of_a_fault(fault))
            changes = trade_store.NOTHING
        reached(CrashPoint.SETTLE_REQUEST_COMMITTED)
        apply(memory.held, changes.written)
        log.warning(
            "settled by hand" if answer.accepted else "not settled by hand",
            ticker=asked.ticker,
            value=price_text(asked.value),
            by=asked.by,
            why=asked.why,
            sentence=answer.sentence,
        )
        trade_log.report(changes)
        return answer.sentence

    async def _open(self, intent: OpenIntent, memory: _Memory) -> str:
        reached(CrashPoint.ENTRY_INTENT_TAKEN)
        now = self.clock.utc()
        exposure = risk.Exposure(
            trades=shown(memory.held, now),
            account=self.account.get(),
            ask=ask_on(self.board.get(), intent.ticker, intent.side),
        )
        match risk.approve(intent, exposure, self.limits, now, self.budgets.get(intent.strategy)):
            case risk.Denied(limit=limit, reason=reason):
                log.warning("entry refused", ticker=intent.ticker, limit=limit, reason=reason)
                return f"refused an entry: {reason}"
            case risk.Approved() as approved:
                reached(CrashPoint.ENTRY_APPROVED)
                return await self._place_entry(approved, memory)

    async def _place_entry(self, approved: risk.Approved, memory: _Memory) -> str:
        placed = await trade_store.place_entry(
            memory.own, self.writer, approved, self.clock.utc(), self._deadline()
        )
        if isinstance(placed, trade_store.Refused):
            return trade_log.refused(placed, approved.intent)
        reached(CrashPoint.ENTRY_COMMITTED)
        return await self._send(placed, approved.intent.decided_at, memory)

    async def _close(self, intent: CloseIntent, memory: _Memory) -> str:
        reached(CrashPoint.EXIT_INTENT_TAKEN)
        now = self.clock.utc()
        if (late := risk.stale(intent.decided_at, self.limits, now)) is not None:
            trade = memory.held.trades.get(intent.trade_id)
            log.warning(
                "exit refused",
                trade=intent.trade_id,
                ticker=None if trade is None else trade.ticker,
                limit=late.limit,
                reason=late.reason,
            )
            return f"refused an exit: {late.reason}"
        reached(CrashPoint.EXIT_ASKED)
        placed = await trade_store.place_exit(memory.own, self.writer, intent, now, self._deadline())
        if placed is None:
            # Exit wants it because it is held as open, and wants it anew at once: the comparison would not get its turn.
            await self._compare(memory)
            return f"trade {intent.trade_id} has nothing to close"
        reached(CrashPoint.EXIT_COMMITTED)
        # From here on: a database that is slower than the delay must not keep every sale from leaving.
        command = replace(placed.command, send_before=self.clock.utc() + self._deadline())
        return await self._send(replace(placed, command=command), intent.decided_at, memory)

    async def _send(self, placed: trade_store.Placed, decided_at: datetime, memory: _Memory) -> str:
        """Its row is committed: hold it, and hand it to the executor."""
        apply(memory.held, placed.written)
        command = placed.command
        await self.orders.send(command)
        reached(CrashPoint.COMMAND_QUEUED)
        await stand_aside()
        waited = (self.clock.utc() - decided_at).total_seconds() / self.clock.speed
        self.measurements.ordered_after(waited)
        log.info(
            "order pending",
            order=command.client_order_id,
            ticker=command.ticker,
            book_side=command.book_side.value,
            quantity=quantity_text(command.quantity),
            yes_limit=price_text(command.price),
        )
        return f"intends {command.client_order_id}"

    async def _outcome(self, outcome: OrderOutcome, memory: _Memory) -> str:
        reached(CrashPoint.OUTCOME_TAKEN)
        async with memory.own.transaction() as connection:
            reached(CrashPoint.OUTCOME_BEGUN)
            changes = await trade_store.record_outcome(connection, outcome)
            reached(CrashPoint.OUTCOME_BEFORE_COMMIT)
        reached(CrashPoint.OUTCOME_COMMITTED)
        apply(memory.held, changes.written)
        trade_log.report(changes)
        return f"recorded what came of {outcome.client_order_id}"

    async def _fact(self, fact: VenueFact | PastFact, memory: _Memory) -> str:
        reached(CrashPoint.FACT_TAKEN)
        async with memory.own.transaction() as connection:
            reached(CrashPoint.FACT_BEGUN)
            changes = await self._recorded(connection, fact)
            if isinstance(fact, OrderProvenAbsent):
                reached(CrashPoint.ABSENCE_BEFORE_COMMIT)
            reached(CrashPoint.FACT_BEFORE_COMMIT)
        reached(CrashPoint.FACT_COMMITTED)
        apply(memory.held, changes.written)
        if isinstance(fact, FillSeen) and changes.is_new:
            reached(CrashPoint.FILL_COMMITTED)
            if changes.is_ours:
                self.measurements.filled()
            log.info(
                "fill",
                ticker=fact.ticker,
                book_side=fact.book_side.value,
                quantity=quantity_text(fact.quantity),
                yes_price=price_text(fact.price),
                ours=changes.is_ours,
            )
        if isinstance(fact, SettlementSeen) and changes.is_new:
            reached(CrashPoint.SETTLEMENT_COMMITTED)
            log.info("settlement", ticker=fact.ticker, result=fact.word, value=price_text(fact.yes_value))
        trade_log.report(changes)
        return ""

    async def _recorded(self, connection: Connection, fact: VenueFact | PastFact) -> trade_store.Changes:
        if isinstance(fact, PastFact):
            return await bringing_in.record(connection, self.writer, fact, self.clock.utc())
        return await trade_store.record_fact(connection, fact, self.clock.utc())

    def _deadline(self) -> timedelta:
        return timedelta(seconds=self.limits.max_send_delay_seconds)

    def _publish(self, memory: _Memory, say: Say, sentence: str) -> None:
        """Set the wire when what it shows is new, by a message or by time, and after each answer to an intent."""
        seen = shown(memory.held, self.clock.utc())
        if sentence or seen != memory.shown:
            self.open_trades.set(seen)
            memory.shown = seen
        say(sentence or f"live trades: {len(seen.trades)}; orders without a proven end: {len(seen.orders)}")

    async def _mark_unanswered(self, memory: _Memory) -> None:
        reached(CrashPoint.UNANSWERED_BEGUN)
        async with transaction(self.pool) as connection:
            for client_order_id in await orders.mark_unanswered(connection):
                held = memory.held.orders.get(client_order_id)
                log.warning(
                    "order unknown",
                    order=client_order_id,
                    ticker=None if held is None else held.ticker,
                    why="stopped before the venue answered",
                )
            reached(CrashPoint.UNANSWERED_BEFORE_COMMIT)
        reached(CrashPoint.UNANSWERED_COMMITTED)


async def _within_limit(work: Awaitable[str]) -> str:
    try:
        with anyio.fail_after(WORK_LIMIT):
            return await work
    except TimeoutError as error:
        raise Transient(f"the database did not answer within {WORK_LIMIT:g} s") from error
