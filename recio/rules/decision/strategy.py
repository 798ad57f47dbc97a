"""A strategy as the tasks use it: its name, stage, budget, settings and model; it decides nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from recio.rules.pricing.model import AVERAGE, Model
from recio.settings.strategies import DEFAULT, Stage
from recio.settings.trading import EntrySection, ExitSection, ModelSection
from recio.units import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    name: str = DEFAULT
    stage: Stage = Stage.LIVE
    budget: Money | None = None
    entry: EntrySection = field(default_factory=EntrySection)
    exit: ExitSection = field(default_factory=ExitSection)
    model: Model = AVERAGE
    model_settings: ModelSection = field(default_factory=ModelSection)


def named_by_config(strategies: Iterable[Strategy]) -> list[Strategy]:
    """Those that the config names, or the one that it has."""
    every = list(strategies)
    return [each for each in every if each.name != DEFAULT] or every


def named(strategies: Iterable[Strategy], name: str) -> Strategy:
    """The strategy of a trade. One that the config no longer names is sold by the rules of the first."""
    every = tuple(strategies)
    return next((each for each in every if each.name == name), every[0])


def of_the_forgotten(strategies: Iterable[Strategy]) -> str:
    """The strategy of an entry that no row remembers: the only one that buys, or else the one whose rules sell unknown trades."""
    live = [each.name for each in strategies if each.stage is Stage.LIVE]
    return live[0] if len(live) == 1 else DEFAULT
