"""executor: sends each order once and says what came of it; it never sends anything twice and never guesses.

An answer that does not come is OrderUnknown, also when the executor itself is stopped in mid-flight.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import anyio
import anyio.lowlevel
import structlog
from anyio.abc import TaskGroup

from recio.clock import Clock
from recio.kalshi.orders import place, prepare
from recio.kalshi.rest import KalshiRest
from recio.measurements import Measurements
from recio.messages.controls import OrderGroupReady, TradingControls
from recio.messages.orders import OrderAccepted, OrderOutcome, OrderRejected, OrderUnknown, PlaceOrder
from recio.supervisor import Say
from recio.test_hooks.crash_points import CrashPoint, reached
from recio.test_hooks.freeze_points import Task, cycle_of
from recio.units import quantity_text
from recio.wires import Reads, Receives, Sends

log: structlog.stdlib.BoundLogger = structlog.get_logger()

IDLE_CYCLE = 1.0
"""Host seconds after which an idle executor signs the next order anew and says that it still listens."""
TELL_LIMIT = 5.0
"""Host seconds to tell of an order that did not leave; without it the order stays unanswered until reconciliation."""
AGAIN = 0.002
"""Host seconds after an order until the next is made ready: by then its request has left, and no answer has come."""


@dataclass(slots=True)
class _Flight:
    """A task that has started and waits for the order that it is to send: an order need not wait for its start."""

    order: PlaceOrder | None = None
    called: anyio.Event = field(default_factory=anyio.Event)

    def leave_with(self, order: PlaceOrder) -> None:
        self.order = order
        self.called.set()

    async def fly(
        self, send: Callable[[PlaceOrder], Awaitable[None]], unsent: Callable[[PlaceOrder], Awaitable[None]]
    ) -> None:
        try:
            await self.called.wait()
        except anyio.get_cancelled_exc_class():
            if self.order is not None:
                with anyio.move_on_after(TELL_LIMIT, shield=True):
                    await unsent(self.order)
            raise
        if self.order is not None:
            await send(self.order)


@dataclass(frozen=True, slots=True, kw_only=True)
class Executor:
    rest: KalshiRest
    clock: Clock
    may_send: Callable[[], bool]
    """False once this process can no longer prove that it alone trades the account."""
    controls: Reads[TradingControls]
    order_group: Reads[OrderGroupReady]
    orders: Receives[PlaceOrder]
    outcomes: Sends[OrderOutcome]
    measurements: Measurements = field(default_factory=Measurements)

    async def run(self, say: Say) -> None:
        say("waits for an order")
        patience, spare = AGAIN, None
        async with anyio.create_task_group() as in_flight:
            while True:
                order: PlaceOrder | None = None
                with anyio.move_on_after(patience):
                    order = await self.orders.receive()
                await cycle_of(Task.EXECUTOR)
                if order is None:
                    spare = spare or self._ready_flight(in_flight)
                    patience = IDLE_CYCLE if prepare(self.rest) else AGAIN
                    say("waits for an order")
                    continue
                reached(CrashPoint.COMMAND_TAKEN)
                say(f"sends {order.client_order_id}")
                # Each order flies alone: an exit must never wait behind an entry without an answer.
                (spare or self._ready_flight(in_flight)).leave_with(order)
                patience, spare = AGAIN, None
                await anyio.lowlevel.checkpoint()  # it leaves before the next one is waited for

    def _ready_flight(self, group: TaskGroup) -> _Flight:
        flight = _Flight()
        group.start_soon(flight.fly, self._send, self._unsent)
        return flight

    async def _unsent(self, order: PlaceOrder) -> None:
        """The executor was stopped after it took the order and before the request was begun."""
        await self.outcomes.send(self._rejected(order, "stopped before it left"))

    async def _send(self, order: PlaceOrder) -> None:
        outcome: OrderOutcome = OrderUnknown(
            client_order_id=order.client_order_id,
            why="stopped before the venue answered",
            at=self.clock.utc(),
        )
        try:
            # Once more when the rate limit has let it through: a halt may have come while it waited.
            outcome = self._too_late(order) or await place(
                self.rest, order, self._group(order), lambda: self._why_not(order)
            )
            reached(CrashPoint.OUTCOME_MADE)
        finally:
            with anyio.CancelScope(shield=True):
                _report(outcome, order)
                self.measurements.order_came_to(outcome)
                await self.outcomes.send(outcome)
                reached(CrashPoint.OUTCOME_QUEUED)

    def _group(self, order: PlaceOrder) -> str | None:
        """Entries ride in the group that a halt stops at the venue; exits never do."""
        group = self.order_group.get()
        if order.reduce_only or group is None or group.exchange_index != order.exchange_index:
            return None
        return group.group_id

    def _too_late(self, order: PlaceOrder) -> OrderRejected | None:
        reason = self._why_not(order)
        return self._rejected(order, reason) if reason else None

    def _why_not(self, order: PlaceOrder) -> str:
        """Why this order may not leave at this moment; empty if it may."""
        now = self.clock.utc()
        if not self.may_send():
            return "another daemon may hold this account"
        if (halted := self._halted(order)) is not None:
            return f"halted: {halted}"
        if now > order.send_before:
            return f"{(now - order.send_before).total_seconds():.1f} s past its deadline"
        return ""

    def _rejected(self, order: PlaceOrder, reason: str) -> OrderRejected:
        return OrderRejected(
            client_order_id=order.client_order_id, code="not_sent", text=reason, at=self.clock.utc()
        )

    def _halted(self, order: PlaceOrder) -> str | None:
        """Why this order may not leave; an exit always may. Halts not read yet stop entries too."""
        if order.reduce_only:
            return None
        seen = self.controls.get()
        if seen is None:
            return "the halts have not been read yet"
        if seen.vouched_until is not None and self.clock.utc() > seen.vouched_until:
            return "the failure detector has not looked lately"
        return seen.halts[0].cause if seen.halts else None


def _report(outcome: OrderOutcome, order: PlaceOrder) -> None:
    match outcome:
        case OrderAccepted():
            log.info(
                "order accepted",
                order=outcome.client_order_id,
                ticker=order.ticker,
                filled=quantity_text(outcome.filled),
                rests=quantity_text(outcome.remaining),
            )
        case OrderRejected():
            log.warning(
                "order rejected",
                order=outcome.client_order_id,
                ticker=order.ticker,
                code=outcome.code,
                text=outcome.text,
            )
        case OrderUnknown():
            log.warning("order unknown", order=outcome.client_order_id, ticker=order.ticker, why=outcome.why)
