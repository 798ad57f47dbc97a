"""What the process does when it is killed: its Python stacks go to the journal, and no copy of its memory anywhere.

The memory of a daemon holds the private key of its account. It signals nobody and changes no other process.
"""

from __future__ import annotations

import ctypes
import faulthandler
import sys

PR_SET_DUMPABLE = 4
SUID_DUMP_DISABLE = 0


def prepare_for_a_crash() -> None:
    """SIGABRT, by which a watchdog ends us, and crashes of C code write every thread's stack to standard error."""
    faulthandler.enable(all_threads=True)
    _refuse_dumps()


def _refuse_dumps() -> None:
    """No core file, and no other process of this account may read our memory. Linux only; raises nothing."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_DUMPABLE, SUID_DUMP_DISABLE, 0, 0, 0)
