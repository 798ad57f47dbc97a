"""trade_manager: the one writer of trades, orders, fills, settlements and the audit log.

It commits an order's row before the order leaves, turns every answer and fact into legal moves of
those rows, and publishes what they say. It never speaks to the venue and never deletes a row.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

import anyio
import asyncpg
import structlog

from recio.clock import Clock
from recio.db import halts, orders, switches, trade_store
from recio.db.connection import transaction
from recio.errors import Transient
from recio.messages.account import AccountView, FillSeen, OrderProvenAbsent, SettlementSeen, VenueFact
from recio.messages.controls import Switch
from recio.messages.decisions import CloseIntent, OpenIntent
from recio.messages.markets import MarketBoard
from recio.messages.orders import OpenTrades, OrderOutcome, PlaceOrder
from recio.rules.account import risk
from recio.rules.market.quotes import ask_on
from recio.settings.risk import RiskSection
from recio.supervisor import Say
from recio.test_hooks.crash_points import CrashPoint, reached
from recio.test_hooks.freeze_points import Task, cycle_of
from recio.units import Money, money_decimal, price_text, quantity_text
from recio.wires import Reads, Receives, Sends, Writes

log: structlog.stdlib.BoundLogger = structlog.get_logger()
T = TypeVar("T")

WORK_LIMIT = 15.0
"""Host seconds that one message may take; a database slower than that is a fault."""
IDLE_CYCLE = 2.0


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
    venue_facts: Receives[VenueFact]
    open_trades: Writes[OpenTrades]
    orders: Sends[PlaceOrder]
    budgets: Mapping[str, Money] = field(default_factory=dict[str, Money])
    """Of each strategy that has one."""

    async def run(self, say: Say) -> None:
        one_at_a_time = anyio.Lock()
        await self._publish(say, "read its rows")
        reached(CrashPoint.ROWS_READ_AT_START)
        await self._tell_what_was_left()
        reached(CrashPoint.LEFT_OVERS_TOLD)
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._serve, self.venue_facts, self._fact, one_at_a_time, say)
                group.start_soon(self._serve, self.outcomes, self._outcome, one_at_a_time, say)
                group.start_soon(self._serve, self.close_intents, self._close, one_at_a_time, say)
                group.start_soon(self._serve, self.open_intents, self._open, one_at_a_time, say)
                group.start_soon(self._refresh, one_at_a_time, say)
        finally:
            with anyio.move_on_after(5, shield=True):
                await self._mark_unanswered()

    async def _serve(
        self,
        queue: Receives[T],
        handle: Callable[[T], Awaitable[str]],
        one_at_a_time: anyio.Lock,
        say: Say,
    ) -> None:
        """Take one kind of message after another; what was begun is finished even while stopping."""
        while True:
            message = await queue.receive()
            try:
                with anyio.CancelScope(shield=True):
                    async with one_at_a_time:
                        await self._publish(say, await _within_limit(handle(message)))
                        reached(CrashPoint.ROWS_PUBLISHED)
            finally:
                queue.done()

    async def _refresh(self, one_at_a_time: anyio.Lock, say: Say) -> None:
        """Days end and cool-downs pass without a message: read the rows again now and then."""
        while True:
            await anyio.sleep(IDLE_CYCLE)
            async with one_at_a_time:
                await cycle_of(Task.TRADE_MANAGER)
                with anyio.CancelScope(shield=True):
                    await self._publish(say, "")

    async def _open(self, intent: OpenIntent) -> str:
        reached(CrashPoint.ENTRY_INTENT_TAKEN)
        now = self.clock.utc()
        async with transaction(self.pool) as connection:
            # The rows and not the wire: a halt that was committed before this intent stops it, whoever lags.
            halted = await halts.active(connection)
            off = [each for each in await switches.off(connection) if each.switch is Switch.ENTRY]
            before = await trade_store.open_trades(connection, now)
        if off:
            log.warning("entry refused", ticker=intent.ticker, limit="switch", reason=f"by {off[0].by}")
            return f"refused an entry: entry was switched off by {off[0].by}"
        if halted:
            log.warning("entry refused", ticker=intent.ticker, limit="halt", reason=halted[0].cause)
            return f"refused an entry: halted: {halted[0].cause}"
        exposure = risk.Exposure(
            trades=before,
            account=self.account.get(),
            ask=ask_on(self.board.get(), intent.ticker, intent.side),
        )
        match risk.approve(intent, exposure, self.limits, now, self.budgets.get(intent.strategy)):
            case risk.Denied(limit=limit, reason=reason):
                log.warning("entry refused", ticker=intent.ticker, limit=limit, reason=reason)
                return f"refused an entry: {reason}"
            case risk.Approved() as approved:
                reached(CrashPoint.ENTRY_APPROVED)
                return await self._commit_entry(approved)

    async def _commit_entry(self, approved: risk.Approved) -> str:
        now = self.clock.utc()
        try:
            async with transaction(self.pool) as connection:
                reached(CrashPoint.ENTRY_BEGUN)
                command = await trade_store.record_entry(
                    connection, self.writer, approved, now, self._deadline()
                )
                reached(CrashPoint.ENTRY_BEFORE_COMMIT)
        except asyncpg.IntegrityConstraintViolationError as violation:
            # The second lock held where the first did not: loud, because the first should have.
            log.error("entry refused by the database", ticker=approved.intent.ticker, why=str(violation))
            return "refused an entry: the database forbids it"
        reached(CrashPoint.ENTRY_COMMITTED)
        await self._send(command)
        return f"intends {command.client_order_id}"

    async def _close(self, intent: CloseIntent) -> str:
        reached(CrashPoint.EXIT_INTENT_TAKEN)
        now = self.clock.utc()
        async with transaction(self.pool) as connection:
            reached(CrashPoint.EXIT_BEGUN)
            command = await trade_store.record_exit(connection, self.writer, intent, now, self._deadline())
            reached(CrashPoint.EXIT_BEFORE_COMMIT)
        reached(CrashPoint.EXIT_COMMITTED)
        if command is None:
            return f"trade {intent.trade_id} has nothing to close"
        await self._send(command)
        return f"intends {command.client_order_id}"

    async def _send(self, command: PlaceOrder) -> None:
        log.info(
            "order pending",
            order=command.client_order_id,
            side=command.book_side.value,
            quantity=quantity_text(command.quantity),
            limit=price_text(command.price),
        )
        await self.orders.send(command)
        reached(CrashPoint.COMMAND_QUEUED)

    async def _outcome(self, outcome: OrderOutcome) -> str:
        reached(CrashPoint.OUTCOME_TAKEN)
        async with transaction(self.pool) as connection:
            reached(CrashPoint.OUTCOME_BEGUN)
            changes = await trade_store.record_outcome(connection, outcome)
            reached(CrashPoint.OUTCOME_BEFORE_COMMIT)
        reached(CrashPoint.OUTCOME_COMMITTED)
        _report(changes)
        return f"recorded what came of {outcome.client_order_id}"

    async def _fact(self, fact: VenueFact) -> str:
        reached(CrashPoint.FACT_TAKEN)
        async with transaction(self.pool) as connection:
            reached(CrashPoint.FACT_BEGUN)
            changes = await trade_store.record_fact(connection, fact, self.clock.utc())
            if isinstance(fact, OrderProvenAbsent):
                reached(CrashPoint.ABSENCE_BEFORE_COMMIT)
            reached(CrashPoint.FACT_BEFORE_COMMIT)
        reached(CrashPoint.FACT_COMMITTED)
        if isinstance(fact, FillSeen) and changes.is_new:
            reached(CrashPoint.FILL_COMMITTED)
            log.info(
                "fill",
                ticker=fact.ticker,
                side=fact.book_side.value,
                quantity=quantity_text(fact.quantity),
                price=price_text(fact.price),
                ours=changes.is_ours,
            )
        if isinstance(fact, SettlementSeen) and changes.is_new:
            reached(CrashPoint.SETTLEMENT_COMMITTED)
            log.info("settlement", ticker=fact.ticker, result=fact.result.value)
        _report(changes)
        return ""

    def _deadline(self) -> timedelta:
        return timedelta(seconds=self.limits.max_send_delay_seconds)

    async def _publish(self, say: Say, sentence: str) -> None:
        async with transaction(self.pool) as connection:
            seen = await trade_store.open_trades(connection, self.clock.utc())
        self.open_trades.set(seen)
        say(sentence or f"{len(seen.trades)} live trades, {len(seen.orders)} orders without a proven end")

    async def _tell_what_was_left(self) -> None:
        """After a restart: what an earlier run left open, and what of it has no proven end."""
        async with transaction(self.pool) as connection:
            left = await trade_store.open_trades(connection, self.clock.utc())
        if left.trades or left.orders:
            log.info(
                "found open",
                trades=[trade.trade_id for trade in left.trades],
                unproven=[order.client_order_id for order in left.orders],
            )

    async def _mark_unanswered(self) -> None:
        reached(CrashPoint.UNANSWERED_BEGUN)
        async with transaction(self.pool) as connection:
            for client_order_id in await orders.mark_unanswered(connection):
                log.warning("order unknown", order=client_order_id, why="stopped before the venue answered")
            reached(CrashPoint.UNANSWERED_BEFORE_COMMIT)
        reached(CrashPoint.UNANSWERED_COMMITTED)


async def _within_limit(work: Awaitable[str]) -> str:
    try:
        with anyio.fail_after(WORK_LIMIT):
            return await work
    except TimeoutError as error:
        raise Transient(f"the database did not answer within {WORK_LIMIT:g} s") from error


def _report(changes: trade_store.Changes) -> None:
    if changes.order_note:
        log.info("order ended", order=changes.client_order_id, sentence=changes.order_note)
    for trade in changes.ended:
        log.info(
            "trade ended",
            trade=trade.trade_id,
            ticker=trade.ticker,
            side=trade.side.value,
            by=trade.ended_by,
            quantity=quantity_text(trade.entry_quantity),
            pnl=f"{money_decimal(trade.pnl):+.4f}",
        )
    for trade in changes.opened:
        log.info(
            "trade open",
            trade=trade.trade_id,
            ticker=trade.ticker,
            side=trade.side.value,
            quantity=quantity_text(trade.held),
            cost=f"{money_decimal(trade.entry_cost):.4f}",
            fees=f"{money_decimal(trade.fees):.4f}",
        )
