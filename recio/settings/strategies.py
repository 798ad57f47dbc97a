"""Named strategies of recio.toml: each has its own stage and budget, and takes from [entry], [exit] and [model] what it does not say.

It decides nothing; what a strategy is while the daemon runs stands in `recio/rules/decision/strategy.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Any, cast

from recio.settings.section import Section
from recio.settings.trading import EntrySection, ExitSection, ModelSection
from recio.settings.units import MoneyOrOff, zero_would

DEFAULT = "default"
"""The name of the one strategy of a config that names none; its trades are those of [entry] and [exit]."""
MANUAL = "manual"
"""The strategy of trades that a person asks for; they are sold by the common [exit]."""
RESERVED = frozenset({DEFAULT, MANUAL})
INHERITED = ("entry", "exit", "model")
NAME = "^[a-z][a-z0-9_-]{0,23}$"


class Stage(StrEnum):
    LIVE = "live"
    SHADOW = "shadow"
    """Decides and is scored, and orders nothing."""
    OFF = "off"
    """Opens nothing; what it still holds is sold by its own rules."""


class StrategySection(Section):
    stage: Stage = Stage.SHADOW
    budget_dollars: Annotated[
        MoneyOrOff, zero_would("let nothing be bought", 'write "off" for no budget, or stage = "off"')
    ] = None
    """Most that its open trades may cost at their worst; None is no bound of its own."""
    entry: EntrySection = EntrySection()
    exit: ExitSection = ExitSection()
    model: ModelSection = ModelSection()


def with_inherited(table: dict[str, Any]) -> dict[str, Any]:
    """The config's table with every strategy's sections filled up from the common ones; what is no table stays as it is."""
    named = table.get("strategies")
    if not isinstance(named, dict):
        return table
    filled = {
        name: _filled(cast("dict[str, Any]", each), table) if isinstance(each, dict) else each
        for name, each in cast("dict[str, Any]", named).items()
    }
    return table | {"strategies": filled}


def _filled(strategy: dict[str, Any], table: dict[str, Any]) -> dict[str, Any]:
    """A common section counts only where it is a table, and so does the strategy's own."""
    return strategy | {
        name: common | own
        for name in INHERITED
        if isinstance(common := table.get(name, {}), dict) and isinstance(own := strategy.get(name, {}), dict)
    }


def own_faults(faults: Iterable[tuple[tuple[str, ...], str]], table: dict[str, Any]) -> list[str]:
    """Of (place, sentence) those that stand where somebody wrote them: what was taken over is told once, at its source."""
    told = list(faults)
    kept = [sentence for place, sentence in told if not _is_taken_over(place, table)]
    return kept or [sentence for _, sentence in told]


def _is_taken_over(place: tuple[str, ...], table: dict[str, Any]) -> bool:
    if len(place) < 4 or place[0] != "strategies" or place[2] not in INHERITED:
        return False
    value: Any = table
    for key in place:
        if not isinstance(value, dict) or key not in value:
            return True
        value = cast("dict[str, Any]", value)[key]
    return False
