"""`make mutants`: breaks the program in one small place after another and counts which breaks a test notices; never touches the tree.

A break lives in a process of its own, which is forked for it and loads the broken module in the place of the whole one.
SEED and MUTANTS choose so many of each area; ONLY=word those whose file or name holds it. The report is docs/proof/mutants.json.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.abc
import importlib.machinery
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import anyio  # noqa: E402 - loaded before the first fork, so that no break waits for it
import asyncpg  # noqa: E402
import hypothesis  # noqa: E402
import pytest  # noqa: E402

from recio.db.connection import transaction  # noqa: E402
from recio.db.embedded import EmbeddedServer, start_embedded, stop_embedded  # noqa: E402
from recio.db.pool import open_pool  # noqa: E402
from recio.db.schema import ensure_schema  # noqa: E402
from tests.faults.proof_reports import PROOF, commit, read, write  # noqa: E402
from tests.mutants.accepted import why_accepted  # noqa: E402
from tests.mutants.breaker import TEMPLATE, Breaker, OneServer, forked  # noqa: E402
from tests.mutants.breaks import Break, breaks_of  # noqa: E402
from tests.mutants.function_breaks import function_breaks  # noqa: E402
from tests.mutants.schema_breaks import SchemaBreak, schema_breaks  # noqa: E402
from tests.mutants.schema_looks import looked_at  # noqa: E402
from tests.mutants.tests_of import AREAS, FUNCTIONS, SCHEMA, SLOW, far, near  # noqa: E402

TIME_LIMIT = 240.0
"""Seconds after which a break counts as noticed: it goes on for ever."""
OURS = ("recio", "tests")


@dataclass(slots=True)
class Tally:
    tried: int = 0
    noticed: int = 0
    accepted: int = 0
    unseen: list[str] = field(default_factory=list[str])

    @property
    def share(self) -> float:
        """Of those that change something."""
        return 1.0 if not self.tried else self.noticed / self.tried

    def report(self) -> dict[str, Any]:
        said = {"tried": self.tried, "noticed": self.noticed, "accepted": self.accepted}
        return {**said, "share": round(self.share, 4), "unseen": sorted(self.unseen)}


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives one module from a tree that was broken."""

    def __init__(self, broken: Break) -> None:
        self.broken = broken
        self.name = broken.file.removesuffix(".py").replace("/", ".").removesuffix(".__init__")

    def find_spec(self, fullname: str, path: object, target: object = None) -> Any:
        if fullname != self.name:
            return None
        place = str(ROOT / self.broken.file)
        return importlib.machinery.ModuleSpec(
            fullname, self, origin=place, is_package=place.endswith("__init__.py")
        )

    def create_module(self, spec: Any) -> None:
        return None

    def exec_module(self, module: Any) -> None:
        module.__file__ = str(ROOT / self.broken.file)
        exec(compile(self.broken.tree(), module.__file__, "exec", dont_inherit=True), module.__dict__)


def verdict_of(tests: Sequence[str], *plugins: object, broken: Break | None = None) -> int:
    """What pytest exits with; to be called in a fork, for it loads everything of ours anew."""
    nowhere = os.open(os.environ.get("MUTANTS_OUT", os.devnull), os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    for name in [each for each in sys.modules if each.split(".")[0] in OURS]:
        del sys.modules[name]
    if broken is not None:
        sys.meta_path.insert(0, _Finder(broken))
    hypothesis.settings.register_profile(
        "mutants",
        phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),
        database=None,
        derandomize=True,
        deadline=None,
    )
    hypothesis.settings.load_profile("mutants")
    left_out = [f"--deselect={file}::{test}" for file, test in SLOW.items()]
    quiet = ["-q", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
    return int(pytest.main(["-x", *quiet, "--timeout=60", *left_out, *tests], plugins=list(plugins)))


@contextmanager
def a_server() -> Iterator[EmbeddedServer]:
    root = Path(tempfile.mkdtemp(prefix="recio-mutants-"))
    root.chmod(0o711)
    server = anyio.run(_begun, root)
    try:
        yield server
    finally:
        anyio.run(stop_embedded, server)
        shutil.rmtree(root, ignore_errors=True)


async def _begun(root: Path) -> EmbeddedServer:
    server = await start_embedded(root)
    first = await asyncpg.connect(server.dsn("postgres"))
    for setting in ("fsync", "full_page_writes"):  # as in tests/conftest.py: each database lives for one test
        await first.execute(f"ALTER SYSTEM SET {setting} = off")
    await first.execute("SELECT pg_reload_conf()")
    await first.close()
    dsn = await server.ensure_database(TEMPLATE)
    async with open_pool(dsn, application_name="template") as pool, transaction(pool) as connection:
        await ensure_schema(connection)
    return server


def chosen(count: int, seed: int, word: str, of_file: int) -> dict[str, list[Break]]:
    """So many breaks of each area, or of each of its files, drawn by seed; all of them for 0."""
    drawn: dict[str, list[Break]] = {}
    for area, patterns in AREAS.items():
        files = sorted(str(each.relative_to(ROOT)) for pattern in patterns for each in ROOT.glob(pattern))
        every: list[Break] = []
        for file in files:
            found = [each for each in breaks_of(ROOT, file) if word in f"{area} {each.name}"]
            every += random.Random(seed).sample(found, min(of_file, len(found))) if of_file else found
        random.Random(seed).shuffle(every)
        drawn[area] = every[:count] if count else every
    return drawn


BreakKind = TypeVar("BreakKind", Break, SchemaBreak)


def one_by_one(
    server: EmbeddedServer, breaks: Sequence[BreakKind], tests: Sequence[str]
) -> Iterator[tuple[BreakKind, bool]]:
    """Each break, and whether these tests notice it; they are loaded once for all. Raises RuntimeError if they fail anyway."""
    hears, told = os.pipe()
    child = os.fork()
    if not child:
        os.setpgid(0, 0)
        os.close(hears)
        only = OneServer(server, TEMPLATE)
        os._exit(verdict_of(tests, only, Breaker(only, breaks, told)))
    os.close(told)
    with os.fdopen(hears) as lines:
        for line in lines:
            nth, *fails = line.split()
            if not nth.isdigit():
                raise RuntimeError(f"{line.strip()}: {' '.join(tests)}")
            yield breaks[int(nth)], fails == ["1"]
    os.waitpid(child, 0)


def judged(
    server: EmbeddedServer, breaks: Sequence[Break], tests: Sequence[str]
) -> Iterator[tuple[Break, bool]]:
    """Each break of one module, and whether these tests notice it."""
    yield from one_by_one(server, [each for each in breaks if each.function() or each.is_constant()], tests)
    for broken in [each for each in breaks if not each.function() and not each.is_constant()]:
        plugin = OneServer(server, TEMPLATE)
        noticed = forked(
            lambda broken=broken, plugin=plugin: verdict_of(tests, plugin, broken=broken), TIME_LIMIT
        )
        yield broken, noticed != 0


async def catalog_of(server: EmbeddedServer) -> dict[str, list[SchemaBreak]]:
    """Every break of the schema that the server's template has, by area."""
    connection = await asyncpg.connect(server.dsn(TEMPLATE))
    try:
        return {
            "constraints": await schema_breaks(connection),
            "functions": await function_breaks(connection),
        }
    finally:
        await connection.close()


def constraints(
    server: EmbeddedServer, catalog: Sequence[SchemaBreak], *, by_look: bool
) -> Iterator[tuple[str, bool]]:
    """The breaks of the schema: what the look for its name misses is shown to all tests of the catalog, and then to more."""
    missed = list(catalog)
    if by_look:
        missed.clear()
        for broken, noticed in anyio.run(looked_at, server.dsn(TEMPLATE), catalog):
            if noticed:
                yield broken.name, True
            else:
                missed.append(broken)
    yield from by_rounds(server, missed, SCHEMA)


def by_rounds(
    server: EmbeddedServer, breaks: Sequence[SchemaBreak], rounds: Sequence[Sequence[str]]
) -> Iterator[tuple[str, bool]]:
    """What the tests of one round miss is shown to those of the next."""
    missed = list(breaks)
    for tests in rounds:
        shown, missed = missed, []
        for broken, noticed in one_by_one(server, shown, tests) if shown else ():
            if noticed:
                yield broken.name, True
            else:
                missed.append(broken)
    for broken in missed:
        yield broken.name, False


def sources(server: EmbeddedServer, breaks: Sequence[Break], *, also_far: bool) -> Iterator[tuple[str, bool]]:
    """The breaks of one area, module by module."""
    for file in dict.fromkeys(each.file for each in breaks):
        of_file = [each for each in breaks if each.file == file and not why_accepted(each.name)]
        missed: list[Break] = []
        for broken, noticed in judged(server, of_file, near(ROOT, file)) if near(ROOT, file) else ():
            if noticed or not also_far:
                yield broken.name, noticed
            else:
                missed.append(broken)
        for broken, noticed in judged(server, missed, far(file)) if missed else ():
            yield broken.name, noticed


def tallied(area: str, verdicts: Iterator[tuple[str, bool]], until: float) -> Tally:
    """Told as they come; what does not fit into the time is not tried and not counted."""
    tally = Tally()
    for name, noticed in verdicts:
        tally.tried += 1
        tally.noticed += noticed
        if not noticed:
            tally.unseen.append(name)
        sys.stdout.write(f"{'noticed' if noticed else 'UNSEEN '}  {area}: {name}\n")
        sys.stdout.flush()
        if time.monotonic() > until:
            break
    return tally


def _drawn(each: int, of_file: int) -> str:
    return f"{of_file} of each file" if of_file else f"{each} drawn" if each else "all"


def main() -> int:
    asked = argparse.ArgumentParser()
    asked.add_argument("--each", type=int, default=0, help="breaks of each area; 0: all")
    asked.add_argument("--of-file", type=int, default=0, help="breaks of each file; 0: all")
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--only", default="")
    asked.add_argument("--minutes", type=float, default=600.0)
    asked.add_argument(
        "--far", action="store_true", help="let all tests of the area look, not only the near ones"
    )
    asked.add_argument(
        "--tests",
        action="store_true",
        help="show breaks of the schema to the tests alone, half a minute each",
    )
    asked.add_argument("--report", default="", help="the name of the report that is brought up to date")
    options = asked.parse_args()
    until = time.monotonic() + options.minutes * 60
    tallies: dict[str, Tally] = {}
    with a_server() as server:
        for area, catalog in anyio.run(catalog_of, server).items():
            wanted = [each for each in catalog if options.only in f"{area} {each.name}"]
            random.Random(options.seed).shuffle(wanted)
            wanted = wanted[: options.each] if options.each else wanted
            matter = [each for each in wanted if not why_accepted(each.name)]
            if wanted:
                looked = area == "constraints"
                found = tallied(
                    area,
                    constraints(server, matter, by_look=not options.tests)
                    if looked
                    else by_rounds(server, matter, FUNCTIONS),
                    until,
                )
                found.accepted = len(wanted) - len(matter)
                tallies[area] = found
        for area, breaks in chosen(options.each, options.seed, options.only, options.of_file).items():
            if breaks:
                found = tallied(area, sources(server, breaks, also_far=options.far), until)
                found.accepted = sum(bool(why_accepted(each.name)) for each in breaks)
                tallies[area] = found
    for area, tally in tallies.items():
        sys.stdout.write(
            f"{area}: {tally.tried} tried, {tally.noticed} noticed ({tally.share:.1%}),"
            f" {tally.accepted} more change nothing\n"
        )
    if options.report:
        # Areas that were not tried now keep what was found of them before, with its commit.
        before: dict[str, Any] = (read(options.report) or {}).get("areas", {})
        now = {"commit": commit(), "seed": options.seed, "of": _drawn(options.each, options.of_file)}
        areas = {area: now | tally.report() for area, tally in tallies.items()}
        write(PROOF / f"{options.report}.json", {"areas": before | areas})
    return 1 if any(tally.unseen for tally in tallies.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
