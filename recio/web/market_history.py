"""What the page was shown of each market over time: one point every five seconds, in memory and bounded; no decision reads it.

It begins with each run of the daemon, so every answer says since when it is kept.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from recio.messages.decisions import Assessments
from recio.messages.markets import Market, MarketBoard
from recio.messages.orders import OpenTrades
from recio.messages.prices import Prices, PriceView
from recio.rules.market.settlement import PRINTS
from recio.units import Ticker

EVERY = timedelta(seconds=5)
"""Of market time, between two points."""
AT_ONCE = 100
"""Markets that are noted without letting anybody else run: some 0.2 ms. A board of over a thousand has its points less often."""
POINTS = 720
"""Of one market: an hour. The oldest are forgotten."""
MARKETS = 2_000
"""Those that ended first, and were not traded, are forgotten beyond."""
AFTER_CLOSE = timedelta(minutes=15)
TRADED_AFTER_CLOSE = timedelta(hours=12)
"""How long a market that was held keeps its points; coins keep theirs as long."""
LATE = timedelta(seconds=30)
"""A print of the closing minute may come so late."""
UNKNOWN = -1
PER_WHOLE = 10_000
Close = tuple[str, int]
"""Coin, and the Unix second at which its markets close."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the page is handed, at one moment."""

    board: MarketBoard | None = None
    prices: Prices | None = None
    assessments: Assessments | None = None
    trades: OpenTrades | None = None
    paper: Mapping[str, OpenTrades] = field(default_factory=dict[str, OpenTrades])

    def traded(self) -> Iterator[Ticker]:
        """Markets that are held or were traded just now, on paper too."""
        for each in (self.trades, *self.paper.values()):
            for trade in () if each is None else (*each.trades, *each.recent_trades):
                yield trade.ticker


@dataclass(slots=True)
class Quotes:
    """One market's points, oldest first, as columns of a few bytes."""

    market: Market
    """As it was last seen."""
    is_traded: bool = False
    at: array[int] = field(default_factory=lambda: array("I"))
    """Unix seconds."""
    bid: array[int] = field(default_factory=lambda: array("h"))
    """Best bid and ask of YES as Price; UNKNOWN where there is none."""
    ask: array[int] = field(default_factory=lambda: array("h"))
    probability: array[int] = field(default_factory=lambda: array("h"))
    """P(YES) in ten thousandths."""

    def add(self, at: int, bid: int, ask: int, probability: int) -> None:
        self.at.append(at)
        self.bid.append(bid)
        self.ask.append(ask)
        self.probability.append(probability)
        if len(self.at) > POINTS:
            del self.at[0], self.bid[0], self.ask[0], self.probability[0]

    def forget_after(self) -> datetime:
        return self.market.close_time + (TRADED_AFTER_CLOSE if self.is_traded else AFTER_CLOSE)


@dataclass(slots=True)
class MarketHistory:
    since: datetime | None = None
    """When the first point was taken."""
    markets: dict[Ticker, Quotes] = field(default_factory=dict[Ticker, Quotes])
    momentum: dict[str, dict[int, float]] = field(default_factory=dict[str, dict[int, float]])
    """Basis points by coin and Unix second, ascending."""
    closing: dict[Close, dict[int, Decimal]] = field(default_factory=dict[Close, dict[int, Decimal]])
    """The prints of the index in each closing minute, by Unix second."""
    _begun: datetime | None = None
    """When the newest round was begun."""
    _due: list[Ticker] = field(default_factory=list[Ticker])
    """What is left of it."""

    def look(self, seen: Seen, now: datetime) -> None:
        """A part of a round, and the next round where the last one was begun long enough ago."""
        if not self._due and (self._begun is None or abs(now - self._begun) >= EVERY):
            self._begin(seen, now)
        batch, self._due = self._due[:AT_ONCE], self._due[AT_ONCE:]
        if batch and seen.board is not None:
            self._note_quotes(batch, seen.board, seen.assessments, int(now.timestamp()))

    def _begin(self, seen: Seen, now: datetime) -> None:
        self._begun, self.since = now, self.since or now
        self._due = [] if seen.board is None else list(seen.board.by_ticker)
        for ticker in seen.traded():
            if ticker in self.markets:
                self.markets[ticker].is_traded = True
        for symbol, view in (seen.prices or Prices()).by_symbol.items():
            self._note_price(symbol, view, now)
        self._forget(now)

    def _note_quotes(
        self, batch: Sequence[Ticker], board: MarketBoard, said: Assessments | None, at: int
    ) -> None:
        probabilities = {each.ticker: each.probability for each in (said.strikes if said else ())}
        for ticker in batch:
            view = board.by_ticker.get(ticker)
            if view is None:
                continue
            kept = self.markets.get(ticker)
            if kept is None:
                kept = self.markets[ticker] = Quotes(view.market)
            if kept.market is not view.market or not kept.at:
                kept.market = view.market
                self.closing.setdefault((view.market.symbol, int(view.market.close_time.timestamp())), {})
            book, probability = view.book, probabilities.get(ticker)
            kept.add(
                at,
                book.bids[0][0] if book is not None and book.bids else UNKNOWN,
                book.asks[0][0] if book is not None and book.asks else UNKNOWN,
                UNKNOWN if probability is None else round(probability * PER_WHOLE),
            )

    def _note_price(self, symbol: str, view: PriceView, now: datetime) -> None:
        if view.momentum is not None:
            self.momentum.setdefault(symbol, {})[int(now.timestamp())] = view.momentum.bp
        second, late = now.timestamp(), LATE.total_seconds()
        for (coin, closes_at), prints in self.closing.items():
            if coin == symbol and closes_at - PRINTS <= second <= closes_at + late:
                prints |= {at: value for at, value in view.prints if closes_at - PRINTS <= at < closes_at}

    def _forget(self, now: datetime) -> None:
        for ticker in [ticker for ticker, each in self.markets.items() if each.forget_after() < now]:
            del self.markets[ticker]
        too_many = len(self.markets) - MARKETS
        if too_many > 0:
            oldest = sorted(self.markets, key=lambda each: self.markets[each].forget_after())
            for ticker in oldest[:too_many]:
                del self.markets[ticker]
        before = int((now - TRADED_AFTER_CLOSE).timestamp())
        for close in [close for close in self.closing if close[1] < before]:
            del self.closing[close]
        for points in self.momentum.values():
            while points and (first := next(iter(points))) < before:
                del points[first]
