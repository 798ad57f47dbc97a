"""Observations and paper trades from recordings of either kind, through the replay of the daemon's own decisions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from recio.messages.markets import MarketBoard
from recio.messages.prices import Prices
from recio.replay.doubts import overlaps
from recio.replay.findings import SessionFound, TradeFound
from recio.replay.run import Recording, each_by_itself, find_recordings, play
from recio.rules.pricing.model import Model
from recio.score.forecasts import Forecast, Observation, Watch, once, slot_of
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
    warnings: tuple[str, ...] = ()
    """What in the recordings does not fit together."""


@dataclass(frozen=True, slots=True)
class _Found:
    """What one recording gave."""

    forecasts: list[Forecast]
    session: SessionFound
    ends: Mapping[str, bool]
    """Whether each market ended YES, where it says so."""


def from_sessions(
    paths: Sequence[Path], config: Config, trading: Model, models: Mapping[str, Model]
) -> SessionResults:
    """Replay each recording once with the trading model, and ask all others beside it. Raises BadRecording.

    What two recordings have in common counts once, as the one has it that tells how it ended.
    """
    work = partial(_of_one, config=config, trading=trading, models=models)
    found = list(each_by_itself(work, find_recordings(paths)))
    known = once(
        each.with_outcome(one.ends[each.market])
        for one in found
        for each in one.forecasts
        if each.market in one.ends
    )
    told = {slot_of(each) for each in known}
    every = {slot_of(each) for one in found for each in one.forecasts}
    return SessionResults(
        observations=tuple(known),
        trades=each_once([each for one in found for each in one.session.trades]),
        without_outcome=len(every - told),
        warnings=tuple(_warnings([one.session for one in found])),
    )


def _of_one(recording: Recording, config: Config, trading: Model, models: Mapping[str, Model]) -> _Found:
    watch = Watch(models=models, longest_price_age=config.entry.max_price_age_seconds)

    def look(board: MarketBoard, prices: Prices, now: datetime) -> None:
        for view in board.by_ticker.values():
            watch.look(view.market, view.book, prices.by_symbol.get(view.market.symbol), now)

    found = play(recording, config, trading, look)
    return _Found(watch.forecasts, found, _ends(found))


def _warnings(sessions: Sequence[SessionFound]) -> Iterator[str]:
    for session in sessions:
        yield from (f"{session.name}: {each}" for each in session.warnings)
    for each in overlaps(sessions):
        yield f"{each}: what both saw at one moment counts once, and trades that they made at others count twice"


def each_once(trades: Sequence[TradeFound]) -> tuple[TradeFound, ...]:
    """A trade that two recordings made of one moment: as the one has it that tells how its market ended."""
    kept: dict[tuple[str, Side, datetime], TradeFound] = {}
    for each in trades:
        key = (each.trade.ticker, each.trade.side, each.trade.opened_at)
        if key not in kept or kept[key].result is None:
            kept[key] = each
    return tuple(kept.values())


def _ends(found: SessionFound) -> dict[str, bool]:
    """Whether each market ended YES, as recorded, or else by a value of the venue's."""
    results = {each.ticker: each.recorded_result or each.result for each in found.windows}
    return {ticker: result is Side.YES for ticker, result in results.items() if result is not None}
