"""`recio check`: says whether a config is good; it starts and changes nothing."""

from __future__ import annotations

import argparse
from pathlib import Path

from recio.commands.options import DEFAULT_CONFIG
from recio.settings.config import load


def add_options(_name: str, parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", type=Path, metavar="CONFIG", nargs="?", default=Path(DEFAULT_CONFIG))
    parser.set_defaults(command=check)


def check(options: argparse.Namespace) -> None:
    config = load(options.config)
    print(f"{options.config}: good (mode {config.mode}, environment {config.kalshi.environment})")
