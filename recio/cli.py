"""The command line: finds the command, loads its file and no other, runs it; no traceback ever reaches a user."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from typing import NoReturn, Protocol, cast

import structlog

from recio import __version__, log
from recio.clock import Clock
from recio.errors import ExitCode, Fatal
from recio.settings.system import LogSection
from recio.supervisor import leading_fault

COMMANDS = {
    "demo": ("demo", "run everything on this machine: exchange, database, daemon"),
    "run": ("run", "run the daemon on the venue that the config names"),
    "check": ("check", "check a config without starting anything; exit 0 or 78"),
    "exchange": ("exchange", "serve a Kalshi that runs here until stopped"),
    "replay": ("replay", "run recorded sessions through the same rules"),
    "score": ("score", "how good the probabilities were on recordings"),
    "model": ("model", "what a probability is made of: build, fit, list"),
    "tail": ("tail", "render JSON log lines for a person"),
    "halt": ("halts", "stop new orders until somebody resumes; exits go on"),
    "flatten": ("halts", "stop new orders and sell everything held while its market is open"),
    "stop": ("halts", "stop new orders, end the daemon, and let it not start until somebody resumes"),
    "resume": ("halts", "clear every halt; first find out why it was set"),
    "switch": ("switch", "switch entry or exit off and on, each by itself"),
    "trade": ("trade", "ask the running daemon to buy, through its gates and limits"),
    "trades": ("history", "list trades of the past: real, on paper, imported"),
    "report": ("history", "what trades came to, by day, strategy, coin, price and more"),
    "import": ("import_old", "bring the data of the system before recio along"),
    "limits": ("limits", "show the risk limits in force; grant higher ones to the next start"),
}
"""Each command with its file in recio/commands and what it does."""


class CommandFile(Protocol):
    def add_options(self, name: str, parser: argparse.ArgumentParser) -> None:
        """Adds the command's options, and the function that runs it as the default of `command`."""
        ...


def main(arguments: list[str] | None = None) -> NoReturn:
    """Parse, run, and end with one of the exit codes that the README lists."""
    options = _parser(sys.argv[1:] if arguments is None else arguments).parse_args(arguments)
    # Before any command speaks: unconfigured, the log would print the locals of each traceback, and a DSN is one.
    log.configure(LogSection(), Clock(), sys.stderr)
    sys.exit(int(_guarded(lambda: options.command(options))))


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """Every command by name, and the options of the one that is asked for: halting waits for no other file."""
    asked = next((each for each in arguments if not each.startswith("-")), "")
    parser = argparse.ArgumentParser(
        prog="recio", description="A trading daemon for Kalshi's crypto threshold contracts."
    )
    parser.add_argument("--version", action="version", version=f"recio {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, (file, does) in COMMANDS.items():
        command = commands.add_parser(name, help=does)
        if name == asked:
            cast("CommandFile", import_module(f"recio.commands.{file}")).add_options(name, command)
    return parser


def _guarded(command: Callable[[], ExitCode | None]) -> ExitCode:
    try:
        return command() or ExitCode.OK
    except KeyboardInterrupt:
        return ExitCode.OK
    except BrokenPipeError:
        return ExitCode.OK
    except Exception as error:  # noqa: BLE001 - the last line: a sentence instead of a traceback
        return _explain(leading_fault(error))


def _explain(fault: BaseException) -> ExitCode:
    if isinstance(fault, Fatal):
        with suppress(OSError):  # the exit code has to arrive, whether its sentence can be written or not
            print(f"recio: {fault}", file=sys.stderr)
        return fault.exit_code
    with suppress(OSError):
        said = log.SECRET_TEXT.sub("(hidden)", str(fault))
        print(
            f"recio: unexpected {type(fault).__name__}: {said} (a bug; its traceback is in the log)",
            file=sys.stderr,
        )
    structlog.get_logger().error("recio broke", exc_info=fault)
    return ExitCode.FATAL
