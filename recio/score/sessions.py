"""Observations and paper trades from recordings of either kind, through the replay of the daemon's own decisions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from recio.messages.markets import MarketBoard
from recio.messages.prices import Prices
from recio.replay.findings import SessionFound, TradeFound
from recio.replay.run import Recording, each_by_itself, find_recordings, play
from recio.rules.pricing.model import Model
from recio.score.forecasts import Observation, Watch
from recio.settings.config import Config
from recio.units import Side


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionResults:
    """What recordings gave."""

    observations: tuple[Observation, ...]
    trades: tuple[TradeFound, ...]
    """All: those whose market's end nobody told as well."""
    without_outcome: int
    """Forecasts of markets whose end no recording tells."""


def from_sessions(
    paths: Sequence[Path], config: Config, trading: Model, models: Mapping[str, Model]
) -> SessionResults:
    """Replay each recording once with the trading model, and ask all others beside it. Raises BadRecording."""
    work = partial(_of_one, config=config, trading=trading, models=models)
    found = list(each_by_itself(work, find_recordings(paths)))
    return SessionResults(
        observations=tuple(each for one in found for each in one.observations),
        trades=tuple(each for one in found for each in one.trades),
        without_outcome=sum(one.without_outcome for one in found),
    )


def _of_one(
    recording: Recording, config: Config, trading: Model, models: Mapping[str, Model]
) -> SessionResults:
    watch = Watch(models=models, longest_price_age=config.entry.max_price_age_seconds)

    def look(board: MarketBoard, prices: Prices, now: datetime) -> None:
        for view in board.by_ticker.values():
            watch.look(view.market, view.book, prices.by_symbol.get(view.market.symbol), now)

    found = play(recording, config, trading, look)
    ends = _ends(found)
    known = [each for each in watch.forecasts if each.market in ends]
    return SessionResults(
        observations=tuple(each.with_outcome(ends[each.market]) for each in known),
        trades=found.trades,
        without_outcome=len(watch.forecasts) - len(known),
    )


def _ends(found: SessionFound) -> dict[str, bool]:
    """Whether each market ended YES, as recorded, or else by a value of the venue's."""
    results = {each.ticker: each.recorded_result or each.result for each in found.windows}
    return {ticker: result is Side.YES for ticker, result in results.items() if result is not None}
