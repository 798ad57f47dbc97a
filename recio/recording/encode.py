"""Cycles into lines: each input is written when it changed, and a board only by its markets that changed; no file is touched here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import msgspec

from recio import __version__
from recio.messages.decisions import OpenIntent
from recio.messages.markets import MarketBoard, MarketEnded, MarketView
from recio.recording.lines import FORM, Began, BoardChange, Ended, Entered, Exited, Inputs, Line, Lost
from recio.rules.decision.cycles import Cycle, EntryCycle, ExitCycle
from recio.rules.decision.exit import Holds
from recio.rules.decision.strategy import Strategy, named
from recio.settings.risk import RiskSection
from recio.settings.strategies import Stage
from recio.settings.units import OFF
from recio.units import Ticker, money_decimal

_settings = msgspec.json.Encoder(decimal_format="number")
_line = msgspec.json.Encoder()
UNKNOWN = object()
SHADOW = "shadow "


@dataclass(slots=True)
class Encoder:
    """What the segment says already."""

    limits: RiskSection
    strategies: Sequence[Strategy]
    symbols: Sequence[str]
    said: dict[str, object] = field(default_factory=dict[str, object])
    views: dict[Ticker, MarketView] = field(default_factory=dict[Ticker, MarketView])

    def begin(self, at: datetime) -> bytes:
        """The first line of a segment; from here on everything is said anew."""
        self.said.clear()
        self.views.clear()
        return _text(
            Began(
                form=FORM,
                recio=__version__,
                at=at,
                risk=_plain(self.limits.model_dump(mode="python")),
                strategies=[self._strategy(each) for each in self.strategies],
            )
        )

    def _strategy(self, strategy: Strategy) -> dict[str, Any]:
        sections = {"entry": strategy.entry, "exit": strategy.exit, "model": strategy.model_settings}
        return _plain(
            {
                "name": strategy.name,
                "stage": strategy.stage,
                "budget_dollars": OFF if strategy.budget is None else money_decimal(strategy.budget),
                **{name: each.model_dump(mode="python") for name, each in sections.items()},
                "models": {symbol: strategy.model.name_for(symbol) for symbol in self.symbols},
            }
        )

    def cycle(self, cycle: Cycle) -> bytes:
        match cycle:
            case EntryCycle(seen=seen):
                inputs = {name: getattr(seen, name) for name in ("board", "prices", "account", "controls")}
                is_shadow = named(self.strategies, cycle.strategy).stage is Stage.SHADOW
                inputs[f"{SHADOW}{cycle.strategy}" if is_shadow else "trades"] = seen.trades
                return self._changed(inputs) + _text(_entered(cycle))
            case ExitCycle():
                inputs = {name: getattr(cycle, name) for name in ("board", "prices", "controls")}
                return self._changed(inputs) + _text(_exited(cycle))

    def _changed(self, inputs: Mapping[str, Any]) -> bytes:
        changes: dict[str, Any] = {}
        for name, value in inputs.items():
            if self.said.get(name, UNKNOWN) is value:
                continue
            self.said[name] = value
            if name.startswith(SHADOW):
                changes["shadow"] = {name.removeprefix(SHADOW): value}
            else:
                changes[name] = self._board(value) if isinstance(value, MarketBoard) else value
        return _text(Inputs(**changes)) if changes else b""

    def _board(self, board: MarketBoard) -> BoardChange:
        times = Counter(view.book_at for view in board.markets if view.book_at is not None)
        usual = times.most_common(1)[0][0] if times else None
        views = {view.market.ticker: replace(view, book_at=None) for view in board.markets}
        changed = tuple(view for ticker, view in views.items() if self.views.get(ticker) != view)
        self.views = views
        return BoardChange(
            tickers=tuple(views),
            views=changed,
            book_at=usual,
            apart={
                view.market.ticker: view.book_at
                for view in board.markets
                if view.book_at != (None if view.book is None else usual)
            },
            venue=board.venue,
            clock_offset=board.clock_offset,
        )


def lost(cycles: int) -> bytes:
    return _text(Lost(cycles=cycles))


def ended(market: MarketEnded) -> bytes:
    return _text(Ended(market=market))


def _entered(cycle: EntryCycle) -> Entered:
    if isinstance(cycle.outcome, OpenIntent):
        return Entered(at=cycle.at, strategy=cycle.strategy, wants=cycle.outcome)
    return Entered(
        at=cycle.at, strategy=cycle.strategy, gate=cycle.outcome.gate, sentence=cycle.outcome.sentence
    )


def _exited(cycle: ExitCycle) -> Exited:
    outcome = cycle.decided.outcome
    return Exited(
        at=cycle.at,
        trade=cycle.trade,
        before=cycle.before,
        after=cycle.decided.remembered,
        wants=None if isinstance(outcome, Holds) else outcome,
        holds=outcome if isinstance(outcome, Holds) else None,
    )


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """With Decimal as a number, as recio.toml has it."""
    return msgspec.json.decode(_settings.encode(values))


def _text(line: Line) -> bytes:
    return _line.encode(line) + b"\n"
