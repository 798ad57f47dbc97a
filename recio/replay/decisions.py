"""Decides the cycles of the daemon's own recordings again and says whether the same comes out, to the last bit.

It runs the very rules that the daemon ran, on what the daemon saw; nothing is ordered and nothing is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from recio.errors import BadRecording
from recio.messages.decisions import CloseIntent, OpenIntent
from recio.recording.decode import EntryKept, ExitKept, Kept, Segment, Settings, segments_under
from recio.recording.encode import refusal
from recio.recording.lines import Refusal
from recio.rules.decision import cycles
from recio.rules.decision.entry import Waits
from recio.rules.decision.exit import Holds
from recio.rules.decision.strategy import Strategy, named
from recio.rules.pricing.model import Model, average
from recio.settings.risk import RiskSection
from recio.settings.trading import ModelKind, ModelSection

SHOWN = 5
"""Differences that are told in full."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A cycle that comes out otherwise than it did."""

    segment: str
    at: datetime
    was: str
    now: str


@dataclass(slots=True, kw_only=True)
class Decisions:
    """What deciding again has shown."""

    segments: int = 0
    cut: list[str] = field(default_factory=list[str])
    entry_cycles: int = 0
    exit_cycles: int = 0
    intents: int = 0
    """Cycles that gave an intent."""
    lost: int = 0
    first: datetime | None = None
    last: datetime | None = None
    different: int = 0
    differences: list[Difference] = field(default_factory=list[Difference])


def decide_again(paths: Sequence[Path], tables: Model | None) -> Decisions:
    """`tables` is the empirical model, for recordings that were made with one. Raises BadRecording."""
    found = Decisions()
    for segment in segments_under(paths):
        found.segments += 1
        strategies: list[Strategy] = []
        for kept in segment.decisions():
            settings = settings_of(segment)
            strategies = strategies or strategies_of(segment, settings, tables)
            _note(found, segment, kept, differences_of(segment, kept, strategies, settings.risk))
        found.lost += segment.lost
        found.cut += [segment.path.name] if segment.cut or segment.settings is None else []
    if found.first is None:
        raise BadRecording(f"{', '.join(map(str, paths))} holds no decision: nothing was compared")
    return found


def as_text(found: Decisions) -> str:
    equal = found.entry_cycles + found.exit_cycles - found.different
    lines = [
        f"{found.segments} segments of recio's own recording, {found.first} to {found.last}",
        f"{found.entry_cycles:,} cycles of entry and {found.exit_cycles:,} of exit, {found.intents:,} of them wanted an order",
        f"{equal:,} come out the same, {found.different:,} do not; {found.lost:,} could not be kept",
    ]
    lines += [f"{name} ends in the middle of a line: the daemon was killed" for name in found.cut]
    lines += [f"{each.at} in {each.segment}: was {each.was}; is {each.now}" for each in found.differences]
    return "\n".join(lines)


def as_json(found: Decisions) -> dict[str, Any]:
    return {
        "segments": found.segments,
        "cut": found.cut,
        "entry_cycles": found.entry_cycles,
        "exit_cycles": found.exit_cycles,
        "intents": found.intents,
        "lost": found.lost,
        "different": found.different,
        "differences": [
            {"segment": each.segment, "at": each.at.isoformat(), "was": each.was, "now": each.now}
            for each in found.differences
        ],
    }


def settings_of(segment: Segment) -> Settings:
    """What decided in this segment. Raises BadRecording."""
    if segment.settings is None:
        raise BadRecording(f"{segment.path} has no settings before its first cycle")
    return segment.settings


def strategies_of(segment: Segment, settings: Settings, tables: Model | None) -> list[Strategy]:
    """As they were when they decided. Raises BadRecording where they need tables that are not given."""
    return [
        Strategy(
            name=name,
            stage=each.stage,
            budget=each.budget_dollars,
            entry=each.entry,
            exit=each.exit,
            model=_model(segment, each.model, settings.models[name], tables),
            model_settings=each.model,
        )
        for name, each in settings.strategies.items()
    ]


def _model(
    segment: Segment, section: ModelSection, recorded: Mapping[str, str], tables: Model | None
) -> Model:
    if section.kind is ModelKind.AVERAGE:
        return average(section)
    named = {} if tables is None else {symbol: tables.name_for(symbol) for symbol in recorded}
    if tables is None or named != recorded:
        raise BadRecording(
            f"{segment.path} was decided by {', '.join(recorded.values())}: give those tables with --model FILE"
        )
    return tables


def differences_of(
    segment: Segment, kept: Kept, strategies: Sequence[Strategy], limits: RiskSection
) -> list[tuple[str, str]]:
    """What comes out otherwise: as it was and as it is, in words."""
    match kept:
        case EntryKept(look=look, told=told):
            asked = [named(strategies, name) for name in told]
            made = cycles.entered(look, segment.board, asked, limits)
            return [
                difference
                for name, was in told.items()
                if (difference := _difference(was, made[name], in_full=look.tickers is None))
            ]
        case ExitKept(look=look, told=told, after=after):
            decided = cycles.exited(look, segment.board, named(strategies, look.trade.strategy))
            difference = _difference(told, decided.outcome, in_full=False)
            if difference is None and decided.remembered != after:
                difference = f"remembers {after}", f"remembers {decided.remembered}"
            return [] if difference is None else [difference]


def _difference(
    was: OpenIntent | CloseIntent | Refusal,
    made: OpenIntent | CloseIntent | Waits | Holds,
    *,
    in_full: bool,
) -> tuple[str, str] | None:
    now = refusal(made, in_full=in_full) if isinstance(made, Waits | Holds) else made
    if now == was:
        return None
    return _told(was), made.sentence if isinstance(made, Waits | Holds) else _told(made)


def _note(found: Decisions, segment: Segment, kept: Kept, differences: list[tuple[str, str]]) -> None:
    told = list(kept.told.values()) if isinstance(kept, EntryKept) else [kept.told]
    found.entry_cycles += isinstance(kept, EntryKept)
    found.exit_cycles += not isinstance(kept, EntryKept)
    found.intents += any(not isinstance(each, Refusal) for each in told)
    at = kept.look.at
    found.first, found.last = found.first or at, at
    found.different += bool(differences)
    for was, now in differences[: SHOWN - len(found.differences)]:
        found.differences.append(Difference(segment=segment.path.name, at=at, was=was, now=now))


def _told(outcome: OpenIntent | CloseIntent | Refusal) -> str:
    match outcome:
        case Refusal(gate=gate, words=words):
            return words or f"{gate}, in other words"
        case OpenIntent():
            return f"{outcome.side} of {outcome.ticker} up to {outcome.limit}: {outcome.why} {dict(outcome.inputs)}"
        case CloseIntent():
            return f"sells trade {outcome.trade_id} from {outcome.floor}: {outcome.why}"
