"""A process that holds a key: ended by SIGABRT it tells every thread's stack, its memory is nobody's, and it may open files enough."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys

import pytest

from recio.daemon.own_process import OPEN_FILES

ENDS = """
import ctypes, os, threading
from recio.daemon.own_process import prepare_for_a_crash
def waits_elsewhere():
    threading.Event().wait()
threading.Thread(target=waits_elsewhere, daemon=True).start()
prepare_for_a_crash()
print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), flush=True)
os.abort()
"""
"""The third call of prctl asks whether a process may be dumped."""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has prctl")
def test_an_aborted_daemon_tells_its_stacks_and_leaves_no_core():
    done = subprocess.run(
        [sys.executable, "-c", ENDS], capture_output=True, text=True, timeout=20, check=False
    )
    assert done.returncode == -signal.SIGABRT
    assert "Fatal Python error: Aborted" in done.stderr
    assert "waits_elsewhere" in done.stderr
    assert done.stdout == "0\n"


ALLOWS = """
import resource
from recio.daemon.own_process import allow_open_files
resource.setrlimit(resource.RLIMIT_NOFILE, (256, int(resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
allow_open_files()
before = resource.getrlimit(resource.RLIMIT_NOFILE)
allow_open_files()
assert resource.getrlimit(resource.RLIMIT_NOFILE) == before
resource.setrlimit(resource.RLIMIT_NOFILE, (512, 512))
allow_open_files()
print(before[0], resource.getrlimit(resource.RLIMIT_NOFILE))
"""


def test_open_files_are_raised_to_what_the_unit_allows_and_never_beyond_what_the_system_allows():
    done = subprocess.run(
        [sys.executable, "-c", ALLOWS], capture_output=True, text=True, timeout=20, check=True
    )
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    most = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    assert done.stdout == f"{most} (512, 512)\n"
