"""What the process may do and leaves behind: enough open files, its Python stacks in the journal when it is killed, and no copy of its memory.

The memory of a daemon holds the private key of its account. It signals nobody and changes no other process.
"""

from __future__ import annotations

import ctypes
import faulthandler
import resource
import sys

PR_SET_DUMPABLE = 4
SUID_DUMP_DISABLE = 0
OPEN_FILES = 4_096
"""As in the unit: a terminal allows 1,024, of which the page takes an eighth."""


def allow_open_files() -> None:
    """As many as the unit allows, where the system lets us; never fewer than before."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def prepare_for_a_crash() -> None:
    """SIGABRT, by which a watchdog ends us, and crashes of C code write every thread's stack to standard error."""
    faulthandler.enable(all_threads=True)
    _refuse_dumps()


def _refuse_dumps() -> None:
    """No core file, and no other process of this account may read our memory. Linux only; raises nothing."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_DUMPABLE, SUID_DUMP_DISABLE, 0, 0, 0)
