"""`make bench`: everything that is measured, as a table, as JSON in benchmarks/out and, when asked, as docs/benchmarks.md.

Figures stand beside a peer or a floor of the same run and are never a test: a slow machine slows both. What a change
must not make worse is counted, not timed, in tests/test_counted_work.py.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import (
    import_old,
    many_readers,
    memory,
    message_flow,
    replay_speed,
    scale,
    start_up,
    tick_to_order,
)
from benchmarks.children import ROOT
from benchmarks.database import databases
from benchmarks.figures import Subject, as_markdown, as_text
from benchmarks.in_process import all_steps
from benchmarks.run import Run

OUT = ROOT / "benchmarks" / "out"
PAGE = ROOT / "docs" / "benchmarks.md"
SUBJECTS = ("steps", "ticks", "flow", "memory", "start", "replay", "scale", "readers", "import")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--only", nargs="+", choices=SUBJECTS, default=SUBJECTS, metavar="SUBJECT")
    parser.add_argument("--quick", action="store_true", help="a tenth of everything; its figures say little")
    parser.add_argument(
        "--page", action="store_true", help="write docs/benchmarks.md as well, of a whole run"
    )
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    began, load = time.perf_counter(), os.getloadavg()[0]
    found: list[Subject] = []
    with _folder() as folder, databases(folder) as servers:
        run = Run(folder=folder, databases=servers, quick=asked.quick)
        for subject in measured(run, set(asked.only)):
            print(as_text(subject), flush=True)
            found.append(subject)
    where = machine(load, time.perf_counter() - began)
    print("\n" + where)
    whole = not asked.quick and set(asked.only) == set(SUBJECTS)
    _write(found, where, page=asked.page and whole)


def measured(run: Run, only: set[str]) -> Iterator[Subject]:
    if "steps" in only:
        yield all_steps.measure(run)
    if only & {"ticks", "memory", "replay"}:
        ticks = tick_to_order.measure(run)
        yield from ticks.subjects
        if "memory" in only:
            yield memory.measure(run, ticks)
        if "replay" in only:
            yield replay_speed.measure(run, run.world("tick") / "daemon" / "data" / "recording")
    alone: dict[str, Callable[[Run], Subject]] = {
        "flow": message_flow.measure,
        "start": start_up.measure,
        "scale": scale.measure,
        "readers": many_readers.measure,
        "import": import_old.measure,
    }
    for name, measure in alone.items():
        if name in only:
            yield measure(run)


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="recio-bench-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def machine(load: float, seconds: float) -> str:
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores of {_processor()}, {platform.system()}"
        f" {platform.release().split('-')[0]}, Python {platform.python_version()};"
        f" load {load:.1f} at the start, {os.getloadavg()[0]:.1f} at the end; {seconds:.0f} s in all"
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _write(found: list[Subject], where: str, *, page: bool) -> None:
    OUT.mkdir(exist_ok=True)
    told = {"machine": where, "subjects": [each.as_json() for each in found]}
    (OUT / "benchmarks.json").write_text(
        json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    if page:
        PAGE.write_text(page_text(found, where), encoding="utf-8")
        print(PAGE.relative_to(ROOT))


def page_text(found: list[Subject], where: str) -> str:
    head = (ROOT / "benchmarks" / "page_head.md").read_text(encoding="utf-8")
    return (
        "\n".join([head, f"This run: {where}.", "", *(as_markdown(each) for each in found)]).rstrip() + "\n"
    )


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("stopped")
