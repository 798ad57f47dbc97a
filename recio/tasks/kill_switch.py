"""kill_switch: carries each halt to the venue: stops the order group of entries, cancels what rests of ours, verifies it.

It never places an order, never cancels one that is not ours, and never sets or clears a halt. While the venue does not
answer, nothing counts as verified and it asks again.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import anyio
import asyncpg
import structlog

from recio.clock import Clock
from recio.db import kill_switch
from recio.db.connection import transaction
from recio.kalshi import account, order_groups
from recio.kalshi.answers import NoAnswer, Round, answer_of
from recio.kalshi.error_codes import is_gone
from recio.kalshi.order_changes import Cancelled, cancel
from recio.kalshi.responses import VenueRefused
from recio.kalshi.rest import KalshiRest
from recio.messages.controls import Halt, HaltLevel, HaltVerification, OrderGroupReady, TradingControls
from recio.messages.markets import MarketBoard
from recio.messages.orders import OpenTrades
from recio.rules.account.lifecycle import UNCONFIRMED
from recio.rules.account.limits import lowered
from recio.rules.account.reconcile import is_ours
from recio.settings.risk import RiskSection
from recio.supervisor import Say
from recio.test_hooks.freeze_points import Task, cycle_of
from recio.texts import counted
from recio.units import Quantity
from recio.wires import Reads, Writes

log: structlog.stdlib.BoundLogger = structlog.get_logger()

CYCLE = 1.0
LONGEST_WAIT = 4.0
"""Host seconds between two attempts while the venue does not answer: somebody waits for the halt to be verified."""
LOOK_AGAIN = 0.2
"""Host seconds between two listings while something of ours rests or is on its way."""
GROUP_LOOK = 15.0
"""Host seconds between two looks whether the venue still knows the order group."""


@dataclass(slots=True)
class _Memory:
    group: OrderGroupReady | None = None
    triggered: bool | None = None
    """None while it is not known how the venue has it."""
    limited: tuple[str, Quantity] | None = None
    """The group whose limit the venue has taken, and that limit."""
    asked: Quantity | None = None
    """The limit that the venue was last asked for, taken or not."""
    looked_at: float = 0.0
    refused: str = ""
    """The refusal of the group that was told last; empty while there is none."""
    checks: dict[int, HaltVerification] = field(default_factory=dict[int, HaltVerification])
    halts: tuple[Halt, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class KillSwitch:
    pool: asyncpg.Pool[asyncpg.Record]
    rest: KalshiRest
    clock: Clock
    limits: RiskSection
    tag: str
    board: Reads[MarketBoard]
    open_trades: Reads[OpenTrades]
    controls: Reads[TradingControls]
    halt_verifications: Writes[tuple[HaltVerification, ...]]
    order_group: Writes[OrderGroupReady]

    async def run(self, say: Say) -> None:
        memory, version, asked = _Memory(), 0, Round("halts at the venue")
        await self._publish(memory)
        while True:
            await cycle_of(Task.KILL_SWITCH)
            try:
                say(await self._cycle(memory, say))
            except NoAnswer as error:
                asked.faults.append(str(error))
                say(f"asks again: {error}")
            with anyio.move_on_after(min(asked.wait, LONGEST_WAIT) if asked.end() else CYCLE):
                version = await self.controls.newer_than(version)

    async def _cycle(self, memory: _Memory, say: Say) -> str:
        seen = self.controls.get()
        if seen is None:
            return "waits for the halts to be read"
        halts = tuple(each for each in seen.halts if each.halt_id)
        if halts != memory.halts:
            memory.halts = halts
            await self._publish(memory)
        for halt in halts:
            if halt.halt_id not in memory.checks:
                await self._carry_out(halt, memory, say)
        if any(halt.level is HaltLevel.FLATTEN for halt in halts):
            await self._note_flat(halts, memory)
        await self._keep_group(memory, halted=bool(seen.halts))
        return (
            f"{counted(len(halts), 'halt', 'halts')}, nothing of ours rests" if halts else "nothing is halted"
        )

    async def _carry_out(self, halt: Halt, memory: _Memory, say: Say) -> None:
        began = self._venue_time()
        # The group is the venue's own stop beside ours: the cycle asks for it again, and what rests is cancelled without it.
        with suppress(NoAnswer):
            await self._keep_group(memory, halted=True)
        cancelled, rests = set[str](), True
        while rests:
            say(f"stops at the venue: {halt.cause}")
            as_of = await answer_of(account.as_of(self.rest))
            listed = [each for each in await answer_of(account.resting(self.rest)) if self._is_ours(each)]
            for order in listed:
                if isinstance(await answer_of(cancel(self.rest, order.resting)), Cancelled):
                    cancelled.add(order.resting.venue_order_id)
            rests = bool(listed) or as_of < began or self._unresolved()
            if rests:
                await anyio.sleep(LOOK_AGAIN)
        async with transaction(self.pool) as connection:
            await kill_switch.verified(connection, halt.halt_id, len(cancelled))
        await self._publish(memory)
        check = memory.checks.get(halt.halt_id)
        if check is None:
            log.info("halt cleared before it was verified", cause=halt.cause)
            return
        log.info(
            "halt verified at the venue",
            cause=halt.cause,
            cancelled=check.cancelled,
            after_seconds=_rounded(check.verified_after),
        )

    async def _note_flat(self, halts: tuple[Halt, ...], memory: _Memory) -> None:
        trades = self.open_trades.get()
        if trades is None or trades.orders or any(trade.held > 0 for trade in trades.trades):
            return
        for halt in halts:
            check = memory.checks.get(halt.halt_id)
            if halt.level is not HaltLevel.FLATTEN or check is None or check.flat_after is not None:
                continue
            async with transaction(self.pool) as connection:
                await kill_switch.flat(connection, halt.halt_id)
            await self._publish(memory)
            if (noted := memory.checks.get(halt.halt_id)) is not None:  # else it was cleared meanwhile
                log.info("flat", cause=halt.cause, after_seconds=_rounded(noted.flat_after))

    async def _keep_group(self, memory: _Memory, *, halted: bool) -> None:
        """The venue's own stop follows ours; without a group entries go without, and the halt holds all the same."""
        board = self.board.get()
        if board is None or not board.markets:
            return
        shard, limit = board.markets[0].market.exchange_index, self._limit()
        try:
            group = memory.group or await self._find_or_make(shard, memory)
            if memory.triggered is not halted:
                move = order_groups.trigger_group if halted else order_groups.reset_group
                await answer_of(move(self.rest, group.group_id, group.exchange_index), or_refusal=True)
            elif anyio.current_time() - memory.looked_at > GROUP_LOOK:
                await answer_of(order_groups.group(self.rest, group.group_id), or_refusal=True)
            elif memory.asked == limit:
                return
        except VenueRefused as refused:
            if memory.refused != str(refused):
                log.warning("order group refused", why=str(refused))
            memory.refused = str(refused)
            if is_gone(refused.status, refused.code):
                await self._forget_group(memory, shard)
            # Anything else, a pause above all, says nothing of the group: another one would be left behind each time.
            return
        memory.refused, memory.looked_at = "", anyio.current_time()
        memory.triggered = halted
        if memory.group is None:
            memory.group = group
            self.order_group.set(group)
        if memory.limited != (group.group_id, limit):
            await self._follow_limits(group, limit, memory)

    def _limit(self) -> Quantity:
        """Of the group, by the limits of the start less what a person lowered since."""
        controls = self.controls.get()
        return contracts_at_once(self.limits if controls is None else lowered(self.limits, controls.lowered))

    async def _follow_limits(self, group: OrderGroupReady, limit: Quantity, memory: _Memory) -> None:
        """A group was made under the limits of then; a refusal is asked again at the next look."""
        memory.asked = limit
        limited = order_groups.limit_group(self.rest, group.group_id, group.exchange_index, limit=limit)
        try:
            await answer_of(limited, or_refusal=True)
        except VenueRefused as refused:
            log.warning("limit of the order group refused", why=str(refused))
            return
        memory.limited = (group.group_id, limit)

    async def _find_or_make(self, shard: int | None, memory: _Memory) -> OrderGroupReady:
        async with transaction(self.pool) as connection:
            known = await kill_switch.order_group(connection, shard)
        if known is None:
            limit = self._limit()
            known = await answer_of(
                order_groups.create_group(self.rest, limit=limit, exchange_index=shard),
                or_refusal=True,
            )
            async with transaction(self.pool) as connection:
                await kill_switch.add_order_group(connection, known, shard)
            memory.limited, memory.asked = (known, limit), limit
        return OrderGroupReady(group_id=known, exchange_index=shard)

    async def _forget_group(self, memory: _Memory, shard: int | None) -> None:
        """The next cycle makes another; until then entries name the old one and are refused, which is safe."""
        async with transaction(self.pool) as connection:
            gone = await kill_switch.order_group(connection, shard)
            if gone is not None:
                await kill_switch.order_group_gone(connection, gone)
        memory.group, memory.triggered = None, None

    async def _publish(self, memory: _Memory) -> None:
        async with transaction(self.pool) as connection:
            checks = await kill_switch.checks(connection)
        memory.checks = {each.halt_id: each for each in checks}
        self.halt_verifications.set(checks)

    def _venue_time(self) -> datetime:
        board = self.board.get()
        offset = board.clock_offset if board is not None else None
        return self.clock.utc() + timedelta(seconds=offset or 0.0)

    def _unresolved(self) -> bool:
        trades = self.open_trades.get()
        return trades is None or any(order.state in UNCONFIRMED for order in trades.orders)

    def _is_ours(self, order: account.RestingOrder) -> bool:
        return is_ours(order.client_order_id, self.tag, self.open_trades.get())


def contracts_at_once(limits: RiskSection) -> Quantity:
    """A hundredth above what our own limits let match within the venue's fifteen seconds: more is no trading of ours.

    A minute's orders may all fall into fifteen seconds: what is sold makes room at once. The venue says that a group
    stops when its limit is hit, so at the very sum our own full trading would stop itself.
    """
    return Quantity(limits.max_contracts_per_order * limits.max_orders_per_minute + 1)


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 2)
