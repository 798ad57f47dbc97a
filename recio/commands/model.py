"""`recio model`: builds empirical tables from candles, keeps and lists them, and fits the settlement average; it trades nothing."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import anyio

from recio.commands.database import rows_of
from recio.commands.options import add_config, config_of
from recio.daemon import data_dir
from recio.daemon.database import dsn_in_use
from recio.db import empirical_models
from recio.db.empirical_models import Provenance
from recio.errors import BadConfig
from recio.model.build import Built, build
from recio.model.candles import read_candles
from recio.model.fit import FittedAverage, Likelihoods, fit, in_use, judge
from recio.model.table_file import read_table, write_table
from recio.rules.price.volatility import HORIZONS
from recio.rules.pricing.empirical import COLUMNS, FEWEST, STEP
from recio.rules.pricing.model import Model, average
from recio.settings.config import Config
from recio.settings.trading import ModelKind

SHOWN_HORIZONS = (1, 5, 15, 30, 60)
SHOWN_MOVES = (0.001, 0.0025, 0.005, 0.01)


def add_options(_name: str, parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    build = actions.add_parser("build", help="count the moves of one-minute candles by momentum")
    add_config(build)
    _add_candles(build)
    build.add_argument("--symbol", default="BTC", metavar="COIN", help="default: BTC")
    build.add_argument("--out", type=Path, metavar="FILE", help="write a file and touch no database")
    build.set_defaults(command=_build)
    fit = actions.add_parser(
        "fit", help="fit the settlement average's numbers to one-minute candles, and print them"
    )
    _add_candles(fit)
    fit.add_argument(
        "--judge", type=Path, metavar="CANDLES", help="later candles, to see how the fit does on them"
    )
    fit.set_defaults(command=_fit)
    shown = actions.add_parser("list", help="every model that the database keeps")
    add_config(shown)
    shown.set_defaults(command=_list)


def add_table_file(parser: argparse.ArgumentParser) -> None:
    """The option of commands that read tables from a file."""
    parser.add_argument(
        "--model", type=Path, metavar="FILE", help="empirical tables of `recio model build --out`"
    )


def _add_candles(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths", type=Path, nargs="+", metavar="CANDLES", help="CSV files, plain or gzipped, or folders"
    )


def _build(options: argparse.Namespace) -> None:
    config = config_of(options.config)
    built = make(options.paths, options.symbol)
    print(save(built, options.out) if options.out else anyio.run(keep, config, built))


def _fit(options: argparse.Namespace) -> None:
    print(fitted(options.paths, options.judge))


def _list(options: argparse.Namespace) -> None:
    print(anyio.run(listed, config_of(options.config)))


def make(paths: Sequence[Path], symbol: str) -> Built:
    """Read and build, without touching any database. Raises BadConfig."""
    return build(read_candles(paths), symbol)


async def keep(config: Config, built: Built) -> str:
    """Put a model into the daemon's database; it is used from the daemon's next start on."""
    if built.table.symbol not in config.symbols:
        raise BadConfig(
            f"--symbol {built.table.symbol} is not one of the config's: {', '.join(config.symbols)};"
            " a model is looked up by its symbol"
        )
    made_of = Provenance(
        first_minute=built.first_minute,
        last_minute=built.last_minute,
        minutes=built.minutes,
        parameters=built.parameters,
    )
    async with (
        dsn_in_use(data_dir.place_of(config), config.database.dsn.get_secret_value()) as dsn,
        rows_of(dsn, "recio model") as connection,
    ):
        number, is_new = await empirical_models.add(connection, built.table, made_of)
    kept = "kept, used from the next start on" if is_new else "was kept before; nothing was changed"
    return f"{told(built)}\nmodel {number}: {kept}"


def save(built: Built, path: Path) -> str:
    write_table(built.table, path)
    return f"{told(built)}\nwritten to {path}"


def of_file(config: Config, path: Path | None) -> Model:
    """The model of a replay: the settlement average, or the tables of a file. Raises BadConfig."""
    if path is None:
        if config.model.kind is ModelKind.EMPIRICAL:
            raise BadConfig(
                f'model.kind = "{config.model.kind}" needs tables, and a replay takes them from a file: --model FILE,'
                " made by recio model build CANDLES --out FILE"
            )
        return average(config.model)
    table = read_table(path)
    return Model(kind=ModelKind.EMPIRICAL, tables={table.symbol: table})


def told(built: Built) -> str:
    """What a model was made of, and some of what it says."""
    since, until = (
        datetime.fromtimestamp(each * 60, UTC) for each in (built.first_minute, built.last_minute)
    )
    counted = {number: bucket for number, bucket in built.table.buckets.items() if bucket.samples >= FEWEST}
    lines = [
        f"{built.table.symbol} from {built.minutes:,} minutes, {since:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M} UTC,"
        f" {len(counted)} of {len(built.table.buckets)} buckets with at least {FEWEST} minutes",
        f"digest {built.table.digest}",
        "momentum  minutes "
        + "".join(f"{move:>16.2%}" for move in SHOWN_MOVES)
        + "   (% ends so far up / down)",
    ]
    for number in (min(counted, default=0), 0, max(counted, default=0)):
        bucket = built.table.buckets[number]
        for minutes in SHOWN_HORIZONS:
            columns = [min(round(move / STEP), COLUMNS - 1) for move in SHOWN_MOVES]
            shares = "".join(
                f"{bucket.up[minutes - 1][at]:>8.2%}{bucket.down[minutes - 1][at]:>8.2%}" for at in columns
            )
            lines.append(f"{number:>8}  {minutes:>7} {shares}")
    return "\n".join(lines)


def fitted(paths: Sequence[Path], later: Path | None) -> str:
    """The numbers of `recio/rules/pricing/average_fit.py` as these candles give them, and how they and those in use do."""
    candles = read_candles(paths)
    found = fit(candles)
    judged = candles if later is None else read_candles([later])
    on = "the same candles" if later is None else str(later)
    return "\n".join(
        [
            f"from {candles.known:,} minutes",
            "",
            *_numbers(found),
            "",
            f"On {on}: mean log density of a move, and its size at 50 %, 90 % and 99 % in units of the one expected",
            f"{'':>14}{'minutes':>9}{'windows':>10}{'15-minute volatility':>22}{'fit':>8}{'50 %':>8}{'90 %':>8}{'99 %':>8}",
            *(_likelihood("this fit", each) for each in judge(judged, found)),
            *(_likelihood("fit in use", each) for each in judge(judged, in_use())),
        ]
    )


def _numbers(found: FittedAverage) -> Iterator[str]:
    horizons = zip(HORIZONS, found.weights, strict=True)
    yield f"HORIZONS = {tuple((seconds, part) for (seconds, _), part in horizons)}"
    yield f"volatility_error = {found.volatility_error}"
    for each in found.tails:
        yield f"Tails(seconds={each.seconds:g}, scale={each.scale})"
    for name, row in (("weekday", found.time_of_day.weekday), ("weekend", found.time_of_day.weekend)):
        yield f"{name} = ({', '.join(f'{each:.2f}' for each in row)})"


def _likelihood(name: str, each: Likelihoods) -> str:
    beyond = "".join(f"{size:>8.2f}" for size in each.beyond)
    return f"{name:<14}{each.minutes:>9}{each.windows:>10,}{each.plain:>22.3f}{each.fitted:>8.3f}{beyond}"


async def listed(config: Config) -> str:
    async with (
        dsn_in_use(data_dir.place_of(config), config.database.dsn.get_secret_value()) as dsn,
        rows_of(dsn, "recio model") as connection,
    ):
        found = await empirical_models.versions(connection)
    if not found:
        return "no model was ever built: recio model build CANDLES..."
    return "\n".join(
        f"{each.model_id:>4}  {each.symbol:<6} {each.minutes:>10,} minutes  {each.candles_from:%Y-%m-%d} to"
        f" {each.candles_to:%Y-%m-%d}  built {each.built_at:%Y-%m-%d %H:%M} UTC  {each.digest[:16]}"
        for each in found
    )
