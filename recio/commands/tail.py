"""`recio tail`: renders JSON log lines for a person; it reads and changes nothing."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from recio.commands.options import positive
from recio.errors import ExitCode, Fatal
from recio.log import LEVELS, Wanted, tail

SINCE = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d)?)?")


def add_options(_name: str, parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, nargs="?", metavar="FILE", help="default: standard input")
    parser.add_argument("--level", choices=LEVELS, default="debug", help="this one and graver ones")
    parser.add_argument("--trade", type=positive, metavar="N", help="the lines of one trade")
    parser.add_argument(
        "--only", default="", metavar="TEXT", help="lines with this in a field: a market, an order"
    )
    parser.add_argument("--task", default="", metavar="NAME", help="the lines of one task, such as entry")
    parser.add_argument("--since", type=_since, metavar="TIME", help="as 2026-11-29 or 2026-11-29T12:30, UTC")
    parser.set_defaults(command=render)


def render(options: argparse.Namespace) -> None:
    wanted = Wanted(
        level=options.level,
        trade=options.trade,
        text=options.only,
        since=options.since or "",
        task=options.task,
    )
    on_terminal = sys.stdout.isatty()
    # NO_COLOR is what people set who want none anywhere.
    colour = on_terminal and not os.environ.get("NO_COLOR")
    columns = shutil.get_terminal_size().columns if on_terminal else None
    with _opened(options.file) as lines:
        tail(lines, sys.stdout, wanted, colour=colour, columns=columns)


@contextmanager
def _opened(file: Path | None) -> Generator[TextIO]:
    """Only the opening is the file's fault: whoever stops reading what is written is none."""
    if file is None:
        yield sys.stdin
        return
    try:
        lines = file.open(encoding="utf-8", errors="replace")
        lines.readable()
    except OSError as error:
        raise Fatal(f"cannot read {file}: {error.strerror}", ExitCode.USAGE) from error
    with lines:
        yield lines


def _since(text: str) -> str:
    if not SINCE.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text} is no time such as 2026-11-29 or 2026-11-29T12:30")
    return text.replace(" ", "T")
