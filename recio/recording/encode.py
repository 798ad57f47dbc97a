"""Decisions into lines: what they saw is written when it changed, and a book only by its levels that changed; no file is touched here."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec import UNSET

from recio import __version__
from recio.messages.decisions import OpenIntent
from recio.messages.markets import BoardChange, BookView, Market, MarketEnded, MarketView
from recio.messages.orders import OpenTrades, OrderView, TakenLevel, TradeView
from recio.messages.prices import Prices, PriceView
from recio.recording.lines import (
    FORM,
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
from recio.rules.decision.cycles import Cycle, EntryCycle, ExitCycle
from recio.rules.decision.entry import Waits
from recio.rules.decision.exit import ExitMemory, Holds
from recio.rules.decision.strategy import Strategy
from recio.settings.risk import RiskSection
from recio.settings.units import OFF
from recio.units import ClientOrderId, Price, Quantity, Ticker, TradeId, money_decimal

_settings = msgspec.json.Encoder(decimal_format="number")
_line = msgspec.json.Encoder()
UNKNOWN: Any = object()
EMPTY = BookView(bids=(), asks=())
MICROSECOND = timedelta(microseconds=1)
PLAIN_FIELDS = (
    "error",
    "basis_error",
    "volatility",
    "unmeasured",
    "final_minute",
    "momentum",
    "momentum_peaks",
    "unreliable",
    "doubt",
)
"""Of a price: told as they are when they change."""
GATE_OF_EXIT = "exit"
ALARM = "alarm: "


@dataclass(slots=True)
class _Said:
    """What the segment says already."""

    numbers: dict[Ticker, int] = field(default_factory=dict[Ticker, int])
    markets: dict[Ticker, Market] = field(default_factory=dict[Ticker, Market])
    inputs: dict[str, Any] = field(default_factory=dict[str, Any])
    paper: dict[str, OpenTrades] = field(default_factory=dict[str, OpenTrades])
    prices: dict[str, PriceView] = field(default_factory=dict[str, PriceView])
    recent: dict[ClientOrderId, OrderView] = field(default_factory=dict[ClientOrderId, OrderView])
    held: TradeView | None = None
    taken: tuple[TakenLevel, ...] = ()
    remembered: dict[TradeId, ExitMemory] = field(default_factory=dict[TradeId, ExitMemory])
    books: dict[Ticker, BookView | str] = field(default_factory=dict[Ticker, BookView | str])
    """Or why there is none."""


@dataclass(slots=True)
class Encoder:
    limits: RiskSection
    strategies: Sequence[Strategy]
    symbols: Sequence[str]
    began: datetime | None = None
    said: _Said = field(default_factory=_Said)
    views: dict[Ticker, MarketView] = field(default_factory=dict[Ticker, MarketView])
    """The board as it was at the newest decision, which a new segment begins with."""
    order: tuple[Ticker, ...] | None = None

    def begin(self, at: datetime) -> bytes:
        """The first line of a segment; from here on everything is said anew."""
        self.said, self.began = _Said(), at
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
            case EntryCycle():
                return self._entered(cycle)
            case ExitCycle():
                return self._exited(cycle)

    def _entered(self, cycle: EntryCycle) -> bytes:
        look, outcomes = cycle.look, cycle.outcomes
        news: dict[str, Any] = {}
        listed = self._board(look.board, news)
        self._prices(look.prices, news)
        for name in ("account", "controls"):
            self._if_new(name, getattr(look, name), news)
        self._trades(look.trades, news)
        if self.said.inputs.get("pauses", {}) != look.pauses:
            self.said.inputs["pauses"] = look.pauses
            news["pauses"] = {name: dict(each) for name, each in look.pauses.items()}
        self._paper(look.paper, news)
        wants = {name: each for name, each in outcomes.items() if isinstance(each, OpenIntent)}
        told = Entered(
            at=self._since(look.at),
            markets=None if look.tickers is None else tuple(self.said.numbers[each] for each in look.tickers),
            wants=wants,
            refused={
                name: refusal(each, in_full=look.tickers is None)
                for name, each in outcomes.items()
                if isinstance(each, Waits)
            },
        )
        return listed + _news(news) + _text(told)

    def _exited(self, cycle: ExitCycle) -> bytes:
        look, after = cycle.look, cycle.decided.remembered
        news: dict[str, Any] = {}
        trade = look.trade
        listed = self._board(look.board, news, trade.ticker)
        self._prices(look.prices, news)
        self._if_new("controls", look.controls, news)
        if self.said.held is not trade and self.said.held != trade:
            news["held"] = self.said.held = trade
        if self.said.taken != look.taken:
            news["taken"] = self.said.taken = look.taken
        outcome = cycle.decided.outcome
        told = Exited(
            at=self._since(look.at),
            trade=trade.trade_id,
            before=UNSET if self.said.remembered.get(trade.trade_id) == look.before else look.before,
            after=UNSET if after == look.before else after,
            wants=None if isinstance(outcome, Holds) else outcome,
            holds=refusal(outcome, in_full=False) if isinstance(outcome, Holds) else None,
        )
        self.said.remembered[trade.trade_id] = after
        return listed + _news(news) + _text(told)

    def _since(self, at: datetime) -> int:
        if self.began is None:
            raise ValueError("a segment begins before anything is written to it")
        return (at - self.began) // MICROSECOND

    def _if_new(self, name: str, value: Any, news: dict[str, Any], shown: Any = None) -> None:
        if self.said.inputs.get(name, UNKNOWN) is not value:
            self.said.inputs[name] = value
            news[name] = value if shown is None or value is None else shown(value)

    def _trades(self, trades: OpenTrades | None, news: dict[str, Any]) -> None:
        if self.said.inputs.get("trades", UNKNOWN) is trades:
            return
        self.said.inputs["trades"] = trades
        news["trades"] = None if trades is None else _without_past(trades)
        before = self.said.recent
        now = {} if trades is None else {each.client_order_id: each for each in trades.recent_orders}
        changed = {name: each for name, each in now.items() if before.get(name) != each}
        gone: dict[ClientOrderId, None] = dict.fromkeys(before.keys() - now.keys())
        self.said.recent = now
        if changed or gone:
            news["recent"] = {**changed, **gone}

    def _paper(self, paper: Mapping[str, OpenTrades], news: dict[str, Any]) -> None:
        if self.said.inputs.get("paper", UNKNOWN) is paper:
            return
        self.said.inputs["paper"] = paper
        changed = {
            name: _without_past(each) for name, each in paper.items() if self.said.paper.get(name) is not each
        }
        gone: dict[str, None] = dict.fromkeys(self.said.paper.keys() - paper.keys())
        self.said.paper = dict(paper)
        if changed or gone:
            news["paper"] = {**changed, **gone}

    def _board(self, change: BoardChange | None, news: dict[str, Any], of: Ticker | None = None) -> bytes:
        """Notes what is new in `news`; returns the lines of markets that were not described yet.

        `of`: the one market that was looked at, of which alone the change speaks.
        """
        if change is None:
            if self.said.inputs.get("board", UNKNOWN) is not None:
                self.said.inputs["board"], news["no_board"] = None, True
            return b""
        is_first = self.said.inputs.get("board", UNKNOWN) in (UNKNOWN, None)
        self.said.inputs["board"] = True
        order = change.tickers if of is None else self._order_with(of, is_there=bool(change.views))
        self._remember(change.views, order)
        views = self.views.values() if is_first else change.views
        listed = b"".join(self._described(view.market) for view in views)
        if (order is not None or is_first) and self.order is not None:
            news["tickers"] = tuple(self.said.numbers[each] for each in self.order)
        self._books(views, news)
        self._if_new("venue", change.venue, news)
        heard_at = None if change.heard_at is None else self._since(change.heard_at)
        for name, value in (("heard_at", heard_at), ("clock_offset", change.clock_offset)):
            if self.said.inputs.get(name, UNKNOWN) != value:
                self.said.inputs[name] = news[name] = value
        return listed

    def _order_with(self, ticker: Ticker, *, is_there: bool) -> tuple[Ticker, ...] | None:
        """Exit may look at a board that was laid out anew before entry does; None: its market is where it was."""
        known = self.order or ()
        if (ticker in known) is is_there:
            return None
        return (*known, ticker) if is_there else tuple(each for each in known if each != ticker)

    def _remember(self, views: Iterable[MarketView], order: tuple[Ticker, ...] | None) -> None:
        self.views |= {view.market.ticker: view for view in views}
        if order is not None:
            self.order = order
            # What left the board is told anew when it comes back.
            self.said.books = {
                ticker: self.said.books[ticker] for ticker in order if ticker in self.said.books
            }
            self.views = {ticker: self.views[ticker] for ticker in order}

    def _described(self, market: Market) -> bytes:
        known = self.said.markets.get(market.ticker)
        if known is market or known == market:
            return b""
        self.said.markets[market.ticker] = market
        number = self.said.numbers.setdefault(market.ticker, len(self.said.numbers))
        return _text(Listed(number=number, market=market))

    def _books(self, views: Iterable[MarketView], news: dict[str, Any]) -> None:
        changed: list[Levels] = []
        without: list[tuple[int, str]] = []
        for view in views:
            ticker = view.market.ticker
            number, before = self.said.numbers[ticker], self.said.books.get(ticker)
            now = view.why_no_book if view.book is None else view.book
            if before is now or before == now:
                continue
            self.said.books[ticker] = now
            if isinstance(now, str):
                without.append((number, now))
            else:
                changed.append(_levels(number, before if isinstance(before, BookView) else EMPTY, now))
        if changed:
            news["books"] = tuple(changed)
        if without:
            news["no_books"] = tuple(without)

    def _prices(self, prices: Prices | None, news: dict[str, Any]) -> None:
        if self.said.inputs.get("prices", UNKNOWN) is prices:
            return
        is_known = self.said.inputs.get("prices") is not None
        self.said.inputs["prices"] = prices
        if prices is None:
            self.said.prices, news["no_prices"] = {}, True
            return
        changed: dict[str, PriceNews] = {}
        for symbol, view in prices.by_symbol.items():
            told = self._price(self.said.prices.get(symbol), view)
            if told is not None:
                changed[symbol] = told
        gone = tuple(self.said.prices.keys() - prices.by_symbol.keys())
        self.said.prices = dict(prices.by_symbol)
        if changed or not is_known:
            news["prices"] = changed
        if gone:
            news["gone"] = gone

    def _price(self, before: PriceView | None, now: PriceView) -> PriceNews | None:
        if before is now:
            return None
        fields: dict[str, Any] = {}
        for name in ("price", "source"):
            if before is None or getattr(before.tick, name) != getattr(now.tick, name):
                fields[name] = getattr(now.tick, name)
        for name, was, value in (
            ("at", before and before.tick.at, now.tick.at),
            ("received_at", before and before.tick.received_at, now.tick.received_at),
            ("heard_at", before and before.heard_at, now.heard_at),
        ):
            if was != value:
                fields[name] = self._since(value)
        for name in PLAIN_FIELDS:
            if before is None or getattr(before, name) != getattr(now, name):
                fields[name] = getattr(now, name)
        forgotten, seconds = _minute(() if before is None else before.last_minute, now.last_minute)
        prints_forgotten, prints = _minute(() if before is None else before.prints, now.prints)
        stretches = {
            "forgotten": forgotten,
            "seconds": seconds,
            "prints_forgotten": prints_forgotten,
            "prints": prints,
        }
        fields |= {name: value for name, value in stretches.items() if value}
        return PriceNews(**fields) if fields else None


def refusal(outcome: Waits | Holds, *, in_full: bool) -> Refusal:
    """What is kept of an answer that wants nothing."""
    gate = outcome.gate if isinstance(outcome, Waits) else GATE_OF_EXIT
    alarm = ALARM if isinstance(outcome, Holds) and outcome.alarm else ""
    words = alarm + outcome.sentence
    return Refusal(gate, zlib.crc32(words.encode()), words if in_full else "")


def _levels(number: int, before: BookView, now: BookView) -> Levels:
    return Levels(number, _changed(before.bids, now.bids), _changed(before.asks, now.asks))


def _changed(
    before: tuple[tuple[Price, Quantity], ...], now: tuple[tuple[Price, Quantity], ...]
) -> tuple[tuple[Price, Quantity], ...]:
    if before == now:
        return ()
    was, levels = dict(before), dict(now)
    gone = ((price, Quantity(0)) for price in was if price not in levels)
    return (*gone, *((price, there) for price, there in now if was.get(price) != there))


def _minute(
    before: tuple[tuple[int, Any], ...], now: tuple[tuple[int, Any], ...]
) -> tuple[int, tuple[tuple[int, Any], ...]]:
    """Seconds as what is forgotten of those before and what came to them."""
    if before is now or before == now:
        return 0, ()
    first = now[0] if now else None
    start = before.index(first) if first in before else len(before)
    left = before[start:]
    if now[: len(left)] != left:
        start, left = len(before), ()
    return start, now[len(left) :]


def _without_past(trades: OpenTrades) -> OpenTrades:
    return replace(trades, recent_trades=(), recent_orders=())


def lost(cycles: int) -> bytes:
    return _text(Lost(cycles=cycles))


def ended(market: MarketEnded) -> bytes:
    return _text(Ended(market=market))


def _news(fields: Mapping[str, Any]) -> bytes:
    return _text(News(**fields)) if fields else b""


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """With Decimal as a number, as recio.toml has it."""
    return msgspec.json.decode(_settings.encode(values))


def _text(line: Line) -> bytes:
    return _line.encode(line) + b"\n"
