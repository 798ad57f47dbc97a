"""Turns into lines: each input is written when it changed, and a board only by its markets that changed; no file is touched here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import msgspec

from recio import __version__
from recio.messages import MarketBoard, MarketView, OpenIntent
from recio.rules.exit import Holds
from recio.rules.turns import EntryTurn, ExitTurn, Turn
from recio.tape.lines import FORM, Began, BoardChange, Entered, Exited, Inputs, Line, Lost
from recio.units import Ticker

_settings = msgspec.json.Encoder(decimal_format="number")
_line = msgspec.json.Encoder()
UNKNOWN = object()


@dataclass(slots=True)
class Encoder:
    """What the segment says already."""

    settings: Mapping[str, Mapping[str, Any]]
    """By section: plain values, Decimal where it is money."""
    models: Mapping[str, str]
    said: dict[str, object] = field(default_factory=dict[str, object])
    views: dict[Ticker, MarketView] = field(default_factory=dict[Ticker, MarketView])

    def begin(self, at: datetime) -> bytes:
        """The first line of a segment; from here on everything is said anew."""
        self.said.clear()
        self.views.clear()
        settings = msgspec.json.decode(_settings.encode(self.settings))
        return _text(Began(form=FORM, recio=__version__, at=at, models=dict(self.models), settings=settings))

    def turn(self, turn: Turn) -> bytes:
        match turn:
            case EntryTurn(seen=seen):
                inputs = {
                    name: getattr(seen, name)
                    for name in ("board", "prices", "trades", "account", "restraints")
                }
                return self._changed(inputs) + _text(_entered(turn))
            case ExitTurn():
                inputs = {name: getattr(turn, name) for name in ("board", "prices", "restraints")}
                return self._changed(inputs) + _text(_exited(turn))

    def _changed(self, inputs: Mapping[str, Any]) -> bytes:
        changes: dict[str, Any] = {}
        for name, value in inputs.items():
            if self.said.get(name, UNKNOWN) is value:
                continue
            self.said[name] = value
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


def lost(turns: int) -> bytes:
    return _text(Lost(turns=turns))


def _entered(turn: EntryTurn) -> Entered:
    if isinstance(turn.outcome, OpenIntent):
        return Entered(at=turn.at, wants=turn.outcome)
    return Entered(at=turn.at, gate=turn.outcome.gate, sentence=turn.outcome.sentence)


def _exited(turn: ExitTurn) -> Exited:
    outcome = turn.decided.outcome
    return Exited(
        at=turn.at,
        trade=turn.trade,
        before=turn.before,
        after=turn.decided.remembered,
        wants=None if isinstance(outcome, Holds) else outcome,
        holds=outcome if isinstance(outcome, Holds) else None,
    )


def _text(line: Line) -> bytes:
    return _line.encode(line) + b"\n"
