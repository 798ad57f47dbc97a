"""`python -m tests.faults.kill_database`: kills PostgreSQL whole with -9 while the daemon writes, and starts it again.

The daemon is left alone: it has to find its way back by itself. After every few kills the books are compared. Every
worker has a server of its own, because a killed server takes all of its databases along.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import anyio

from recio.db.embedded import EmbeddedServer, start_embedded
from tests.faults.arena import Arena, DidNotHappen, until
from tests.faults.one_case import Result, recover
from tests.faults.proof_reports import commit, recovery, write
from tests.faults.run_grid import database, say
from tests.faults.told_to_end import ends_with_all_it_started

KILLS_PER_PROOF = 5
KILLS_PER_ARENA = 50
LONGEST_WAIT = 4.0
"""Host seconds between a server's start and its next death."""
LONGEST_AWAY = 1.5
WRITES = ("order pending", '"event": "fill"', "trade open", "trade ended", "settlement")
"""Lines of the daemon's log that stand in the middle of a burst of transactions."""
BURST_WITHIN = 20.0
BURST_LASTS = 0.03
UP_WITHIN = 60.0
TEMPORARY = 75


@dataclass(slots=True)
class Tally:
    kills: int = 0
    in_bursts: int = 0
    """Kills within some milliseconds of a committed write, where the next ones are on their way."""
    proofs: int = 0
    restarts: int = 0
    """How often the daemon ended and was started again, as systemd does."""
    orders: int = 0
    fills: int = 0
    failures: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    recoveries: list[float] = field(default_factory=list[float])


def processes_in(folder: Path) -> Iterator[int]:
    """Every process that lives in a cluster: its server and all that serve in it."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with suppress(OSError):
                if (entry / "cwd").samefile(folder):
                    yield int(entry.name)


def kill_server(server: EmbeddedServer) -> int:
    """As pulling the plug of the server alone: nobody in it gets to write another byte."""
    found = list(processes_in(server.data_dir))
    for pid in found:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return len(found)


async def kill_often(kills: int, workers: int, seed: int, seconds: float, *, loud: bool) -> Tally:
    tally, end = Tally(), time.monotonic() + seconds
    async with anyio.create_task_group() as group:
        for worker in range(workers):
            share = kills // workers + (worker < kills % workers)
            group.start_soon(
                _work, f"d{worker}", share, random.Random(seed * 1000 + worker), tally, end, loud
            )
    return tally


async def _work(name: str, share: int, drawn: random.Random, tally: Tally, end: float, loud: bool) -> None:
    generation = 0
    async with database() as (root, server):
        while share > 0 and time.monotonic() < end:
            generation += 1
            arena = Arena(root=root, server=server, name=f"{name}_{generation}")
            await arena.open()
            try:
                share -= await _in_one_arena(arena, min(share, KILLS_PER_ARENA), drawn, tally, end, loud)
            finally:
                with anyio.CancelScope(shield=True):
                    await start_embedded(root)
                    await arena.close()


async def _in_one_arena(
    arena: Arena, kills: int, drawn: random.Random, tally: Tally, end: float, loud: bool
) -> int:
    ended: dict[int, str] = {}
    arena.start(exits=True, crash_at=None)
    await until(lambda: "database ready" in arena.log_tail(), UP_WITHIN, "the first life found no database")
    done = 0
    while done < kills and time.monotonic() < end:
        result = Result(number=tally.kills + 1, title=f"kill {tally.kills + 1}")
        try:
            await _kill_once(arena, drawn, tally)
            result.failures += await arena.broken_now()
        except DidNotHappen as missing:
            result.failures.append(f"{missing}: {arena.log_tail(600)!r}")
        done += 1
        if not result.failures and (done % KILLS_PER_PROOF == 0 or done == kills):
            await recover(arena, result, ended, fresh=False)
            tally.proofs += 1
            tally.recoveries += [] if result.recovered_seconds is None else [result.recovered_seconds]
            arena.start(exits=True, crash_at=None)
            if loud:
                say(f"{tally.kills} kills, {tally.proofs} proofs, {len(tally.failures)} failures")
        if result.failures:
            tally.failures.append(asdict(result))
            if loud:
                say(f"FAILED {result.title}: {result.failures}")
            break
    books = await arena.admin("/admin/ledger")
    tally.orders += len(books["orders"])
    tally.fills += len(books["fills"])
    return done


async def _kill_once(arena: Arena, drawn: random.Random, tally: Tally) -> None:
    _keep_up(arena, tally)
    if drawn.random() < 0.5:
        await anyio.sleep(drawn.uniform(0.2, LONGEST_WAIT))
    else:
        tally.in_bursts += await _until_it_writes(arena, tally)
        await anyio.sleep(drawn.uniform(0.0, BURST_LASTS))
    if not kill_server(arena.server):
        raise DidNotHappen("there was no server to kill")
    tally.kills += 1
    await anyio.sleep(drawn.uniform(0.0, LONGEST_AWAY))
    await start_embedded(arena.root)
    _keep_up(arena, tally)


async def _until_it_writes(arena: Arena, tally: Tally) -> int:
    """1 once a line tells of a write; 0 if none comes, because nothing is to be traded just now."""
    before, until_at = _writes(arena), time.monotonic() + BURST_WITHIN
    while time.monotonic() < until_at:
        _keep_up(arena, tally)
        if (now := _writes(arena)) > before:
            return 1
        before = min(before, now)
        await anyio.sleep(0.005)
    return 0


def _writes(arena: Arena) -> int:
    text = arena.log_tail(10**6)
    return sum(text.count(line) for line in WRITES)


def _keep_up(arena: Arena, tally: Tally) -> None:
    """A daemon that ended is started again."""
    if arena.ended() is not None:
        if arena.ended() != TEMPORARY:
            raise DidNotHappen(f"it ended with {arena.ended()}, which nobody starts again")
        arena.start(exits=True, crash_at=None)
        tally.restarts += 1


def report(tally: Tally, seed: int, seconds: float) -> dict[str, Any]:
    return {
        "commit": commit(),
        "seed": seed,
        "seconds": round(seconds),
        "kills": tally.kills,
        "in_bursts": tally.in_bursts,
        "proofs": tally.proofs,
        "restarts": tally.restarts,
        "orders": tally.orders,
        "fills": tally.fills,
        "failed": tally.failures,
        "recovery_seconds": recovery(tally.recoveries),
    }


def main() -> None:
    ends_with_all_it_started()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=60.0, help="no kill after that")
    parser.add_argument("--report", type=Path, default=Path("kill-database.json"))
    options = parser.parse_args()
    began = time.monotonic()

    async def run() -> Tally:
        return await kill_often(options.kills, options.workers, options.seed, options.minutes * 60, loud=True)

    tally = anyio.run(run)
    write(options.report, report(tally, options.seed, time.monotonic() - began))
    say(f"{tally.kills} kills, {tally.proofs} proofs, {len(tally.failures)} failures: {options.report}")
    raise SystemExit(1 if tally.failures else 0)


if __name__ == "__main__":
    main()
