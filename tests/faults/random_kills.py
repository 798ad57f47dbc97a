"""`python -m tests.faults.random_kills`: kills the trading daemon with -9 at drawn instants, again and again.

After every kill what must hold at any instant is compared; after every tenth the daemon recovers, proves
the end of each order and stops, and all books are compared. The seed gives the instants again.
"""

from __future__ import annotations

import argparse
import random
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import anyio

from tests.faults.arena import Arena, DidNotHappen, until
from tests.faults.invariants import at_any_instant
from tests.faults.one_case import Result, recover
from tests.faults.proof_reports import commit, recovery, write
from tests.faults.run_grid import database, say
from tests.faults.told_to_end import ends_with_all_it_started

LONGEST_LIFE = 6.0
"""Host seconds; a run begins to trade after about one."""
KILLS_PER_PROOF = 10
NO_ANSWER = (DidNotHappen, OSError)
"""The exchange, the database or the daemon did not answer in time: that arena's books cannot be compared."""
KILLS_PER_ARENA = 100


@dataclass(slots=True)
class Tally:
    kills: int = 0
    proofs: int = 0
    orders: int = 0
    fills: int = 0
    failures: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    recoveries: list[float] = field(default_factory=list[float])


async def kill_often(kills: int, workers: int, seed: int, seconds: float, *, loud: bool) -> Tally:
    tally = Tally()
    end = time.monotonic() + seconds
    async with anyio.create_task_group() as group:
        for worker in range(workers):
            share = kills // workers + (worker < kills % workers)
            drawn = random.Random(seed * 1000 + worker)
            group.start_soon(_work, f"k{worker}", share, drawn, tally, end, loud)
    return tally


async def _work(name: str, left: int, drawn: random.Random, tally: Tally, end: float, loud: bool) -> None:
    """Lives on a server of its own: the embedded one has connections for one daemon and for those who look, not for four."""
    generation = 0
    async with database() as (root, server):
        while left > 0 and time.monotonic() < end:
            generation += 1
            arena = Arena(root=root, server=server, name=f"{name}_{generation}")
            try:
                await arena.open()
                await _first_life(arena)
                left -= await _in_one_arena(arena, min(left, KILLS_PER_ARENA), drawn, tally, end, loud)
            except NO_ANSWER as error:
                left -= 1
                tally.failures.append({"title": f"arena {arena.name}", "failures": [repr(error)]})
            finally:
                with anyio.CancelScope(shield=True):
                    await arena.close()


async def _first_life(arena: Arena) -> None:
    """Live until the tables are there: before that there are no books to compare."""
    arena.start(exits=True, crash_at=None)
    await until(lambda: "database ready" in arena.log_tail(), 60.0, "the first life found no database")
    await arena.kill()


async def _in_one_arena(
    arena: Arena, kills: int, drawn: random.Random, tally: Tally, end: float, loud: bool
) -> int:
    """Kill so often in one arena; how often it was."""
    ended: dict[int, str] = {}
    done = 0
    while done < kills and time.monotonic() < end:
        arena.start(exits=drawn.random() < 0.7, crash_at=None)
        await anyio.sleep(drawn.uniform(0.0, LONGEST_LIFE))
        await arena.kill()
        done += 1
        tally.kills += 1
        result = Result(number=tally.kills, title=f"kill {tally.kills}")
        result.failures += at_any_instant(await arena.rows(), await arena.admin("/admin/ledger"))
        if not result.failures and (done % KILLS_PER_PROOF == 0 or done == kills):
            await recover(arena, result, ended)
            tally.proofs += 1
            tally.recoveries += [] if result.recovered_seconds is None else [result.recovered_seconds]
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


def report(tally: Tally, seed: int, seconds: float) -> dict[str, Any]:
    return {
        "commit": commit(),
        "seed": seed,
        "seconds": round(seconds),
        "kills": tally.kills,
        "proofs": tally.proofs,
        "orders": tally.orders,
        "fills": tally.fills,
        "failed": tally.failures,
        "recovery_seconds": recovery(tally.recoveries),
    }


def main() -> None:
    ends_with_all_it_started()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=60.0, help="no kill after that")
    parser.add_argument("--report", type=Path, default=Path("random-kills.json"))
    options = parser.parse_args()
    began = time.monotonic()

    async def run() -> Tally:
        return await kill_often(options.kills, options.workers, options.seed, options.minutes * 60, loud=True)

    tally = anyio.run(run)
    written = report(tally, options.seed, time.monotonic() - began)
    write(options.report, written)
    say(f"{tally.kills} kills, {tally.proofs} proofs, {len(tally.failures)} failures: {options.report}")
    raise SystemExit(1 if tally.failures else 0)


if __name__ == "__main__":
    main()
