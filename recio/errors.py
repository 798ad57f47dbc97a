"""The exceptions and exit codes of recio; expected outcomes are values, never exceptions."""

from __future__ import annotations

import errno
from enum import IntEnum


class ExitCode(IntEnum):
    """What a recio command exits with. Stable: scripts and the systemd unit rely on them."""

    OK = 0
    INTERRUPTED = 130
    FATAL = 1
    USAGE = 2
    TEMPORARY = 75
    CONFIG = 78
    DATA = 65


class Transient(Exception):
    """A fault that passes: the task that raised it is restarted with back-off."""


class Fatal(Exception):
    """A fault that going on would make worse: the process stops with `exit_code`.

    The message is shown to the user as it is, so it names the thing, its value and what to do,
    and never contains a secret.
    """

    def __init__(self, message: str, exit_code: ExitCode = ExitCode.FATAL) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class DatabaseAway(Fatal):
    """The database cannot be used at the moment: nothing may go on without it, and the daemon begins anew once it is back."""

    def __init__(self, message: str) -> None:
        super().__init__(message, ExitCode.TEMPORARY)


class BadConfig(Fatal):
    """A setting, key or command-line value recio refuses; nothing was started or changed.

    `lock_is_taken`: somebody holds the lock of the account, who may be a run of our own that broke off.
    """

    def __init__(self, message: str, *, lock_is_taken: bool = False) -> None:
        super().__init__(message, ExitCode.CONFIG)
        self.lock_is_taken = lock_is_taken


def said_of_a_fault(fault: Exception) -> str:
    """The answer to a request that woke a bug of ours: it is answered all the same, and tried no second time."""
    return f"refused: fault: {type(fault).__name__}: {str(fault)[:200]}: nothing was done, and the log has all of it"


PASSING_ERRORS = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOMEM,
    errno.EAGAIN,
    errno.EINTR,
)
"""Faults of the machine that may be gone a moment later: a full disk, too many open files."""


def of_the_machine(message: str, error: OSError) -> Fatal:
    """What the machine refused: started again later where that may help, and refused for good where it cannot."""
    return Fatal(message, ExitCode.TEMPORARY) if error.errno in PASSING_ERRORS else BadConfig(message)


class BadRecording(Fatal):
    """A recording that is corrupt, truncated or not a recording."""

    def __init__(self, message: str) -> None:
        super().__init__(message, ExitCode.DATA)
