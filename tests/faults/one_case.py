"""Tries one case: arm, start, let it die at its point, start again, wait for the proof, compare the books."""

from __future__ import annotations

import signal
import time
import urllib.error
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import anyio

from recio.db import settle_requests
from recio.rules.account.lifecycle import UNPROVEN
from recio.test_hooks.crash_points import CrashPoint
from recio.units import Price, Ticker
from tests.faults.arena import BOUNDS, Arena, DidNotHappen, until, until_true
from tests.faults.cases import DATABASE_CUT, NOTHING, Case, Doing, Trouble, When
from tests.faults.invariants import broken, endings, evidence

REACHED_WITHIN = 25.0
"""Host seconds for a point to be reached; a case that needs longer did not happen."""
RESUMES_WITHIN = 60.0
"""What recio promises: after the fault ends, trading resumes or says why."""
LASTING = {"delay_settlement", "correct_settlement", "lag_reads"}
"""Kinds that change what the exchange does from then on; nobody has to run into them."""
VALUE = Price(3700)
"""What a person says that one YES paid: never what the venue pays, whose later word corrects it."""
_WAITS = "SELECT ticker FROM trades WHERE state = 'open' AND closes_at < $1 LIMIT 1"
STOPS_WITHIN = 40.0
MOST_STOPS = 4
"""How often in a row a stop may leave an unknown order to the start after it; more often is no accident."""


@dataclass(slots=True)
class Result:
    number: int
    title: str
    happened: bool = False
    """The point was reached and the trouble was met."""
    died_at: int = 0
    recovered_seconds: float | None = None
    resumed: str = ""
    failures: list[str] = field(default_factory=list[str])
    rejections: str = ""
    evidence: dict[str, Any] = field(default_factory=dict[str, Any])
    """Both books whole, of a case that failed."""


async def attempt(arena: Arena, case: Case, ended: dict[int, str]) -> Result:
    """Everything of one case; `ended` carries what earlier cases of this arena saw end."""
    result = Result(number=case.number, title=case.title)
    for passing in case.passings:
        await arena.admin("/admin/faults", method="DELETE")
        before = (await arena.admin("/admin/faults"))["met"]
        try:
            for trouble in (*case.first, case.trouble):
                if trouble.when is When.BEFORE:
                    await _arm(arena, trouble)
            result.rejections = await _lived_and_died(arena, case, passing)
        except DidNotHappen as told:
            result.rejections = str(told)
        if not result.rejections and not await _was_met(arena, case.trouble, before):
            result.rejections = "the trouble was not met"
        await recover(arena, result, ended)
        result.happened = not result.rejections
        result.died_at = passing
        if result.happened or result.failures:
            break
    return result


async def _lived_and_died(arena: Arena, case: Case, passing: int) -> str:
    """Why the daemon did not die where it should, or nothing."""
    if case.doing is Doing.STARTING:
        rejections = await _until_dead(arena, case, (CrashPoint.OUTCOME_MADE, 1))
        if rejections:
            return rejections
    if case.doing is Doing.RESTORING:
        rejections = await _restored(arena, case)
        if rejections:
            return rejections
    return await _until_dead(arena, case, (case.point, passing))


async def _restored(arena: Arena, case: Case) -> str:
    """Rows that are older than the last orders at the venue; why there are none, or nothing."""
    rejections = await _until_dead(arena, case, (CrashPoint.OUTCOME_COMMITTED, 1))
    if rejections:
        return rejections
    await arena.copy_rows()
    rejections = await _until_dead(arena, case, (CrashPoint.OUTCOME_MADE, 3))
    await arena.bring_copy_back()
    return rejections


async def _until_dead(arena: Arena, case: Case, crash_at: tuple[CrashPoint, int]) -> str:
    """Let the daemon live until it dies at the point; why it did not, or nothing."""
    end = time.monotonic() + REACHED_WITHIN
    exits = case.doing not in (Doing.HOLDING, Doing.SETTLING)
    arena.start(exits=exits, crash_at=crash_at)
    late = case.trouble if case.trouble.when is When.RUNNING else None
    asked = False
    while time.monotonic() < end:
        code = arena.ended()
        if code == -signal.SIGKILL and arena.crash_told():
            return "" if late is None else "the trouble came too late"
        if code is not None:
            if asked and case.doing is Doing.STOPPING:
                return "it stopped without passing the point"
            # Whatever else ended it, a supervisor starts it again.
            arena.start(exits=exits, crash_at=crash_at)
        if late is not None and await arena.status() is not None:
            await _arm(arena, late)
            late = None
        if case.doing is Doing.SETTLING and not asked and crash_at[0] is case.point:
            asked = await _settle_by_hand(arena)
        if case.doing is Doing.STOPPING and not asked and "order pending" in arena.log_tail(10**7):
            arena.ask_to_stop()
            asked = True
        await anyio.sleep(0.05)
    await arena.kill()
    return "the point was not reached"


async def _settle_by_hand(arena: Arena) -> bool:
    """Ask for it where a trade waits for the end of its market; false while none does."""
    status = await arena.status()
    if status is None:
        return False
    async with arena.connection() as connection:
        ticker = await connection.fetchval(_WAITS, datetime.fromisoformat(status["now"]))
        if ticker is None:
            return False
        async with connection.transaction():
            await settle_requests.ask(connection, Ticker(ticker), VALUE, "a case", "to see what comes of it")
    return True


async def _arm(arena: Arena, trouble: Trouble) -> None:
    if trouble is NOTHING:
        return
    if trouble is DATABASE_CUT:
        await arena.cut_database()
        return
    ask: dict[str, Any] = dict(trouble.ask)
    if trouble.of_market:
        ask["ticker"] = await arena.open_market()
        if ask["ticker"] is None:
            return
    try:
        await arena.admin("/admin/faults", ask)
    except urllib.error.HTTPError as refused:
        if not trouble.of_market:
            raise
        # The market closed between the look and the request.
        raise DidNotHappen(f"the exchange refused the trouble: {refused.code}") from refused


async def _was_met(arena: Arena, trouble: Trouble, before: dict[str, int]) -> bool:
    """Whether the exchange says that somebody ran into it; what acts when armed has acted."""
    if trouble is NOTHING or trouble is DATABASE_CUT or trouble.of_market:
        return True
    kind = dict(trouble.ask)["kind"]
    if trouble.when is When.RUNNING or kind in LASTING:
        return True
    met = (await arena.admin("/admin/faults"))["met"]
    return met.get(kind, 0) > before.get(kind, 0)


async def recover(arena: Arena, result: Result, ended: dict[int, str], *, fresh: bool = True) -> None:
    """Start as a supervisor would, wait for the proof of every order, stop in good order, compare all books.

    Not `fresh`: the daemon that lives has to find its way back by itself.
    """
    await arena.admin("/admin/faults", method="DELETE")
    began = time.monotonic()
    if fresh:
        arena.start(exits=True, crash_at=None)
    try:
        for _ in range(MOST_STOPS):
            await until_true(
                lambda: _proven(arena),
                RESUMES_WITHIN,
                lambda: "orders are not proven and trading says nothing",
            )
            if result.recovered_seconds is None:
                result.recovered_seconds = round(time.monotonic() - began, 2)
                result.resumed = await _resumed(arena)
            await _stop(arena, result)
            if result.failures or not await _unresolved(arena):
                break
            # A request that timed out just before the stop is left to the next start, as it should be: that is one more.
            arena.start(exits=True, crash_at=None)
    except DidNotHappen as missing:
        result.failures.append(f"L1 {missing}: {await _words(arena)}")
        await arena.kill()
    rows, venue = await arena.rows(), await arena.admin("/admin/ledger")
    found = broken(rows, venue, BOUNDS, ended)
    result.failures += found
    if found:
        result.evidence = {**evidence(rows, venue), "log": arena.log_tail(20_000)}
    ended.update(endings(rows))


async def _stop(arena: Arena, result: Result) -> None:
    arena.ask_to_stop()
    await until(lambda: arena.ended() is not None, STOPS_WITHIN, "it does not stop when asked to")
    if arena.ended() != 0:
        result.failures.append(f"L3 asked to stop it ended with {arena.ended()}: {arena.log_tail(400)!r}")


async def _unresolved(arena: Arena) -> bool:
    async with arena.connection() as connection:
        return await connection.fetchval("SELECT count(*) > 0 FROM orders WHERE state = 'unknown'")


async def _proven(arena: Arena) -> bool:
    """Every order has its proven end, the account was compared in this life, and every settlement is here, by the venue's word."""
    if arena.ended() is not None:
        arena.start(exits=True, crash_at=None)
        return False
    status = await arena.status()
    if status is None or status["pnl"]["balance"] is None:
        return False
    if any(order["state"] in UNPROVEN for order in status["orders"]):
        return False
    async with arena.connection() as connection:
        open_orders = await connection.fetchval("SELECT count(*) FROM orders WHERE is_unproven(state)")
        fills = await connection.fetchval("SELECT count(*) FROM fills")
        unfilled = await connection.fetchval(
            "SELECT count(*) FROM orders o WHERE filled <> (SELECT coalesce(sum(quantity), 0) FROM fills f"
            " WHERE f.venue_order_id = o.venue_order_id)"
        )
        by_hand = await connection.fetchval("SELECT count(*) FROM settlements WHERE set_by <> ''")
    if open_orders or unfilled or by_hand:
        return False
    return fills == len((await arena.admin("/admin/ledger"))["fills"])


async def _resumed(arena: Arena) -> str:
    """'trading', or the daemon's own reasons why it is not."""
    status = await arena.status()
    if status is None:
        return "no answer"
    return "trading" if status["ready"] else "; ".join(status["reasons"])[:200]


async def _words(arena: Arena) -> str:
    status = await arena.status()
    if status is None:
        return f"the daemon does not answer; its log ends with {arena.log_tail(600)!r}"
    unresolved = [order["client_order_id"] for order in status["orders"] if order["state"] in UNPROVEN]
    return f"unproven {unresolved}, reasons {status['reasons']}"
