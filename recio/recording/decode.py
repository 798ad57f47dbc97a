"""Lines back into cycles, exactly as they were: every float, Decimal and microsecond. Raises BadRecording naming file and line."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET
from pydantic import ValidationError

from recio.errors import BadRecording
from recio.messages.account import AccountView
from recio.messages.controls import TradingControls
from recio.messages.markets import Market, MarketBoard, MarketEnded, MarketView
from recio.messages.orders import OpenTrades
from recio.messages.prices import Prices
from recio.recording.lines import READABLE, Began, BoardChange, Ended, Entered, Exited, Inputs, Line, Lost
from recio.rules.decision.cycles import Cycle, EntryCycle, ExitCycle
from recio.rules.decision.entry import EntryInputs, Waits
from recio.rules.decision.exit import ExitDecision
from recio.settings.risk import RiskSection
from recio.settings.strategies import Stage, StrategySection
from recio.units import Ticker

ENDING = ".recording.gz"
ENDINGS = (ENDING, ".tape.gz")
"""The second is that of forms 1 and 2: it is found so that it can be refused with a sentence, and expires like the others."""
RECORDING = "recording"
"""The folder of the recording, in the data directory."""
_decode = msgspec.json.Decoder(Line).decode
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the recorded daemon decided by."""

    risk: RiskSection
    strategies: dict[str, StrategySection]
    """By name, the common one first."""
    models: dict[str, dict[str, str]]
    """Of each strategy the name of the model of each symbol."""


@dataclass(slots=True)
class Segment:
    """One file while it is read."""

    path: Path
    settings: Settings | None = None
    lost: int = 0
    """Cycles that the daemon could not keep."""
    cut: bool = False
    """It ends in the middle of a line: the daemon was killed."""
    board: MarketBoard | None = None
    views: dict[Ticker, MarketView] = field(default_factory=dict[Ticker, MarketView])
    prices: Prices | None = None
    trades: OpenTrades | None = None
    shadow: dict[str, OpenTrades | None] = field(default_factory=dict[str, "OpenTrades | None"])
    account: AccountView | None = None
    controls: TradingControls | None = None
    markets: dict[Ticker, Market] = field(default_factory=dict[Ticker, Market])
    """All that were on a board so far, as they were last."""
    ends: dict[Ticker, MarketEnded] = field(default_factory=dict[Ticker, MarketEnded])
    """That the venue has told so far."""

    def cycles(self) -> Iterator[Cycle]:
        """All cycles in order."""
        for number, raw in enumerate(self._lines(), 1):
            try:
                line = _decode(raw)
                cycle = self._take(line, number)
            except (msgspec.MsgspecError, ValidationError, UnicodeDecodeError, KeyError, TypeError) as error:
                raise BadRecording(
                    f"{self.path} line {number}: not a line of a recording: {error}"
                ) from error
            if cycle is not None:
                yield cycle

    def _lines(self) -> Iterator[bytes]:
        try:
            with gzip.open(self.path, "rb") as stream:
                for raw in stream:
                    if not raw.endswith(b"\n"):
                        self.cut = True
                        return
                    yield raw
        except EOFError:
            self.cut = True
        except (gzip.BadGzipFile, zlib.error) as error:
            raise BadRecording(f"{self.path} is not a whole gzip stream ({error})") from error
        except OSError as error:
            raise BadRecording(f"{self.path} cannot be read: {error.strerror or error}") from error

    def _take(self, line: Line, number: int) -> Cycle | None:
        if isinstance(line, Began) is not (number == 1):
            raise BadRecording(
                f"{self.path} line {number}: a segment begins with its settings, and only once"
            )
        match line:
            case Began():
                self.settings = _settings(self.path, line)
            case Inputs():
                self._change(line)
            case Lost(cycles=cycles):
                self.lost += cycles
            case Ended(market=market):
                self.ends[market.ticker] = market
            case Entered():
                return self._entered(line)
            case Exited():
                return self._exited(line)
        return None

    def _change(self, inputs: Inputs) -> None:
        if inputs.board is not UNSET:
            self.board = None if inputs.board is None else self._changed_board(inputs.board)
        self.prices = _newer(inputs.prices, self.prices)
        self.trades = _newer(inputs.trades, self.trades)
        self.shadow |= {} if inputs.shadow is UNSET else inputs.shadow
        self.account = _newer(inputs.account, self.account)
        self.controls = _newer(inputs.controls, self.controls)

    def _changed_board(self, change: BoardChange) -> MarketBoard:
        self.views |= {view.market.ticker: view for view in change.views}
        self.markets |= {view.market.ticker: view.market for view in change.views}
        self.views = {ticker: self.views[ticker] for ticker in change.tickers}
        markets: list[MarketView] = []
        for ticker, view in self.views.items():
            at = change.apart.get(ticker) if ticker in change.apart else change.book_at
            markets.append(
                view if view.book is None and ticker not in change.apart else replace(view, book_at=at)
            )
        return MarketBoard(markets=tuple(markets), venue=change.venue, clock_offset=change.clock_offset)

    def _trades_of(self, strategy: str) -> OpenTrades | None:
        section = None if self.settings is None else self.settings.strategies.get(strategy)
        if section is not None and section.stage is Stage.SHADOW:
            return self.shadow.get(strategy)
        return self.trades

    def _entered(self, line: Entered) -> EntryCycle:
        seen = EntryInputs(
            board=self.board,
            prices=self.prices,
            trades=self._trades_of(line.strategy),
            account=self.account,
            controls=self.controls,
        )
        outcome = Waits(gate=line.gate, sentence=line.sentence) if line.wants is None else line.wants
        return EntryCycle(at=line.at, strategy=line.strategy, seen=seen, outcome=outcome)

    def _exited(self, line: Exited) -> ExitCycle:
        outcome = line.wants or line.holds
        if outcome is None:
            raise KeyError("wants, or holds")
        return ExitCycle(
            at=line.at,
            trade=line.trade,
            board=self.board,
            prices=self.prices,
            controls=self.controls,
            before=line.before,
            decided=ExitDecision(outcome=outcome, remembered=line.after),
        )


def segments_under(paths: Sequence[Path]) -> list[Segment]:
    """The segments of some files and folders, each once, in order of their names."""
    found: dict[Path, Path] = {}
    for path in paths:
        for each in segment_files(path.rglob) if path.is_dir() else [path]:
            found.setdefault(each.resolve(), each)
    return [Segment(path) for path in found.values()]


def is_own_recording(path: Path) -> bool:
    """Whether this is a recording of the daemon's own, the folder of one, or the data directory with it."""
    folders = (path, path / RECORDING)
    return path.name.endswith(ENDINGS) or any(segment_files(each.glob) for each in folders)


def segment_files(found_by: Callable[[str], Iterable[Path]]) -> list[Path]:
    """The files of segments that a folder's glob finds, in order of their names."""
    return sorted(each for ending in ENDINGS for each in found_by(f"*{ending}"))


def _newer(change: Any, before: T) -> T:
    return before if change is UNSET else change


def _settings(path: Path, line: Began) -> Settings:
    if line.form not in READABLE:
        raise BadRecording(
            f"{path} is of form {line.form}, written by recio {line.recio}, and this one reads only"
            f" {' and '.join(map(str, READABLE))}: replay it with the version that wrote it, or move it out of the folder"
        )
    # Numbers as they were written: money must not pass through a float.
    plain: dict[str, Any] = json.loads(
        msgspec.json.encode({"risk": line.risk, "strategies": line.strategies}), parse_float=Decimal
    )
    strategies: dict[str, StrategySection] = {}
    models: dict[str, dict[str, str]] = {}
    for each in plain["strategies"]:
        name = each.pop("name")
        models[name] = each.pop("models")
        strategies[name] = StrategySection(**each)
    return Settings(risk=RiskSection(**plain["risk"]), strategies=strategies, models=models)
