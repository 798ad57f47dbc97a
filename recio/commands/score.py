"""`recio score`: how good the probabilities were on recordings, against the market and a naive model; it trades nothing.

`--parity` sets each order of live beside what replay and paper say of the same instant, and keeps a row for each day and strategy.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import anyio
import asyncpg

from recio.commands import model
from recio.commands.database import said_of_rows
from recio.commands.installation import Installation, find_installation, pool_of
from recio.commands.model import of_file
from recio.commands.options import add_config, add_strategy, config_of
from recio.db import parity_days
from recio.db.connection import transaction
from recio.errors import BadConfig, ExitCode
from recio.messages.orders import OrderPurpose
from recio.recording.decode import RECORDING, segments_under
from recio.report.parity import SPAN, ParityDay, ParitySpan, over_span
from recio.rules.pricing.model import Model, average
from recio.score import parity, plots
from recio.score import parity_days as sums
from recio.score.forecasts import Observation, once
from recio.score.quotes import from_quotes, looks_like_quotes, read_markets, read_quotes
from recio.score.scores import Scores, score
from recio.score.sessions import from_sessions
from recio.score.text import as_text
from recio.settings.config import Config
from recio.settings.strategies import MANUAL
from recio.settings.trading import ModelKind

AVERAGE, EMPIRICAL = "average", "empirical"
TOLD_WITHIN = timedelta(minutes=10)
"""After a close: what is recorded later tells of no end of a market of the day."""


def add_options(_name: str, parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument(
        "paths",
        type=Path,
        nargs="*",
        metavar="PATH",
        help="sessions, own recordings, or folders of quotes.csv and prices.csv; with --parity other folders of recordings",
    )
    parser.add_argument(
        "--parity",
        action="store_true",
        help="set live's orders of a day beside what replay and paper say of the same instants, and keep the day's row",
    )
    parser.add_argument(
        "--day", type=_day, metavar="DAY", help="of UTC, with --parity; default: yesterday (2026-11-01)"
    )
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="the data directory, with --parity")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    model.add_table_file(parser)
    parser.add_argument("--plots", type=Path, metavar="DIR", help="draw calibration and loss as SVG")
    add_strategy(parser)
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> ExitCode:
    if options.parity:
        return anyio.run(_parity, find_installation(options), options)
    if not options.paths:
        raise BadConfig("recio score needs recordings: name at least one PATH, or say --parity")
    config = config_of(options.config).as_strategy(options.strategy)
    scores = scored(options.paths, config, options.model)
    if options.plots:
        sys.stderr.write(draw(scores, options.plots) + "\n")
    print(as_json(scores) if options.json else as_text(scores))
    return ExitCode.OK


def _day(text: str) -> date:
    """Raises ArgumentTypeError."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day: write 2026-11-01") from None


async def _parity(place: Installation, options: argparse.Namespace) -> ExitCode:
    """Compare one day, keep its rows, and say it loudly where live and paper part."""
    now = datetime.now(UTC)
    day: date = options.day or (now - timedelta(days=1)).date()
    since = datetime.combine(day, time(), UTC)
    until = since + timedelta(days=1)
    tables = None if options.model is None else of_file(config_of(place.config), options.model)
    async with pool_of(place, "recio score") as pool:
        with said_of_rows():
            async with transaction(pool) as connection:
                rows, orders = await parity_days.live_trades(connection, since, until, MANUAL)
        trades = [
            _live(each, [order for order in orders if order.trade_id == each.trade_id]) for each in rows
        ]
        folder = place.data_dir / RECORDING
        found = segments_under(options.paths or ([folder] if folder.exists() else []))
        segments = parity.of_time(
            found,
            min((each.decided_at for each in trades), default=since),
            max((each.closes_at for each in trades), default=since) + TOLD_WITHIN,
        )
        pairs = parity.compare(segments, trades, tables)
        names = sorted({each.strategy for each in trades} | parity.live_strategies(segments))
        kept = [
            await _keep(pool, sums.day_of(day, name, [p for p in pairs if p.trade.strategy == name]), now)
            for name in names
        ]
    print(_parity_json(kept, pairs) if options.json else _parity_text(day, kept, pairs))
    loud = any(stands.parted or each.decided_otherwise for each, stands in kept)
    return ExitCode.FATAL if loud else ExitCode.OK


async def _keep(
    pool: asyncpg.Pool[asyncpg.Record], day: ParityDay, now: datetime
) -> tuple[ParityDay, ParitySpan]:
    with said_of_rows():
        async with transaction(pool) as connection:
            earlier = await parity_days.before(connection, day.strategy, day.day - SPAN, day.day)
            stands = over_span([*earlier, day])
            await parity_days.keep(connection, day, stands, now)
    return day, stands


def _live(trade: parity_days.TradeRow, orders: Sequence[parity_days.OrderRow]) -> parity.LiveTrade:
    return parity.LiveTrade(
        trade_id=trade.trade_id,
        strategy=trade.strategy,
        ticker=trade.ticker,
        side=trade.side,
        decided_at=trade.opened_at,
        closes_at=trade.closes_at,
        pnl=trade.pnl,
        result=trade.result,
        value=trade.value,
        orders=tuple(
            parity.LiveOrder(
                purpose=each.purpose,
                book_side=each.book_side,
                price=each.price,
                quantity=each.quantity,
                ordered_at=trade.opened_at if each.purpose is OrderPurpose.ENTRY else each.created_at,
                filled_at=each.filled_at,
                got=parity.Got(quantity=each.filled, value=each.value, fees=each.fees),
            )
            for each in orders
        ),
    )


def _parity_text(
    day: date, kept: Sequence[tuple[ParityDay, ParitySpan]], pairs: Sequence[parity.TradePair]
) -> str:
    if not kept:
        return f"{day}: no strategy was live, and nothing is compared"
    return "\n".join(line for each, stands in kept for line in sums.lines(each, stands, pairs))


def _parity_json(kept: Sequence[tuple[ParityDay, ParitySpan]], pairs: Sequence[parity.TradePair]) -> str:
    """Money in micro-dollars and quantities in hundredths of a contract, as everywhere inside."""
    found = {
        "days": [asdict(each) | {"span": asdict(stands), "parted": stands.parted} for each, stands in kept],
        "trades": [asdict(each) for each in pairs],
    }
    return json.dumps(found, indent=1, default=str)


def scored(paths: Sequence[Path], config: Config, tables: Path | None) -> Scores:
    """Of recorded sessions, and of folders of quotes. Raises BadRecording, BadConfig."""
    models = models_of(config, tables)
    trading = models[EMPIRICAL if config.model.kind is ModelKind.EMPIRICAL else AVERAGE]
    observations, unknown = list[Observation](), 0
    for folder in {each.resolve(): each for each in paths if looks_like_quotes(each)}.values():
        markets = read_markets(folder)
        found = from_quotes(
            read_quotes(folder, markets),
            markets,
            models,
            warmup_seconds=config.prices.warmup_seconds,
            longest_price_age=config.entry.max_price_age_seconds,
        )
        observations += found.observations
        unknown += found.without_outcome
    sessions = [each for each in paths if not looks_like_quotes(each)]
    if not sessions:
        return score(once(observations), (), unknown)
    seen = from_sessions(sessions, config, trading, models)
    scores = score(once([*observations, *seen.observations]), seen.trades, unknown + seen.without_outcome)
    return replace(scores, warnings=seen.warnings)


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
