"""Signals that end a process without a word unless somebody hears them; it hears none itself, and imports nothing that takes time."""

from __future__ import annotations

import signal

_NAMES = ("SIGALRM", "SIGVTALRM", "SIGPROF", "SIGXCPU", "SIGIO", "SIGPWR", "SIGSTKFLT")


def unasked() -> list[signal.Signals]:
    """Those of a timer, a profiler, a limit of CPU seconds, a power supply or a slip of the hand that nobody here uses himself.

    By themselves they would leave the database running and what is on its way unrecorded.
    """
    known = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
    return [each for each in known if signal.getsignal(each) is signal.SIG_DFL]
