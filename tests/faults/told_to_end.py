"""Lets a proof that is told to end do so as by Ctrl-C, with its daemons, exchanges and servers; it must never leave one running."""

from __future__ import annotations

import signal


def ends_with_all_it_started() -> None:
    """To be called before its loop begins: a job in the background of a shell is born deaf to SIGINT, and SIGTERM would end it at once."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda number, frame: signal.raise_signal(signal.SIGINT))
