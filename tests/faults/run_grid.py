"""`python -m tests.faults.run_grid`: tries cases side by side and writes what came of each; it stops by itself.

With `--kept FILE` every result is a line of that file as soon as it is there, and a later run goes on with the rest.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import anyio

from recio.db.embedded import EmbeddedServer, start_embedded, stop_embedded
from tests.faults.arena import Arena
from tests.faults.cases import Case, every_case, spread
from tests.faults.one_case import Result, attempt
from tests.faults.proof_reports import commit, recovery, write
from tests.faults.told_to_end import ends_with_all_it_started

CASES_PER_ARENA = 40
"""After so many lives an arena is made anew, so that no case looks at books of thousands of orders."""


@dataclass(slots=True)
class Run:
    cases: list[Case]
    results: list[Result] = field(default_factory=list[Result])
    until: float = 0.0
    keep: Callable[[Result], None] = lambda result: None

    def next(self) -> Case | None:
        return self.cases.pop(0) if self.cases and time.monotonic() < self.until else None


@asynccontextmanager
async def database(under: Path | None = None) -> AsyncGenerator[tuple[Path, EmbeddedServer]]:
    """A folder and a PostgreSQL for as long as the block lasts."""
    root = Path(tempfile.mkdtemp(prefix="recio-faults-", dir=under))
    root.chmod(0o711)
    server = await start_embedded(root)
    try:
        yield root, server
    finally:
        with anyio.CancelScope(shield=True):
            await stop_embedded(server)
        shutil.rmtree(root, ignore_errors=True)


async def run_cases(
    cases: tuple[Case, ...],
    workers: int,
    seconds: float,
    *,
    loud: bool,
    keep: Callable[[Result], None] = lambda result: None,
) -> list[Result]:
    run = Run(cases=list(cases), until=time.monotonic() + seconds, keep=keep)
    async with anyio.create_task_group() as group:
        for worker in range(workers):
            group.start_soon(_work, run, f"w{worker}", loud)
    return sorted(run.results, key=lambda each: each.number)


async def _work(run: Run, name: str, loud: bool) -> None:
    """Lives on a server of its own: the embedded one has connections for one daemon and for those who look, not for four."""
    generation = 0
    async with database() as (root, server):
        while run.cases and time.monotonic() < run.until:
            generation += 1
            arena = Arena(root=root, server=server, name=f"{name}_{generation}")
            await arena.open()
            try:
                await _in_one_arena(run, arena, loud)
            finally:
                with anyio.CancelScope(shield=True):
                    await arena.close()


async def _in_one_arena(run: Run, arena: Arena, loud: bool) -> None:
    ended: dict[int, str] = {}
    for _ in range(CASES_PER_ARENA):
        case = run.next()
        if case is None:
            return
        try:
            result = await attempt(arena, case, ended)
        except Exception as error:  # noqa: BLE001 - whatever it was is told as a failure of this case
            # An arena that does not answer proves nothing and must not end the whole run.
            broken = f"the arena broke: {type(error).__name__}: {error}"
            result = Result(number=case.number, title=case.title, failures=[broken])
        run.results.append(result)
        run.keep(result)
        if loud:
            _tell(result, len(run.results), len(run.cases))
        if result.failures:
            # What is broken would be found again by every later case.
            return


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _tell(result: Result, done: int, left: int) -> None:
    verdict = (
        "FAILED"
        if result.failures
        else "held"
        if result.happened
        else f"did not happen ({result.rejections})"
    )
    took = "" if result.recovered_seconds is None else f", proven after {result.recovered_seconds:.1f} s"
    say(f"[{done}, {left} left] {result.title}: {verdict}{took}")
    for failure in result.failures:
        say(f"    {failure}")


def kept_by(path: Path) -> Callable[[Result], None]:
    """Writes each result down at once, with the commit it was found at."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tried = commit()

    def keep(result: Result) -> None:
        with path.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps({"commit": tried, **asdict(result)}) + "\n")

    return keep


def kept_in(path: Path) -> tuple[list[Result], Counter[str]]:
    """(the results of earlier runs, how many at each commit)."""
    results, commits = list[Result](), Counter[str]()
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            fields = json.loads(line)
            commits[fields.pop("commit")] += 1
            results.append(Result(**fields))
    return results, commits


def report(results: list[Result], seconds: float) -> dict[str, object]:
    happened = [each for each in results if each.happened]
    recovered = [each.recovered_seconds for each in results if each.recovered_seconds is not None]
    return {
        "commit": commit(),
        "seconds": round(seconds),
        "cases": len(results),
        "happened": len(happened),
        "failed": [asdict(each) for each in results if each.failures],
        "did_not_happen": [f"{each.title}: {each.rejections}" for each in results if not each.happened],
        "by_trouble": dict(Counter(each.title.split(" x ")[1] for each in happened)),
        "by_point": dict(Counter(each.title.split(" x ")[0] for each in happened)),
        "resumed": dict(Counter("trading" if each.resumed == "trading" else "said why" for each in happened)),
        "recovery_seconds": recovery(recovered),
    }


def joined(earlier: dict[str, Any], again: dict[str, Any]) -> dict[str, Any]:
    """A report whose failed and missed cases were tried again: what failed at first stays in it, with its words."""
    failed = [each for each in earlier["failed"] if each["happened"]]
    counts = {
        name: dict(
            Counter(earlier[name])
            - Counter(each["title"].split(" x ")[part] for each in failed)
            + Counter(again[name])
        )
        for name, part in (("by_point", 0), ("by_trouble", 1))
    }
    longest = [each["recovery_seconds"]["longest"] or 0.0 for each in (earlier, again)]
    tried_again = {
        "commit": again["commit"],
        "cases": again["cases"],
        "happened": again["happened"],
        "failed": len(again["failed"]),
        "titles": [f"{each['title']}: {'; '.join(each['failures'])[:300]}" for each in earlier["failed"]],
    }
    return {
        **earlier,
        **counts,
        "happened": earlier["happened"] - len(failed) + again["happened"],
        "failed": again["failed"],
        "did_not_happen": again["did_not_happen"],
        "resumed": dict(Counter(earlier["resumed"]) + Counter(again["resumed"])),
        "recovery_seconds": {"median": earlier["recovery_seconds"]["median"], "longest": max(longest)},
        "tried_again": [*earlier.get("tried_again", []), tried_again],
    }


def main() -> None:
    ends_with_all_it_started()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=0, help="so many, evenly spread; 0 for all")
    parser.add_argument("--only", default="", help="cases whose title has this text")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--minutes", type=float, default=120.0, help="no case is begun after that")
    parser.add_argument(
        "--again",
        type=Path,
        help="try the cases again that failed or did not happen by this report, and join the two",
    )
    parser.add_argument(
        "--kept", type=Path, help="keep each result in this file, and do not try again what is in it"
    )
    parser.add_argument("--report", type=Path, default=Path("fault-grid.json"))
    options = parser.parse_args()
    cases = tuple(each for each in every_case() if options.only in each.title)
    cases = spread(cases, options.cases) if options.cases else cases
    earlier: dict[str, Any] | None = (
        None if options.again is None else json.loads(options.again.read_text("utf-8"))
    )
    if earlier is not None:
        titles = {each["title"] for each in earlier["failed"]}
        titles |= {each.partition(": ")[0] for each in earlier["did_not_happen"]}
        cases = tuple(each for each in every_case() if each.title in titles)
    before, commits = ([], Counter[str]()) if options.kept is None else kept_in(options.kept)
    done = {each.title for each in before}
    began = time.monotonic()
    results = anyio.run(_run, tuple(each for each in cases if each.title not in done), options)
    written = report([*before, *results], time.monotonic() - began)
    if before:
        commits[str(written["commit"])] += len(results)
        written["commit"] = ", ".join(f"{name} ({count})" for name, count in commits.items() if count)
    if earlier is not None:
        written = joined(earlier, written)
    write(options.report, written)
    failed, missed = len(written["failed"]), len(written["did_not_happen"])  # type: ignore[arg-type]
    say(
        f"{written['happened']} cases held or failed, {failed} failed, {missed} did not happen: {options.report}"
    )
    sys.exit(1 if failed else 0)


async def _run(cases: tuple[Case, ...], options: argparse.Namespace) -> list[Result]:
    keep = (lambda result: None) if options.kept is None else kept_by(options.kept)
    return await run_cases(cases, options.workers, options.minutes * 60, loud=True, keep=keep)


if __name__ == "__main__":
    main()
