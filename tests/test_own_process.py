"""A process that holds a key: ended by SIGABRT it tells every thread's stack, and its memory is nobody's."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

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
