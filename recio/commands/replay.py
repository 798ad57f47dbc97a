"""`recio replay`: recordings through the same parsers, books, rules and life cycle; it trades on paper at most."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from recio.commands import model
from recio.commands.options import add_config, add_strategy, config_of
from recio.recording.decode import is_own_recording
from recio.replay import decisions
from recio.replay.report import as_json, as_text
from recio.replay.run import replay


def add_options(_name: str, parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument("paths", type=Path, nargs="+", metavar="PATH")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--paper", action="store_true", help="trade the daemon's own recordings by this config's settings"
    )
    model.add_table_file(parser)
    add_strategy(parser)
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> None:
    own = [] if options.paper else [path for path in options.paths if is_own_recording(path)]
    others = [path for path in options.paths if path not in own]
    config, told = config_of(options.config).as_strategy(options.strategy), list[str]()
    if own:
        tables = None if options.model is None else model.of_file(config, options.model)
        found = decisions.decide_again(own, tables)
        told.append(
            json.dumps(decisions.as_json(found), indent=1) if options.json else decisions.as_text(found)
        )
    if others or not own:
        report = replay(others, config, model.of_file(config, options.model))
        told.append(json.dumps(as_json(report), indent=1) if options.json else as_text(report))
    print("\n".join(told))
