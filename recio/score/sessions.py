"""Observations and paper trades from recordings of either kind, through the replay of the daemon's own decisions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path

from recio.messages.markets import MarketBoard
from recio.messages.prices import Prices
from recio.replay.doubts import overlaps
from recio.replay.findings import SessionFound, TradeFound, WindowFound
from recio.replay.run import Recording, each_by_itself, find_recordings, play
from recio.rules.pricing.model import Model
from recio.score.forecasts import Forecast, Observation, Watch, once
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


def from_sessions(
    paths: Sequence[Path], config: Config, trading: Model, models: Mapping[str, Model]
) -> SessionResults:
    """Replay each recording once with the trading model, and ask all others beside it. Raises BadRecording.

    What two recordings have in common counts once, and its end is known if either tells it.
    """
    work = partial(_of_one, config=config, trading=trading, models=models)
    found = list(each_by_itself(work, find_recordings(paths)))
    sessions = [one.session for one in found]
    ends = outcomes(sessions)
    every = once(each for one in found for each in one.forecasts)
    known = [(each, ends.get((each.market, each.event))) for each in every]
    observations = tuple(each.with_outcome(end is Side.YES) for each, end in known if end is not None)
    return SessionResults(
        observations=observations,
        trades=each_once([_as_told(each, ends) for session in sessions for each in session.trades]),
        without_outcome=len(every) - len(observations),
        warnings=tuple(_warnings(sessions)),
    )


def _of_one(recording: Recording, config: Config, trading: Model, models: Mapping[str, Model]) -> _Found:
    watch = Watch(models=models, longest_price_age=config.entry.max_price_age_seconds)

    def look(board: MarketBoard, prices: Prices, now: datetime) -> None:
        for view in board.by_ticker.values():
            watch.look(view.market, view.book, prices.by_symbol.get(view.market.symbol), now)

    found = play(recording, config, trading, look)
    return _Found(watch.forecasts, found)


def _warnings(sessions: Sequence[SessionFound]) -> Iterator[str]:
    for session in sessions:
        yield from (f"{session.name}: {each}" for each in session.warnings)
    yield from _disagreements(sessions)
    for each in overlaps(sessions):
        yield f"{each}: what both saw at one moment counts once, and trades that they made at others count twice"


def each_once(trades: Sequence[TradeFound]) -> tuple[TradeFound, ...]:
    """A trade that two recordings made of one moment: as the one has it that tells how its market ended."""
    kept: dict[tuple[str, Side, datetime], TradeFound] = {}
    for each in trades:
        key = (each.trade.ticker, each.trade.side, each.trade.opened_at)
        if key not in kept or kept[key].yes_value is None:
            kept[key] = each
    return tuple(kept.values())


def outcomes(sessions: Sequence[SessionFound]) -> dict[tuple[str, str], Side | None]:
    """How each market ended, by name and close, from whichever recording tells it; None where nobody does, or two differ."""
    told: dict[tuple[str, str], set[Side]] = {}
    for each in _windows(sessions):
        told.setdefault(_key(each), set()).update(_words(each))
    return {key: next(iter(words)) if len(words) == 1 else None for key, words in told.items()}


def _words(found: WindowFound) -> set[Side]:
    """What one recording says of the end: both where it contradicts itself, and so no other can outvote it."""
    said = {found.recorded_result, found.result} if found.contradicts_itself else {found.outcome}
    return {each for each in said if each is not None}


def _disagreements(sessions: Sequence[SessionFound]) -> Iterator[str]:
    alone: dict[tuple[str, str], set[Side]] = {}
    for each in _windows(sessions):
        if each.outcome is not None:
            alone.setdefault(_key(each), set()).add(each.outcome)
    for (ticker, closes), words in alone.items():
        if len(words) > 1:
            yield f"{ticker}, which closed at {closes}: one recording tells yes and another no; its outcome counts as unknown"


def _windows(sessions: Sequence[SessionFound]) -> Iterator[WindowFound]:
    return (window for session in sessions for window in session.windows)


def _key(found: WindowFound) -> tuple[str, str]:
    return found.ticker, found.closes_at.isoformat()


def _as_told(found: TradeFound, ends: Mapping[tuple[str, str], Side | None]) -> TradeFound:
    """A trade that was paid by a word that another recording denies is unsettled."""
    end = ends.get((found.trade.ticker, found.trade.closes_at.isoformat()), found.result)
    return found if found.result is None or end is found.result else replace(found, result=None)
