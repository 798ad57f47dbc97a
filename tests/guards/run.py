"""Takes out each guard in turn in a copy of the tree and runs the tests that must notice; never touches the tree itself.

Run as `make guards`, or `python tests/guards/run.py WORD` for the guards whose name contains a word.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

from tests.faults.proof_reports import PROOF, commit, write  # noqa: E402 - only importable once the root is known
from tests.guards.guards import GUARDS, Guard  # noqa: E402

AT_ONCE = 2
TIME_LIMIT = 180.0
TESTS_FAILED = 1
"""What pytest exits with when tests ran and some failed; anything else proves nothing."""
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", ".recio", "__pycache__", ".hypothesis", ".*_cache")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    guard: Guard
    noticed: bool
    says: str
    seconds: float


def try_without(guard: Guard) -> Verdict:
    """Run the tests that must notice against a copy whose guard is disabled."""
    began = time.monotonic()
    if (ROOT / guard.file).read_text(encoding="utf-8").count(guard.text) != 1:
        return _verdict(guard, False, f"its text does not stand exactly once in {guard.file}", began)
    with tempfile.TemporaryDirectory(prefix="recio-guard-") as folder:
        tree = Path(folder) / "tree"
        shutil.copytree(ROOT, tree, ignore=LEFT_OUT)
        changed = tree / guard.file
        changed.write_text(
            changed.read_text(encoding="utf-8").replace(guard.text, guard.without), encoding="utf-8"
        )
        try:
            done = _pytest(tree, guard.noticed_by, TIME_LIMIT)
        except subprocess.TimeoutExpired:
            return _verdict(guard, False, f"the tests took longer than {TIME_LIMIT:g} s", began)
    failed = _first_failure(done.stdout)
    if done.returncode == TESTS_FAILED and failed:
        return _verdict(guard, True, failed, began)
    why = (
        "no test noticed" if done.returncode == 0 else f"pytest exited with {done.returncode}: {_last(done)}"
    )
    return _verdict(guard, False, why, began)


def sound_tests(chosen: list[Guard]) -> str:
    """Why the tests say nothing, because they fail with every guard in place; empty if they pass."""
    files = sorted({name for guard in chosen for name in guard.noticed_by})
    # Most of them wait more than they compute: one after another they take longer than all the breaks of one file.
    done = _pytest(ROOT, ["-n", "4", "--dist", "worksteal", *files], TIME_LIMIT * 3)
    return "" if done.returncode == 0 else f"with every guard in place: {_last(done)}"


def _pytest(tree: Path, asked: Sequence[str], limit: float) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-m", "", *asked],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree)},
        capture_output=True,
        text=True,
        timeout=limit,
        check=False,
    )


def _verdict(guard: Guard, noticed: bool, says: str, began: float) -> Verdict:
    return Verdict(guard=guard, noticed=noticed, says=says, seconds=time.monotonic() - began)


def _first_failure(output: str) -> str:
    """The test that noticed; an error of set-up or import is no test and proves nothing."""
    found = re.search(r"^FAILED (.+?)(?: - .*)?$", output, re.MULTILINE)
    return "" if found is None else found[1].rsplit("/", 1)[-1]


def _last(done: subprocess.CompletedProcess[str]) -> str:
    lines = (done.stdout + done.stderr).strip().splitlines()
    return lines[-1][:200] if lines else "no output"


def main(words: list[str]) -> int:
    chosen = [guard for guard in GUARDS if all(word in guard.name for word in words)]
    if not chosen:
        sys.stderr.write(f"no guard is named like {' '.join(words)!r}\n")
        return 2
    began = time.monotonic()
    if why := sound_tests(chosen):
        sys.stderr.write(f"{why}\n")
        return 1
    with ThreadPoolExecutor(AT_ONCE) as pool:
        verdicts = []
        for verdict in pool.map(try_without, chosen):
            verdicts.append(verdict)
            mark = "noticed" if verdict.noticed else "UNSEEN "
            sys.stdout.write(f"{mark}  {verdict.seconds:6.1f} s  {verdict.guard.name:<52} {verdict.says}\n")
            sys.stdout.flush()
    unseen = [verdict for verdict in verdicts if not verdict.noticed]
    sys.stdout.write(
        f"{len(verdicts)} guards, {len(unseen)} that nobody notices, {time.monotonic() - began:.0f} s\n"
    )
    if not words:
        report = {"guards": len(verdicts), "unseen": [verdict.guard.name for verdict in unseen]}
        write(
            PROOF / "guards.json", {"commit": commit(), "seconds": round(time.monotonic() - began), **report}
        )
    return 1 if unseen else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
