"""The exceptions and exit codes of recio; expected outcomes are values, never exceptions."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What a recio command exits with. Stable: scripts and the systemd unit rely on them."""

    OK = 0
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
    and never contains a secret. `may_pass_within`: host seconds in which it may yet turn out to have passed.
    """

    def __init__(
        self, message: str, exit_code: ExitCode = ExitCode.FATAL, *, may_pass_within: float = 0.0
    ) -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.may_pass_within = may_pass_within


class BadConfig(Fatal):
    """A setting, key or command-line value recio refuses; nothing was started or changed."""

    def __init__(self, message: str, *, may_pass_within: float = 0.0) -> None:
        super().__init__(message, ExitCode.CONFIG, may_pass_within=may_pass_within)


class BadRecording(Fatal):
    """A recording that is corrupt, truncated or not a recording."""

    def __init__(self, message: str) -> None:
        super().__init__(message, ExitCode.DATA)
