"""What ends the daemon and how it ends in order: orders are answered, answers recorded; it never cancels a request.

It reads wires and rows and writes neither.
"""

from __future__ import annotations

import anyio
import asyncpg
import structlog

from recio.db import halts
from recio.db.connection import Connection
from recio.db.pool import AccountLock, is_same_server
from recio.errors import BadConfig, DatabaseAway, ExitCode, Fatal
from recio.messages.controls import HaltLevel
from recio.rules.account.lifecycle import LEFT_TO_NEXT_RUN
from recio.wires import Wires

log: structlog.stdlib.BoundLogger = structlog.get_logger()

ANSWER_GRACE = 12.0
"""Host seconds that orders in flight get to be answered when the daemon stops."""
RECORD_GRACE = 3.0
STOP_ROUND = 15.0
"""Host seconds to ask the venue whether something rests: a pause after one attempt that failed, and a whole one."""
LONGEST_ANSWER = 15.0
"""Host seconds that are waited for one answer, whatever the settings allow: whoever typed the stop watches for a minute."""


async def end_without_lock(lock: AccountLock, pool: asyncpg.Pool[asyncpg.Record]) -> None:
    """Without the proof of being alone nothing is sent any more, and start-up is the way to regain it.

    Raises DatabaseAway where the whole server is gone, Fatal where the lock alone is: then somebody took it away.
    """
    await lock.lost.wait()
    if not await is_same_server(pool, lock):
        raise DatabaseAway("the server that held the account lock is gone")
    raise Fatal(
        "the connection that holds the account lock was lost: the daemon ends and must be started anew",
        ExitCode.TEMPORARY,
    )


def stop_grace(request_timeout: float) -> float:
    """Host seconds that a stop waits for its proof: one answer that never comes must not end it without. Exits go on meanwhile."""
    return min(request_timeout, LONGEST_ANSWER) + STOP_ROUND


async def end_when_stopped(wires: Wires, request_timeout: float, stop: anyio.Event) -> None:
    """A stop ends the daemon once the venue shows that nothing rests, or without that proof when its grace is over."""
    version, halt = 0, None
    while halt is None:
        version = await wires.controls.newer_than(version)
        seen = wires.controls.get()
        halt = next((each for each in (seen.halts if seen else ()) if each.level is HaltLevel.STOP), None)
    with anyio.move_on_after(stop_grace(request_timeout)) as grace:
        version = 0
        while not _is_verified(wires, halt.cause):
            version = await wires.halt_verifications.newer_than(version)
    log.warning("stopped", cause=halt.cause, by=halt.by, verified=not grace.cancelled_caught)
    stop.set()


def _is_verified(wires: Wires, cause: str) -> bool:
    seen, checks = wires.controls.get(), wires.halt_verifications.get() or ()
    rows = {each.halt_id for each in (seen.halts if seen else ()) if each.cause == cause}
    return any(check.halt_id in rows for check in checks)


async def refuse_stopped(connection: Connection) -> None:
    """A stop outlives the daemon: what starts it anew, a reboot or systemd, is not who stopped it."""
    for halt in await halts.active(connection):
        if halt.level is HaltLevel.STOP:
            raise BadConfig(
                f"recio was stopped by {halt.by} at {halt.since:%Y-%m-%d %H:%M:%S} UTC ({halt.cause}):"
                f" to let it start again: {halt.resolution}"
            )


async def let_orders_be_answered(wires: Wires) -> None:
    """Give orders in flight their answer and their fills; an order that gets none is recorded as unknown.

    An intent that was taken up before the stop may become a row after it, so the intents come first.
    """
    with anyio.move_on_after(ANSWER_GRACE):
        while wires.open_intents.unfinished or wires.close_intents.unfinished:  # noqa: ASYNC110 - no event of that
            await anyio.sleep(0.02)
        version = 0
        while wires.orders.depth or _unsettled(wires):
            version = await wires.open_trades.newer_than(version)


def _unsettled(wires: Wires) -> bool:
    """Whether an order is on its way or its fills are; an unknown one is left to the next start."""
    trades = wires.open_trades.get()
    return any(order.state not in LEFT_TO_NEXT_RUN for order in (trades.orders if trades else ()))


async def let_answers_be_recorded(wires: Wires) -> None:
    with anyio.move_on_after(RECORD_GRACE):
        while wires.outcomes.depth:  # noqa: ASYNC110 - a queue has no event for being empty
            await anyio.sleep(0.02)
