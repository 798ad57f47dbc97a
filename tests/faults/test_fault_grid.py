"""The fault grid's selection for every run: cases spread over all points and troubles, each on real processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from recio.exchange_sim.faults.kinds import FaultKind
from recio.test_hooks.crash_points import CrashPoint
from tests.faults.cases import every_case, spread
from tests.faults.run_grid import run_cases

SELECTION = 8
LONGEST_SECONDS = 240
"""Host seconds after which no case is begun; what was not tried is then missing from the results."""


def test_the_grid_has_every_crash_point_and_at_least_1500_cases():
    cases = every_case()
    assert {case.point for case in cases} == set(CrashPoint)
    assert len({case.title for case in cases}) == len(cases) >= 1500


def test_every_fault_of_the_grid_is_one_that_the_exchange_knows():
    kinds = {
        dict(each.ask)["kind"] for case in every_case() for each in (*case.first, case.trouble) if each.ask
    }
    assert kinds <= set(FaultKind)


@pytest.mark.timeout(600)
async def test_killed_at_any_point_under_any_fault_nothing_is_lost_doubled_or_forgotten():
    cases = spread(every_case(), SELECTION)
    results = await run_cases(cases, workers=2, seconds=LONGEST_SECONDS, loud=False)
    broken = {each.title: each.failures for each in results if each.failures}
    assert not broken
    happened = [each for each in results if each.happened]
    assert len(happened) >= SELECTION * 2 // 3, {each.title: each.rejections for each in results}


@pytest.mark.timeout(120)
def test_a_grid_that_is_told_to_end_leaves_no_daemon_exchange_or_server_behind(tmp_path: Path):
    tmp_path.chmod(0o711)
    out = tmp_path / "said.txt"
    # Deaf to SIGINT from its birth, as a job in the background of a shell is.
    run = f'trap "" INT; exec {sys.executable} -u -m tests.faults.run_grid --cases 8 --workers 1 --report {tmp_path / "r.json"}'
    with out.open("wb") as said:
        grid = subprocess.Popen(
            ["/bin/sh", "-c", run], stdout=said, stderr=said, env={**os.environ, "TMPDIR": str(tmp_path)}
        )
    _wait(lambda: list(tmp_path.glob("recio-faults-*/daemon-*.log")), out)
    assert _living(tmp_path)
    grid.terminate()
    grid.wait(timeout=60)
    _wait(lambda: not _living(tmp_path), out)
    assert not list(tmp_path.glob("recio-faults-*"))


def _living(folder: Path) -> list[str]:
    """Processes that write a log or have a command line in this folder."""
    found: list[str] = []
    for each in Path("/proc").glob("[0-9]*"):
        try:
            seen = (each / "cmdline").read_text() + str((each / "fd/1").readlink())
        except OSError:
            continue
        if str(folder / "recio-faults-") in seen:
            found.append(seen)
    return found


def _wait(condition: Callable[[], object], out: Path) -> None:
    end = time.monotonic() + 50
    while not condition():
        assert time.monotonic() < end, out.read_text()
        time.sleep(0.05)
