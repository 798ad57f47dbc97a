"""Starts recio's commands as processes of their own, with everything imported beforehand; it tests nothing itself.

A start is a fork of a server that has read the modules and run none of them: a proof of thousands of lives would
otherwise spend half of its time on imports. What runs in the child is the command line, as from a shell.
"""

from __future__ import annotations

import os
from functools import cache
from multiprocessing import get_context
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

from recio.cli import main

IMPORTED = ["recio.cli", "recio.commands.run", "recio.commands.exchange", "tests.faults.processes"]


@cache
def _server() -> ForkServerContext:
    context = get_context("forkserver")
    context.set_forkserver_preload(IMPORTED)
    return context


def spawn(arguments: list[str], log: Path, more: dict[str, str]) -> ForkServerProcess:
    """`recio ARGUMENTS` with `more` in its environment; what it prints is in `log`, which begins empty."""
    log.write_bytes(b"")
    process = _server().Process(target=_run, args=(arguments, log, {**os.environ, **more}), daemon=False)
    process.start()
    return process


def _run(arguments: list[str], log: Path, environment: dict[str, str]) -> None:
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    os.environ.clear()
    os.environ.update(environment)
    main(arguments)
