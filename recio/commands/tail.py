"""`recio tail`: renders JSON log lines for a person; it reads and changes nothing."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from recio.errors import ExitCode, Fatal
from recio.log import tail


def add_options(_name: str, parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, nargs="?", metavar="FILE", help="default: standard input")
    parser.set_defaults(command=render)


def render(options: argparse.Namespace) -> None:
    if options.file is None:
        tail(sys.stdin, sys.stdout)
        return
    try:
        with options.file.open(encoding="utf-8", errors="replace") as lines:
            tail(lines, sys.stdout)
    except OSError as error:
        raise Fatal(f"cannot read {options.file}: {error.strerror}", ExitCode.USAGE) from error
