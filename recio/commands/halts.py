"""`recio halt`, `flatten`, `stop` and `resume`: a halt's row, and what the running daemon makes of it; nothing is sent to the venue from here."""

from __future__ import annotations

import argparse
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import aiohttp
import anyio
import asyncpg

from recio.commands.database import rows_of
from recio.commands.options import add_config, add_who_and_why, config_of, some_words
from recio.daemon.database import dsn_of
from recio.db import halts, kill_switch
from recio.db.connection import transaction
from recio.db.pool import open_pool
from recio.messages.controls import Halt, HaltLevel, HaltVerification
from recio.settings.config import Config

RESOLUTION = "recio resume --by NAME"
STOPPED = "the daemon stopped new orders"
DONE = {HaltLevel.HALT: "halted", HaltLevel.FLATTEN: "flattened", HaltLevel.STOP: "stopped"}
SEEN_WITHIN = 3.0
"""Host seconds that a running daemon gets to show the halt before it is called unseen."""
LOOK_EVERY = 0.1


def add_options(name: str, parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    if name == "resume":
        parser.add_argument(
            "--by", required=True, type=some_words, metavar="NAME", help="who clears it, for the record"
        )
        parser.set_defaults(command=_resume)
        return
    add_who_and_why(parser)
    parser.set_defaults(command=_halt, level=name)


def _resume(options: argparse.Namespace) -> None:
    causes = anyio.run(resume, config_of(options.config), options.by)
    print("\n".join(f"cleared: {cause}" for cause in causes) if causes else "nothing was halted")


def _halt(options: argparse.Namespace) -> None:
    print(
        anyio.run(request_halt, config_of(options.config), HaltLevel(options.level), options.why, options.by)
    )


async def resume(config: Config, by: str) -> list[str]:
    """Clear every halt of the daemon's database; returns their causes. Works while the daemon runs."""
    async with dsn_of(config) as dsn:
        return await _clear(dsn, by)


async def request_halt(config: Config, level: HaltLevel, why: str, by: str) -> str:
    """Commit a halt, then say what a daemon shows of it; the row holds either way."""
    cause = f"{DONE[level]} by command" + (f": {why}" if why else "")
    async with dsn_of(config) as dsn:
        halt = Halt(level=level, cause=cause, since=datetime.now(UTC), by=by, resolution=RESOLUTION)
        is_new = await _set(dsn, halt)
        said = await _what_the_daemon_did(dsn, config.status.port, halt)
    return f"{cause if is_new else f'{cause} (already)'}\n{said}\nto end it: {RESOLUTION}"


async def _what_the_daemon_did(dsn: str, port: int, halt: Halt) -> str:
    """Follow the status page until the halt is shown, and then the rows until it is verified at the venue."""
    seen = await _seen_by_the_daemon(port, halt.cause)
    if not seen.startswith(STOPPED):
        return seen
    proof = await _proof(dsn, halt.cause)
    if proof is None:
        return f"{seen}\nNOT verified at the venue within {SEEN_WITHIN:g} s: look at the page and the log"
    return (
        f"{seen}\nverified at the venue: nothing of ours rests ({proof.verified_after:.2f} s after the halt,"
        f" {proof.cancelled} orders cancelled)"
    )


async def _seen_by_the_daemon(port: int, cause: str) -> str:
    began = anyio.current_time()
    url = f"http://127.0.0.1:{port}/status"
    timeout = aiohttp.ClientTimeout(total=SEEN_WITHIN)
    answered = False
    async with aiohttp.ClientSession(timeout=timeout) as session:
        while (passed := anyio.current_time() - began) < SEEN_WITHIN:
            causes = await _halts_shown(session, url)
            if causes is not None and cause in causes:
                return f"{STOPPED} (seen after {passed:.2f} s)"
            if causes is None and not answered:
                break
            answered = True
            await anyio.sleep(LOOK_EVERY)
    if answered:
        return f"the daemon at {url} does not show the halt after {SEEN_WITHIN:g} s: look at its log"
    return f"no daemon answers at {url}: the halt is in the database and holds when one starts on it"


async def _proof(dsn: str, cause: str) -> HaltVerification | None:
    """What the daemon recorded of its proof; read from the rows, because a stop ends the page with the daemon."""
    async with open_pool(dsn, application_name="recio halt") as pool:
        # A daemon of an earlier version keeps its proof under other names; its page and log have it.
        with (
            suppress(asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError),
            anyio.move_on_after(SEEN_WITHIN),
        ):
            while True:
                async with transaction(pool) as connection:
                    rows = {each.halt_id for each in await halts.active(connection) if each.cause == cause}
                    found = [each for each in await kill_switch.checks(connection) if each.halt_id in rows]
                if found and found[0].verified_after is not None:
                    return found[0]
                await anyio.sleep(LOOK_EVERY)
    return None


async def _halts_shown(session: aiohttp.ClientSession, url: str) -> list[str] | None:
    """The causes on the status page; None if nothing of ours answers there."""
    try:
        async with session.get(url) as answer:
            shown: dict[str, Any] = await answer.json()
            return [each["cause"] for each in shown["halts"]]
    except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError):
        return None


async def _clear(dsn: str, by: str) -> list[str]:
    async with rows_of(dsn, "recio resume") as connection:
        return await halts.clear_all(connection, datetime.now(UTC), by)


async def _set(dsn: str, row: Halt) -> bool:
    async with rows_of(dsn, f"recio {row.level}") as connection:
        return await halts.set_in_any_version(connection, row)
