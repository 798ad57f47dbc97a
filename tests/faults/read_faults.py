"""`python -m tests.faults.read_faults`: every read of the venue fails in every manner while a stop, a flatten or a settlement is due.

One world lives through many cases: what one leaves behind meets the next. After every few cases the daemon is stopped
and its rows are compared with the exchange's books.
"""

from __future__ import annotations

import argparse
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import anyio

from tests.faults.proof_reports import commit, recovery, write
from tests.faults.run_grid import say
from tests.stories.failing_reads import (
    ANSWERS,
    EVERYTHING,
    READS,
    held_for_a_while,
    rows_until,
    sells_at_any_bid,
    sold,
    switch_exit,
)
from tests.stories.world import World, a_world, books_agree, until

STOP, FLATTEN, SETTLEMENT = "stop", "flatten", "settlement"
CASES_PER_PROOF = 24
SOLD_WITHIN = 20.0
"""Host seconds: what the issue calls a lost stop takes longer."""
SETTLED_WITHIN = 120.0
MAY_RESTART = frozenset({"market_sync"})
"""It is started anew when its socket is cut; every other task lives through every read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    path: str
    answer: str
    due: str

    @property
    def title(self) -> str:
        return f"{self.due} while {self.path or 'every read'} is answered by {self.answer}"


@dataclass(slots=True)
class Tally:
    proofs: int = 0
    took: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    """Host seconds until what was due was done, by what was due."""
    halts: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    """Causes of halts that a case set, by its title: a venue whose reads contradict each other may well halt entries."""
    failures: list[dict[str, str]] = field(default_factory=list[dict[str, str]])

    @property
    def cases(self) -> int:
        return sum(map(len, self.took.values())) + len(self.failures)


def all_cases() -> Iterator[Case]:
    for due in (STOP, FLATTEN, SETTLEMENT):
        for path in (*READS, EVERYTHING):
            for answer in ANSWERS:
                yield Case(path=path, answer=answer, due=due)


async def try_all(cases: list[Case], workers: int, seconds: float) -> Tally:
    """Each worker has worlds of its own; a case that fails ends its world."""
    tally, end = Tally(), time.monotonic() + seconds
    queues = [cases[nth::workers] for nth in range(workers)]
    async with anyio.create_task_group() as group:
        for queue in queues:
            group.start_soon(_work, queue, tally, end)
    return tally


async def _work(queue: list[Case], tally: Tally, end: float) -> None:
    while queue and time.monotonic() < end:
        due = queue[0].due
        share = [each for each in queue if each.due == due][:CASES_PER_PROOF]
        done = await _in_one_world(due, share, tally, end)
        del queue[: max(1, done)]


async def _in_one_world(due: str, cases: list[Case], tally: Tally, end: float) -> int:
    done = 0
    with ExitStack() as stack:
        world = stack.enter_context(a_world())
        world.speed = 15.0 if due == SETTLEMENT else 4.0
        await world.start_exchange(*(("--window-seconds", "120") if due == SETTLEMENT else ()))
        world.start_daemon(settings=sells_at_any_bid)
        await until(lambda: world.shows(lambda seen: seen["ready"]))
        for case in cases:
            if time.monotonic() > end:
                break
            done += 1
            if not await _try(world, case, tally):
                return done
        await _prove(world, cases[:done], tally)
    return done


async def _try(world: World, case: Case, tally: Tally) -> bool:
    """False ends its world: what comes after a failure says nothing."""
    try:
        seconds = await _lived_through(world, case)
        await _cleared(world, case, tally)
    except (TimeoutError, AssertionError, OSError) as error:
        said = "\n".join(world.log().splitlines()[-25:])
        tally.failures.append({"case": case.title, "fault": f"{type(error).__name__}: {error}", "log": said})
        say(f"FAILED {case.title}: {type(error).__name__} {error}")
        return False
    tally.took.setdefault(case.due, []).append(seconds)
    say(f"{tally.cases} cases, {len(tally.failures)} failures: {case.title}: {seconds:.2f} s")
    return True


async def _lived_through(world: World, case: Case) -> float:
    """Host seconds from when it was due until it was done."""
    await switch_exit(world, on=False)
    trade_id = await _held(world, case)
    world.arm("fail_reads", path=case.path, **ANSWERS[case.answer])
    if case.path == EVERYTHING and case.due != SETTLEMENT:
        world.arm("drop_sockets")
    began = time.monotonic()
    match case.due:
        case "stop":
            await switch_exit(world, on=True)
            await _sold(world, trade_id)
        case "flatten":
            assert world.daemon is not None
            world.daemon.send_signal(signal.SIGUSR2)
            await _sold(world, trade_id)
        case _:
            query = f"SELECT 1 FROM trades WHERE trade_id = {trade_id} AND ended_by = 'settlement'"
            await rows_until(world, query, patience=SETTLED_WITHIN)
    took = time.monotonic() - began
    tasks = world.status()["tasks"]
    restarted = {name for name, task in tasks.items() if task["restarts"]} - MAY_RESTART
    assert not restarted, f"restarted: {restarted}"
    world.disarm()
    return took


async def _held(world: World, case: Case) -> int:
    if case.due != SETTLEMENT:
        return await held_for_a_while(world)
    rows = await rows_until(world, "SELECT trade_id FROM trades WHERE state = 'open' ORDER BY trade_id DESC")
    return rows[0]["trade_id"]


async def _sold(world: World, trade_id: int) -> None:
    with anyio.fail_after(SOLD_WITHIN):
        await sold(world, trade_id)


async def _cleared(world: World, case: Case, tally: Tally) -> None:
    """Whatever halted is noted and cleared, so that the next case can hold something."""
    standing = "SELECT cause, level FROM halts WHERE cleared_at IS NULL"
    # A flatten is in force, and may have sold everything, before it has its row.
    halts = await (rows_until(world, standing) if case.due == FLATTEN else world.rows(standing))
    unasked = [each["cause"] for each in halts if each["level"] != "flatten"]
    if unasked:
        tally.halts[case.title] = unasked
    if halts:
        await world.rows(
            "UPDATE halts SET cleared_at = now(), cleared_by = 'proof' WHERE cleared_at IS NULL RETURNING 1"
        )
    await until(lambda: world.shows(lambda seen: not seen["halts"]))


async def _prove(world: World, cases: list[Case], tally: Tally) -> None:
    try:
        await until(lambda: world.shows(lambda seen: seen["ready"]))
        assert world.stop() == 0
        await books_agree(world)
        tally.proofs += 1
    except (TimeoutError, AssertionError, OSError) as error:
        tally.failures.append(
            {"case": f"books after {cases[0].title} to {cases[-1].title}", "fault": str(error)}
        )
        say(f"FAILED books: {error}")


def report(tally: Tally, wanted: list[Case], seconds: float) -> dict[str, Any]:
    return {
        "commit": commit(),
        "seconds": round(seconds),
        "wanted": len(wanted),
        "cases": tally.cases,
        "proofs": tally.proofs,
        "took_seconds": {due: recovery(each) for due, each in tally.took.items()},
        "halts": tally.halts,
        "failed": tally.failures,
        "first": asdict(wanted[0]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=0, help="so many, evenly spread; 0 for all")
    parser.add_argument("--only", default="", help="cases whose title contains this")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=90.0, help="no case after that")
    parser.add_argument("--report", type=Path, default=Path("read-faults.json"))
    options = parser.parse_args()
    began, every = time.monotonic(), [each for each in all_cases() if options.only in each.title]
    wanted = every[:: max(1, len(every) // options.cases)] if options.cases else every
    tally = anyio.run(try_all, wanted, options.workers, options.minutes * 60)
    write(options.report, report(tally, wanted, time.monotonic() - began))
    say(f"{tally.cases} cases, {len(tally.failures)} failures: {options.report}")
    raise SystemExit(1 if tally.failures else 0)


if __name__ == "__main__":
    main()
