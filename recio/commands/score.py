"""`recio score`: how good the probabilities were on recordings, against the market and a naive model; it trades nothing."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from recio.commands import model
from recio.commands.model import of_file
from recio.commands.options import add_config, add_strategy, config_of
from recio.errors import BadConfig
from recio.rules.pricing.model import Model, average
from recio.score import plots
from recio.score.forecasts import Observation
from recio.score.quotes import from_quotes, looks_like_quotes, read_markets, read_quotes
from recio.score.scores import Scores, score
from recio.score.sessions import from_sessions
from recio.score.text import as_text
from recio.settings.config import Config
from recio.settings.trading import ModelKind

AVERAGE, EMPIRICAL = "average", "empirical"


def add_options(_name: str, parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument(
        "paths",
        type=Path,
        nargs="+",
        metavar="PATH",
        help="sessions, own recordings, or folders of quotes.csv and prices.csv",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    model.add_table_file(parser)
    parser.add_argument("--plots", type=Path, metavar="DIR", help="draw calibration and loss as SVG")
    add_strategy(parser)
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> None:
    config = config_of(options.config).as_strategy(options.strategy)
    scores = scored(options.paths, config, options.model)
    if options.plots:
        sys.stderr.write(draw(scores, options.plots) + "\n")
    print(as_json(scores) if options.json else as_text(scores))


def scored(paths: Sequence[Path], config: Config, tables: Path | None) -> Scores:
    """Of recorded sessions, and of folders of quotes. Raises BadRecording, BadConfig."""
    models = models_of(config, tables)
    trading = models[EMPIRICAL if config.model.kind is ModelKind.EMPIRICAL else AVERAGE]
    observations: list[Observation] = []
    for folder in (each for each in paths if looks_like_quotes(each)):
        observations += from_quotes(
            read_quotes(folder),
            read_markets(folder),
            models,
            warmup_seconds=config.prices.warmup_seconds,
            longest_price_age=config.entry.max_price_age_seconds,
        )
    sessions = [each for each in paths if not looks_like_quotes(each)]
    if not sessions:
        return score(observations)
    seen = from_sessions(sessions, config, trading, models)
    return score([*observations, *seen.observations], seen.trades, seen.without_outcome)


def models_of(config: Config, tables: Path | None) -> dict[str, Model]:
    """Everything that is asked, by name. Raises BadConfig where the config trades by tables and none are given."""
    if tables is None:
        return {AVERAGE: of_file(config, None)}
    return {AVERAGE: average(config.model), EMPIRICAL: of_file(config, tables)}


def as_json(scores: Scores) -> str:
    return json.dumps(asdict(scores), indent=1)


def draw(scores: Scores, folder: Path) -> str:
    """Write both drawings into a folder. Raises BadConfig where that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "calibration.svg").write_text(plots.calibration(scores), encoding="utf-8")
        (folder / "log-loss-by-time.svg").write_text(plots.loss_by_time(scores), encoding="utf-8")
    except OSError as error:
        raise BadConfig(f"--plots {folder}: cannot be written: {error.strerror}") from error
    return f"drawn into {folder}: calibration.svg, log-loss-by-time.svg"
