"""Lines back into decisions and what they saw, exactly: every float, Decimal and microsecond. Raises BadRecording naming file and line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace as changed
from pydantic import ValidationError

from recio.errors import BadRecording
from recio.messages.account import AccountView
from recio.messages.controls import TradingControls
from recio.messages.decisions import CloseIntent, OpenIntent
from recio.messages.markets import BoardChange, BookView, Market, MarketBoard, MarketEnded, MarketView
from recio.messages.orders import OpenTrades, OrderView, TakenLevel, TradeView
from recio.messages.prices import Prices, PriceTick, PriceView
from recio.recording.batches import lines_of
from recio.recording.lines import (
    READABLE,
    Began,
    Ended,
    Entered,
    Exited,
    Levels,
    Line,
    Listed,
    Lost,
    News,
    PriceNews,
    Refusal,
)
from recio.rules.account.lifecycle import made_at
from recio.rules.decision.cycles import EntryLook, ExitLook
from recio.rules.decision.exit import ExitMemory
from recio.rules.decision.momentum_pause import PauseMemory
from recio.rules.market import market_board
from recio.settings.risk import RiskSection
from recio.settings.strategies import StrategySection
from recio.units import ClientOrderId, Price, Quantity, Ticker, TradeId

ENDING = ".recording.gz"
ENDINGS = (ENDING, ".tape.gz")
"""The second is that of forms 1 and 2: it is found so that it can be refused with a sentence, and expires like the others."""
RECORDING = "recording"
"""The folder of the recording, in the data directory."""
_decode = msgspec.json.Decoder(Line).decode
T = TypeVar("T")
Side = tuple[tuple[Price, Quantity], ...]
NO_LEVELS = BookView(bids=(), asks=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the recorded daemon decided by."""

    risk: RiskSection
    strategies: dict[str, StrategySection]
    """By name, the common one first."""
    models: dict[str, dict[str, str]]
    """Of each strategy the name of the model of each symbol."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryKept:
    """A decision of entry: what was seen, and by strategy what came of it."""

    look: EntryLook
    told: Mapping[str, OpenIntent | Refusal]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitKept:
    """A decision of exit: what was seen, what came of it and what is remembered of it."""

    look: ExitLook
    told: CloseIntent | Refusal
    after: ExitMemory


Kept = EntryKept | ExitKept


@dataclass(slots=True)
class Segment:
    """One file while it is read."""

    path: Path
    settings: Settings | None = None
    began: datetime | None = None
    lost: int = 0
    """Decisions that the daemon could not keep."""
    cut: bool = False
    """It ends in the middle of a line: the daemon was killed."""
    board: MarketBoard | None = None
    """As it was at the decision that was read last; changed in place."""
    prices: Prices | None = None
    trades: OpenTrades | None = None
    recent: dict[ClientOrderId, OrderView] = field(default_factory=dict[ClientOrderId, OrderView])
    """The newest orders, whatever became of them."""
    paper: dict[str, OpenTrades] = field(default_factory=dict[str, OpenTrades])
    account: AccountView | None = None
    controls: TradingControls | None = None
    pauses: dict[str, dict[str, PauseMemory]] = field(default_factory=dict[str, "dict[str, PauseMemory]"])
    held: dict[TradeId, TradeView] = field(default_factory=dict[TradeId, TradeView])
    taken: tuple[TakenLevel, ...] = ()
    remembered: dict[TradeId, ExitMemory] = field(default_factory=dict[TradeId, ExitMemory])
    tickers: list[Ticker] = field(default_factory=list[Ticker])
    """By the numbers of the markets."""
    markets: dict[Ticker, Market] = field(default_factory=dict[Ticker, Market])
    """All that were described so far, as they were last."""
    ends: dict[Ticker, MarketEnded] = field(default_factory=dict[Ticker, MarketEnded])
    """That the venue has told so far."""
    fresh: dict[Ticker, None] = field(default_factory=dict[Ticker, None])
    """Markets that are another than at the decision before."""
    is_laid_out_anew: bool = False

    def decisions(self) -> Iterator[Kept]:
        """All decisions in order; `board` is as each saw it until the next is asked for."""
        for number, raw in enumerate(lines_of(self.path), 1):
            if raw is None:
                self.cut = True
                return
            try:
                line = _decode(raw)
                kept = self._take(line, number)
            except (
                msgspec.MsgspecError,
                ValidationError,
                UnicodeDecodeError,
                KeyError,
                IndexError,
                TypeError,
                OverflowError,
            ) as error:
                raise BadRecording(
                    f"{self.path} line {number}: not a line of a recording: {error}"
                ) from error
            if kept is not None:
                yield kept

    def _take(self, line: Line, number: int) -> Kept | None:
        if isinstance(line, Began) is not (number == 1):
            raise BadRecording(
                f"{self.path} line {number}: a segment begins with its settings, and only once"
            )
        match line:
            case Began():
                self.settings, self.began = _settings(self.path, line), line.at
            case Listed():
                self._list(line)
            case News():
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

    def _at(self, microseconds: int) -> datetime:
        if self.began is None:
            raise KeyError("the beginning")
        return self.began + timedelta(microseconds=microseconds)

    def _list(self, line: Listed) -> None:
        ticker = line.market.ticker
        if line.number == len(self.tickers):
            self.tickers.append(ticker)
        if self.tickers[line.number] != ticker:
            raise KeyError(f"{ticker} as number {line.number}, which is {self.tickers[line.number]}")
        self.markets[ticker] = line.market
        if self.board is not None and ticker in self.board.by_ticker:
            self.board.by_ticker[ticker] = changed(self.board.by_ticker[ticker], market=line.market)
            self.fresh[ticker] = None

    def _change(self, news: News) -> None:
        self._change_board(news)
        self.prices = None if news.no_prices else self._changed_prices(news)
        self._change_trades(news)
        if news.paper is not UNSET:
            changed = {**self.paper, **news.paper}
            self.paper = {name: each for name, each in changed.items() if each is not None}
        self.account = _newer(news.account, self.account)
        self.controls = _newer(news.controls, self.controls)
        self.pauses = _newer(news.pauses, self.pauses)
        if news.held is not UNSET:
            self.held[news.held.trade_id] = news.held
        self.taken = _newer(news.taken, self.taken)

    def _change_trades(self, news: News) -> None:
        if news.trades is UNSET:
            return
        known = {**self.recent, **news.recent}
        self.recent = {name: each for name, each in known.items() if each is not None}
        newest_first = tuple(sorted(self.recent.values(), key=made_at, reverse=True))
        self.trades = None if news.trades is None else replace(news.trades, recent_orders=newest_first)

    def _change_board(self, news: News) -> None:
        if news.no_board:
            self.board = None
            return
        if self.board is None:
            if news.venue is UNSET:
                return
            self.board = MarketBoard(venue=news.venue)
        board = self.board
        for levels in news.books:
            self._put(board, levels.number, _with_levels(board, self.tickers[levels.number], levels), "")
        for number, why in news.no_books:
            self._put(board, number, None, why)
        if news.tickers is not UNSET:
            order = [self.tickers[number] for number in news.tickers]
            board.by_ticker = {ticker: board.by_ticker[ticker] for ticker in order}
            self.is_laid_out_anew = True
        board.venue = _newer(news.venue, board.venue)
        board.clock_offset = _newer(news.clock_offset, board.clock_offset)
        if news.heard_at is not UNSET:
            board.heard_at = None if news.heard_at is None else self._at(news.heard_at)

    def _put(self, board: MarketBoard, number: int, book: BookView | None, why: str) -> None:
        ticker = self.tickers[number]
        board.by_ticker[ticker] = MarketView(market=self.markets[ticker], book=book, why_no_book=why)
        self.fresh[ticker] = None

    def _changed_prices(self, news: News) -> Prices | None:
        if news.prices is UNSET and not news.gone:
            return self.prices
        by_symbol = dict((self.prices or Prices()).by_symbol)
        changed: dict[str, PriceNews] = {} if news.prices is UNSET else news.prices
        for symbol, told in changed.items():
            by_symbol[symbol] = self._price(symbol, by_symbol.get(symbol), told)
        for symbol in news.gone:
            del by_symbol[symbol]
        return Prices(by_symbol=by_symbol)

    def _price(self, symbol: str, before: PriceView | None, told: PriceNews) -> PriceView:
        was = before and before.tick
        minute, prints = ((), ()) if before is None else (before.last_minute, before.prints)
        return PriceView(
            tick=PriceTick(
                symbol=symbol,
                source=told.source or _known(was).source,
                price=_known(was).price if told.price is None else told.price,
                at=_known(was).at if told.at is None else self._at(told.at),
                received_at=_known(was).received_at
                if told.received_at is None
                else self._at(told.received_at),
            ),
            volatility=_newer(told.volatility, before and before.volatility),
            error=_told(told.error, before and before.error),
            basis_error=_told(told.basis_error, before and before.basis_error),
            unmeasured=_newer(told.unmeasured, () if before is None else before.unmeasured),
            final_minute=_newer(told.final_minute, before and before.final_minute),
            last_minute=(*minute[told.forgotten :], *told.seconds),
            prints=(*prints[told.prints_forgotten :], *told.prints),
            heard_at=_known(before).heard_at if told.heard_at is None else self._at(told.heard_at),
            momentum=_newer(told.momentum, before and before.momentum),
            momentum_peaks=_newer(told.momentum_peaks, () if before is None else before.momentum_peaks),
            unreliable=_newer(told.unreliable, "" if before is None else before.unreliable),
            doubt=_newer(told.doubt, "" if before is None else before.doubt),
        )

    def _board_change(self) -> BoardChange | None:
        """What is new on the board since the decision before."""
        fresh, self.fresh = self.fresh, {}
        is_laid_out_anew, self.is_laid_out_anew = self.is_laid_out_anew, False
        if self.board is None:
            return None
        whole = market_board.everything(self.board)
        if is_laid_out_anew:
            return whole
        known = self.board.by_ticker
        return changed(whole, views=tuple(known[each] for each in fresh if each in known), tickers=None)

    def _entered(self, line: Entered) -> EntryKept:
        look = EntryLook(
            at=self._at(line.at),
            tickers=None if line.markets is None else tuple(self.tickers[each] for each in line.markets),
            board=self._board_change(),
            prices=self.prices,
            trades=self.trades,
            paper=self.paper,
            account=self.account,
            controls=self.controls,
            pauses=self.pauses,
        )
        return EntryKept(look=look, told={**line.wants, **line.refused})

    def _exited(self, line: Exited) -> ExitKept:
        told = line.wants or line.holds
        if told is None:
            raise KeyError("wants, or holds")
        before = _newer(line.before, self.remembered.get(line.trade))
        if before is None:
            raise KeyError("what was remembered before")
        after = _newer(line.after, before)
        self.remembered[line.trade] = after
        trade = self.held[line.trade]
        look = ExitLook(
            at=self._at(line.at),
            trade=trade,
            board=self._of_one(trade.ticker),
            prices=self.prices,
            controls=self.controls,
            before=before,
            taken=self.taken,
        )
        return ExitKept(look=look, told=told, after=after)

    def _of_one(self, ticker: Ticker) -> BoardChange | None:
        """As the daemon's exit saw it; what is new stays new for entry's next decision."""
        if self.board is None:
            return None
        view = self.board.by_ticker.get(ticker)
        whole = market_board.everything(self.board)
        return changed(whole, views=() if view is None else (view,), tickers=None)


def _with_levels(board: MarketBoard, ticker: Ticker, levels: Levels) -> BookView:
    view = board.by_ticker.get(ticker)
    before = NO_LEVELS if view is None or view.book is None else view.book
    return BookView(
        bids=_changed(before.bids, levels.bids, highest_first=True),
        asks=_changed(before.asks, levels.asks, highest_first=False),
    )


def _changed(before: Side, changes: Side, *, highest_first: bool) -> Side:
    if not changes:
        return before
    levels = dict(before) | dict(changes)
    return tuple(sorted((each for each in levels.items() if each[1]), reverse=highest_first))


def _told(change: float | UnsetType, before: float | None) -> float:
    return _known(before) if change is UNSET else change


def _known(value: T | None) -> T:
    if value is None:
        raise KeyError("the price before")
    return value


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
