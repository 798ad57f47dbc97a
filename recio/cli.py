"""The command line: finds the command, loads its file and no other, runs it; no traceback ever reaches a user."""

from __future__ import annotations

import argparse
import errno
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from types import FrameType
from typing import Any, NoReturn, Protocol, TextIO, cast

import recio
from recio.commands.ending_signals import unasked
from recio.errors import ExitCode, Fatal, Transient

COMMANDS = {
    "demo": ("demo", "run everything on this machine: exchange, database, daemon"),
    "run": ("run", "run the daemon on the venue that the config names"),
    "check": ("check", "check a config without starting anything; exit 0 or 78"),
    "init": ("init", "ask for what has no good default and write a config"),
    "doctor": ("doctor", "look at everything that money needs, with what to do"),
    "status": ("status", "what the page says, in ten lines"),
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
    "history": (
        "past_lists",
        "orders, fills, settlements, alerts and actions of the past: find, sort, write as CSV",
    ),
    "report": ("history", "what trades came to, by day, strategy, coin, price and more"),
    "lots": ("lots", "what was bought and how it was closed, first in first out, as CSV"),
    "statement": (
        "statement",
        "the own books beside the venue's statement, to the cent, with each difference",
    ),
    "close": ("close", "ask the running daemon to sell one trade, whatever its stops say"),
    "settle": ("settle", "settle a market by hand whose end the venue does not tell"),
    "import": ("import_old", "bring the data of the system before recio along"),
    "db": ("db", "the database itself: migrate its tables, grant rights, tell its size"),
    "tables": ("tables", "whether this recio can run on the tables of a database"),
    "backup": ("backups", "take a backup, follow the changes, or check the newest"),
    "restore": ("backups", "bring a backup back as a new data directory"),
    "forgo": ("forgo", "wait no longer for what a restored backup had forgotten and the venue cannot tell"),
    "drill": ("backups", "restore the newest backup beside the live database and prove it"),
    "audit": ("audit", "who did what, when, from what to what; whether the log is whole"),
    "alert": ("alert", "call somebody: try the channels, send a text, ping a check"),
    "login": ("login", "who may log in at the page, tokens for scripts, sessions that run"),
    "limits": (
        "limits",
        "show the risk limits in force; lower one at once, grant higher ones to the next start",
    ),
}
"""Each command with its file in recio/commands and what it does."""
WRONG_USE = {"import": ExitCode.CONFIG}
"""What a command ends with that does not know an option; the others with USAGE."""
ATTENDED = frozenset(
    {"halt", "flatten", "stop", "resume", "switch", "trade", "close", "settle", "limits", "forgo"}
)
"""Commands that hear signals themselves as soon as they begin to do something, and then say what they did."""


ENDS_IN_ORDER = frozenset({"run", "demo", "exchange"})
"""Commands that a signal asks to end, which is no interruption."""
AS_CTRL_C = ("SIGTERM", "SIGHUP", "SIGQUIT")
"""Signals that give a command up as Ctrl-C does: by themselves they would leave the database that it started."""
LENGTHY = frozenset({"replay", "score", "model", "report", "trades", "history", "check", "limits"})
"""Commands that say nothing until they are done, and may take longer than anybody waits in silence."""
NO_UTF8 = (
    "a path has letters that this locale cannot write (PYTHONUTF8=0 under LC_ALL=C or the like):"
    " unset PYTHONUTF8, or set LC_ALL=C.UTF-8"
)
FIRST_SIGN, NEXT_SIGN = 2.0, 5.0
"""Host seconds until somebody at a terminal is told that a command is at work, and between two such words."""


class CommandFile(Protocol):
    def add_options(self, name: str, parser: argparse.ArgumentParser) -> None:
        """Adds the command's options, and the function that runs it as the default of `command`."""
        ...


def main(arguments: list[str] | None = None) -> NoReturn:
    """Parse, run, and end with one of the exit codes that the README lists."""
    open_closed_descriptors()
    given = sys.argv[1:] if arguments is None else arguments
    with _signs_of_life(_asked(given)), _given_up_in_order(_asked(given)):
        code = _guarded(lambda: _command(given), _asked(given))
    sys.exit(int(code))


@contextmanager
def _signs_of_life(name: str) -> Generator[None]:
    """Whoever sits at a terminal is told that it goes on; what is written elsewhere is left as it is."""
    if name not in LENGTHY or sys.stderr is None or not sys.stderr.isatty():
        yield
        return
    done = threading.Event()

    def tell() -> None:
        began = time.monotonic()
        wait = FIRST_SIGN
        while not done.wait(wait):
            with suppress(OSError):
                print(
                    f"recio: {name} is at work ({time.monotonic() - began:.0f} s)",
                    file=sys.stderr,
                    flush=True,
                )
            wait = NEXT_SIGN

    threading.Thread(target=tell, daemon=True).start()
    try:
        yield
    finally:
        done.set()


def _as_ctrl_c(_number: int, _frame: FrameType | None) -> None:
    """In the background of a script Ctrl-C is told to be ignored, and would be a word that nobody hears."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        raise KeyboardInterrupt
    signal.raise_signal(signal.SIGINT)


@contextmanager
def _given_up_in_order(name: str) -> Generator[None]:
    """However a command is given up, what it opened is closed and what it started is stopped; nohup's word holds."""
    before: dict[int, Any] = {}
    if name not in ENDS_IN_ORDER and threading.current_thread() is threading.main_thread():
        asked = [getattr(signal, each) for each in AS_CTRL_C if hasattr(signal, each)]
        heard = [each for each in asked if signal.getsignal(each) is not signal.SIG_IGN]
        for number in (*heard, *unasked()):
            before[number] = signal.signal(number, _as_ctrl_c)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _command(arguments: Sequence[str]) -> ExitCode | None:
    try:
        options = _parser(arguments).parse_args(arguments)
    except SystemExit as end:
        if end.code != ExitCode.USAGE:
            raise
        return WRONG_USE.get(_asked(arguments), ExitCode.USAGE)
    _prepare_log()
    return options.command(options)


def _prepare_log() -> None:
    """Before any command speaks: unconfigured, the log would print the locals of each traceback, and a DSN is one."""
    from recio import (
        log,  # loaded by the command's file already, which a request to halt must not wait for twice
    )
    from recio.clock import Clock
    from recio.settings.system import LogSection

    log.configure(LogSection(), Clock(), sys.stderr)


def open_closed_descriptors() -> None:
    """Whoever starts us may have closed 0, 1 or 2: the next file opened would get that number, and our words go into it."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            # The lowest number that is free is this one.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
        if getattr(sys, name) is None:
            setattr(
                sys, name, os.fdopen(number, "r" if number == 0 else "w", encoding="utf-8", closefd=False)
            )


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """Every command by name, and the options of the one that is asked for: halting waits for no other file."""
    asked = _asked(arguments)
    parser = argparse.ArgumentParser(
        prog="recio", description="A trading daemon for Kalshi's crypto threshold contracts."
    )
    parser.add_argument("--version", action="version", version=f"recio {recio.__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, (file, does) in COMMANDS.items():
        command = commands.add_parser(name, help=does)
        if name == asked:
            cast("CommandFile", import_module(f"recio.commands.{file}")).add_options(name, command)
    return parser


def _asked(arguments: Sequence[str]) -> str:
    return next((each for each in arguments if not each.startswith("-")), "")


def _guarded(command: Callable[[], ExitCode | None], name: str) -> ExitCode:
    try:
        try:
            return command() or ExitCode.OK
        finally:
            _heed_no_more_signals()
    except KeyboardInterrupt:
        with suppress(OSError):
            so_far = "nothing was done" if name in ATTENDED else f"recio {name} did not come to its end"
            print(f"recio: interrupted: {so_far}", file=sys.stderr)
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        _point_nowhere(sys.stdout)
        return ExitCode.OK
    except Exception as error:  # noqa: BLE001 - the last line: a sentence instead of a traceback
        from recio.supervisor import (
            leading_fault,  # all of it is loaded by now, and would delay a command's beginning
        )

        fault = leading_fault(error)
        if isinstance(fault, BrokenPipeError):
            _point_nowhere(sys.stdout)
            return ExitCode.OK
        return _explain(fault)


def _heed_no_more_signals() -> None:
    """It ends already: one that comes too late changes neither what is told nor the exit code."""
    if threading.current_thread() is threading.main_thread():
        heard = [each for each in signal.valid_signals() if signal.getsignal(each) is _as_ctrl_c]
        asked = [getattr(signal, each) for each in ("SIGINT", *AS_CTRL_C) if hasattr(signal, each)]
        for each in (*heard, *asked):
            signal.signal(each, signal.SIG_IGN)


def _point_nowhere(stream: TextIO) -> None:
    """Nobody reads any more: what is still to be written at the end must not become an error."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _explain(fault: BaseException) -> ExitCode:
    if isinstance(fault, Transient):
        with suppress(OSError):
            print(f"recio: {fault}; whether it was done is not known: try again, or look", file=sys.stderr)
        return ExitCode.TEMPORARY
    if isinstance(fault, Fatal):
        with suppress(OSError):  # the exit code has to arrive, whether its sentence can be written or not
            print(f"recio: {fault}", file=sys.stderr)
        return fault.exit_code
    if isinstance(fault, UnicodeEncodeError) and sys.getfilesystemencoding().lower() != "utf-8":
        with suppress(OSError):
            print(f"recio: {NO_UTF8}", file=sys.stderr)
        return ExitCode.CONFIG
    if isinstance(fault, OSError) and fault.errno in (errno.ENOSPC, errno.EDQUOT):
        _point_nowhere(sys.stdout)
        with suppress(OSError):
            print(f"recio: {fault.strerror}: what it says or keeps cannot be written whole", file=sys.stderr)
        return ExitCode.TEMPORARY
    with suppress(OSError):
        _tell_bug(fault)
    return ExitCode.FATAL


def _tell_bug(fault: BaseException) -> None:
    import structlog

    from recio.log import SECRET_TEXT

    if not structlog.is_configured():
        _prepare_log()
    said = SECRET_TEXT.sub("(hidden)", str(fault))
    print(
        f"recio: unexpected {type(fault).__name__}: {said} (a bug; its traceback is in the log)",
        file=sys.stderr,
    )
    structlog.get_logger().error("recio broke", exc_info=fault)
