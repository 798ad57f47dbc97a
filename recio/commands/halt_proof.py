"""What came of a halt: whether a daemon took it up, proved it at the venue, sold what it held or ended; it only reads.

The rows are the witness: the page of another daemon may answer at the port, and a stop ends the page with the daemon.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import aiohttp
import anyio
import asyncpg

from recio.commands.sales import LOOK_EVERY, dollars, left_of, listed, patiently, tell_sale
from recio.daemon.database import daemon_runs
from recio.db import halts, kill_switch, trades
from recio.db.connection import transaction
from recio.db.identity import bound_to
from recio.errors import BadConfig, ExitCode
from recio.messages.controls import HaltLevel, HaltVerification
from recio.messages.orders import TradeView
from recio.texts import counted
from recio.units import TradeId

SEEN_WITHIN = 3.0
"""Host seconds that a running daemon gets to show the halt on its page before its rows are read instead."""
VERIFIED_WITHIN = 25.0
"""Host seconds for a proof that is given, by default, even where the venue leaves the first request without an answer."""
ENDS_WITHIN = 60.0
FLAT_WITHIN = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A halt that was committed."""

    pool: asyncpg.Pool[asyncpg.Record]
    level: HaltLevel
    cause: str
    port: int
    before: Mapping[TradeId, TradeView]
    """Every live trade as it was just before."""

    @property
    def page(self) -> str:
        return f"http://127.0.0.1:{self.port}/status"


class _Cleared(Exception):
    """Somebody else has cleared the halt meanwhile: nothing that was asked for goes on."""


async def live_trades(pool: asyncpg.Pool[asyncpg.Record]) -> dict[TradeId, TradeView]:
    """What is open now; nothing where a daemon of an earlier version keeps these rows under other names."""
    with suppress(asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError):
        async with transaction(pool) as connection:
            return {each.trade_id: each for each in await trades.live_and_of(connection, ())}
    return {}


async def follow(watched: Watched) -> ExitCode:
    """Say what becomes of the halt until what was asked for is so, or patience ends. 75: it is not so yet."""
    if not await _runs(watched):
        return await _without_a_daemon(watched)
    print(await _seen_by_the_daemon(watched), flush=True)
    try:
        if watched.level is HaltLevel.STOP:
            return await _ended(watched)
        verified = await _proof(watched)
        return max(await _sold(watched), await _late(watched, verified)) if _sells(watched) else verified
    except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError):
        print("the daemon is of another version: its page and its log say what it did", flush=True)
        return ExitCode.TEMPORARY
    except _Cleared:
        await _tell_cleared(watched)
        return ExitCode.TEMPORARY


def _sells(watched: Watched) -> bool:
    return watched.level is HaltLevel.FLATTEN


async def _tell_cleared(watched: Watched) -> None:
    """Of a halt and a flatten whoever set it says so at the end."""
    left = left_of(await _trades(watched)) if _sells(watched) else []
    if left:
        print(f"STILL HELD, and no longer to be sold: {listed(left)}", flush=True)
    if watched.level is HaltLevel.STOP:
        print(
            "the stop does not stand any more: somebody has cleared it meanwhile; a daemon that had seen it ends"
            " all the same, and may be started again: recio status",
            flush=True,
        )


async def _without_a_daemon(watched: Watched) -> ExitCode:
    print(
        f"no daemon answers at {watched.page} and none drives this database: the halt is in it and holds when one starts on it"
    )
    held = left_of(watched.before.values())
    if watched.level is not HaltLevel.FLATTEN:
        return ExitCode.OK
    print("nothing is held" if not held else "NOTHING IS SOLD until recio run starts; held: " + listed(held))
    return ExitCode.TEMPORARY if held else ExitCode.OK


async def _seen_by_the_daemon(watched: Watched) -> str:
    began = anyio.current_time()
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=SEEN_WITHIN)) as session:
        while (passed := anyio.current_time() - began) < SEEN_WITHIN:
            shown = await _own_page(session, watched)
            if shown is None and watched.level is HaltLevel.STOP:
                return "a daemon runs, and its page answers no more, as when it ends: what follows is what its rows say"
            if shown is None:
                return f"a daemon runs, its page is not at {watched.page}: what follows is what its rows say"
            if watched.cause in _causes(shown):
                return f"the daemon stopped new orders (seen after {passed:.2f} s)"
            await anyio.sleep(LOOK_EVERY)
    return f"the page at {watched.page} does not show the halt: what follows is what the daemon's rows say"


async def _proof(watched: Watched) -> ExitCode:
    async for _ in patiently(VERIFIED_WITHIN, "waits for the venue to show that nothing of ours rests"):
        if await _told_verified(watched):
            return ExitCode.OK
        if not await _runs(watched):
            return await _proof_of_one_that_ended(watched)
    print(
        f"NOT verified at the venue within {VERIFIED_WITHIN:g} s: the daemon goes on asking; look at the page and the log",
        flush=True,
    )
    return ExitCode.TEMPORARY


async def _late(watched: Watched, verified: ExitCode) -> ExitCode:
    """What was not proven in time may have been while something else was waited for."""
    return ExitCode.OK if verified is ExitCode.OK or await _told_verified(watched) else verified


async def _told_verified(watched: Watched) -> bool:
    check = await _check(watched)
    if check is None or check.verified_after is None:
        return False
    print(
        f"verified at the venue: nothing of ours rests ({check.verified_after:.2f} s after the halt,"
        f" {counted(check.cancelled, 'order', 'orders')} cancelled)",
        flush=True,
    )
    return True


async def _proof_of_one_that_ended(watched: Watched) -> ExitCode:
    """The last thing that it did may have been the proof."""
    if await _told_verified(watched):
        return ExitCode.OK
    print(
        "the daemon ended before it was verified at the venue that nothing of ours rests:"
        " look at the venue's own page for orders that rest, and at the daemon's log",
        flush=True,
    )
    return ExitCode.TEMPORARY


async def _ended(watched: Watched) -> ExitCode:
    """A daemon that is stopped asks the venue for half a minute at most, and ends with the proof or without it."""
    verified = False
    async for passed in patiently(ENDS_WITHIN, "waits for the venue's proof and the daemon's end"):
        verified = verified or await _told_verified(watched)
        if not await _runs(watched):
            proof = ExitCode.OK if verified else await _proof_of_one_that_ended(watched)
            print(
                f"the daemon has ended ({passed:.2f} s later); it starts again only after recio resume",
                flush=True,
            )
            return proof
    not_shown = "" if verified else ", nor was it verified at the venue that nothing of ours rests"
    print(f"the daemon has NOT ended within {ENDS_WITHIN:g} s{not_shown}: look at its log", flush=True)
    return ExitCode.TEMPORARY


async def _sold(watched: Watched) -> ExitCode:
    """Tell each sale as its fills come in, and at the end what is left."""
    known, every = dict(watched.before), tuple(watched.before.values())
    async for _ in patiently(FLAT_WITHIN, "waits until everything is sold"):
        every = await _trades(watched)
        for each in every:
            tell_sale(known.get(each.trade_id), each)
            known[each.trade_id] = each
        await _check(watched)  # whether it still stands
        # By the rows: the daemon proves it at the venue, which a venue that cannot be read would hold up.
        if not left_of(every) or not await _runs(watched):
            break
    _tell_sum(watched, every)
    left = left_of(every)
    if not left:
        print("flat: nothing that recio bought is held any more", flush=True)
        return ExitCode.OK
    print(f"STILL HELD: {listed(left)}; {await _why_held(watched)}", flush=True)
    return ExitCode.TEMPORARY


def _tell_sum(watched: Watched, every: Sequence[TradeView]) -> None:
    proceeds = fees = 0
    for now in every:
        before = watched.before.get(now.trade_id)
        proceeds += now.exit_proceeds - (before.exit_proceeds if before else 0)
        fees += now.fees - (before.fees if before else 0)
    print(f"in all: {dollars(proceeds)} for what was sold, less {dollars(fees)} of fees", flush=True)


async def _why_held(watched: Watched) -> str:
    """What the daemon's exit says, if its page answers."""
    if not await _runs(watched):
        return "no daemon runs any more: recio run goes on selling"
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=SEEN_WITHIN)) as session:
        shown = await _own_page(session, watched)
    with suppress(KeyError, TypeError):
        return f"the daemon goes on selling; it says: {(shown or {})['tasks']['exit']['sentence']}"
    return "the daemon goes on selling; its log says what is in the way"


async def _trades(watched: Watched) -> tuple[TradeView, ...]:
    async with transaction(watched.pool) as connection:
        return await trades.live_and_of(connection, watched.before)


async def _runs(watched: Watched) -> bool:
    async with transaction(watched.pool) as connection:
        return await daemon_runs(connection)


async def stands(pool: asyncpg.Pool[asyncpg.Record], cause: str) -> bool:
    """Whether nobody has cleared it yet."""
    async with transaction(pool) as connection:
        return any(each.cause == cause for each in await halts.active(connection))


async def _check(watched: Watched) -> HaltVerification | None:
    """What the daemon recorded of its proof. Raises _Cleared."""
    async with transaction(watched.pool) as connection:
        rows = {each.halt_id for each in await halts.active(connection) if each.cause == watched.cause}
        if not rows:
            raise _Cleared
        return next((each for each in await kill_switch.checks(connection) if each.halt_id in rows), None)


async def _own_page(session: aiohttp.ClientSession, watched: Watched) -> dict[str, Any] | None:
    """What our daemon's page says; that of another account may show a halt of the very same words."""
    shown = await _status(session, watched.page)
    with suppress(BadConfig, asyncpg.PostgresError):
        async with transaction(watched.pool) as connection:
            mine = (await bound_to(connection)).account
        if shown is not None and not mine.startswith(str(shown.get("account") or "")):
            return None
    return shown


async def _status(session: aiohttp.ClientSession, url: str) -> dict[str, Any] | None:
    """What the status page says; None if nothing of ours answers there."""
    try:
        async with session.get(url) as answer:
            return await answer.json()
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return None


def _causes(shown: dict[str, Any]) -> list[str]:
    with suppress(KeyError, TypeError):
        return [each["cause"] for each in shown["halts"]]
    return []
