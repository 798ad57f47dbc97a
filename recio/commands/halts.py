"""`recio halt`, `flatten`, `stop` and `resume`: a halt's row, and what the running daemon makes of it; nothing is sent to the venue from here.

What is said is what the rows and the daemon show: a command ends with 0 only once what it was asked for is so.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass

import anyio
import asyncpg

from recio.commands.database import said_of_rows
from recio.commands.event_loop import to_the_end
from recio.commands.halt_proof import Watched, follow, live_trades, stands
from recio.commands.installation import Installation, add_installation, find_installation, pool_of
from recio.commands.market_clock import market_clock
from recio.commands.options import add_who_and_why, some_words
from recio.daemon.database import daemon_runs
from recio.db import halts
from recio.db.connection import transaction
from recio.errors import ExitCode
from recio.messages.controls import BY_COMMAND, Halt, HaltLevel
from recio.texts import counted

RESOLUTION = "recio resume --by NAME"
DONE = {HaltLevel.HALT: "halted", HaltLevel.FLATTEN: "flattened", HaltLevel.STOP: "stopped"}


@dataclass(slots=True)
class _Truth:
    """What is so at this moment, for whoever interrupts."""

    sentence: str


def add_options(name: str, parser: argparse.ArgumentParser) -> None:
    add_installation(parser)
    if name == "resume":
        parser.add_argument(
            "--by", required=True, type=some_words, metavar="NAME", help="who clears it, for the record"
        )
        parser.set_defaults(command=_resume)
        return
    add_who_and_why(parser)
    parser.set_defaults(command=_halt, level=name)


def _resume(options: argparse.Namespace) -> ExitCode:
    place = find_installation(options)
    truth = _Truth("nothing was cleared")
    return to_the_end(lambda: resume(place, options.by, truth), lambda: truth.sentence)


def _halt(options: argparse.Namespace) -> ExitCode:
    place, level = find_installation(options), HaltLevel(options.level)
    truth = _Truth("nothing was halted")
    return to_the_end(
        lambda: request_halt(place, level, options.why, options.by, truth), lambda: truth.sentence
    )


async def resume(place: Installation, by: str, truth: _Truth) -> ExitCode:
    """Clear every halt of the installation's database, also while its daemon runs; says which ones, and what follows."""
    causes, runs = list[str](), False
    async with pool_of(place, "recio resume") as pool:
        with anyio.CancelScope(shield=True), said_of_rows():
            async with transaction(pool) as connection:
                causes = await halts.clear_all(connection, market_clock(place.data_dir).utc(), by)
                runs = await daemon_runs(connection)
            truth.sentence = (
                f"{counted(len(causes), 'halt was', 'halts were')} cleared"
                if causes
                else "nothing was halted"
            )
    print("\n".join(f"cleared: {cause}" for cause in causes) if causes else "nothing was halted")
    if causes:
        follows = (
            "the running daemon goes on within a second"
            if runs
            else "no daemon runs: systemctl start its unit, or recio run"
        )
        print(f"recio: {follows}", file=sys.stderr)
    return ExitCode.OK


async def request_halt(place: Installation, level: HaltLevel, why: str, by: str, truth: _Truth) -> ExitCode:
    """Commit a halt, say so, then follow what comes of it; the row holds either way."""
    cause = f"{DONE[level]}{BY_COMMAND}" + (f": {why}" if why else "")
    since = market_clock(place.data_dir).utc()
    halt = Halt(level=level, cause=cause, since=since, by=by, resolution=RESOLUTION)
    is_new = False
    async with pool_of(place, f"recio {level}") as pool:
        before = await live_trades(pool)
        with anyio.CancelScope(shield=True), said_of_rows():
            is_new = await _set(pool, halt)
            truth.sentence = f"the {level} stands ({cause}); to end it: {RESOLUTION}"
        print(cause if is_new else f"{cause} (already)", flush=True)
        code = await follow(Watched(pool=pool, level=level, cause=cause, port=place.port, before=before))
        # A stop ends the server together with its daemon, and only a resume lets another one start.
        if level is not HaltLevel.STOP and not await stands(pool, cause):
            print(f"the {level} does not stand any more: somebody has cleared it meanwhile", flush=True)
            return ExitCode.TEMPORARY
    print(f"to end it: {RESOLUTION}", flush=True)
    return code


async def _set(pool: asyncpg.Pool[asyncpg.Record], halt: Halt) -> bool:
    async with transaction(pool) as connection:
        return await halts.set_halt(connection, halt)
