"""Crash points: a test may end the daemon at any numbered instant, and nobody else can."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from recio.errors import BadConfig
from recio.test_hooks.crash_points import VARIABLE, CrashPoint, arm

SOURCES = Path(__file__).parents[1] / "recio"
RUN = """
from recio.test_hooks.crash_points import CrashPoint, arm, reached
arm({asked!r}, simulated=True)
for passed in range(3):
    reached(CrashPoint.ENTRY_COMMITTED)
    reached(CrashPoint.COMMAND_QUEUED)
    print("passed", flush=True)
"""


def _run(asked: str | None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", RUN.format(asked=asked)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_the_process_dies_as_by_kill_9_at_the_named_passing_of_the_point():
    died = _run("COMMAND_QUEUED:2")
    assert died.returncode == -signal.SIGKILL
    assert died.stdout == "passed\n"
    assert f"crash point {CrashPoint.COMMAND_QUEUED.value} COMMAND_QUEUED reached" in died.stderr


def test_nothing_happens_at_a_point_that_nobody_armed():
    lived = _run(None)
    assert (lived.returncode, lived.stdout.count("passed")) == (0, 3)


def test_a_crash_point_is_refused_outside_the_simulator_before_anything_starts():
    with pytest.raises(BadConfig, match=f"{VARIABLE}.*unset it"):
        arm("COMMAND_QUEUED", simulated=False)


@pytest.mark.parametrize(
    ("asked", "said"),
    [("COMMAND_QUEUD", "nearest one is COMMAND_QUEUED"), ("COMMAND_QUEUED:0", "whole number")],
)
def test_a_point_that_does_not_exist_is_named_with_the_nearest_one(asked: str, said: str):
    with pytest.raises(BadConfig, match=said):
        arm(asked, simulated=True)


def test_every_numbered_point_is_passed_somewhere_in_the_daemon():
    named: set[str] = set()
    for source in SOURCES.rglob("*.py"):
        named |= set(re.findall(r"reached\(CrashPoint\.([A-Z_]+)\)", source.read_text(encoding="utf-8")))
    assert named == set(CrashPoint.__members__)
