"""Observations from quotes and prices that were recorded without order books: three CSV files in a folder.

prices.csv (time, symbol, price), quotes.csv (time, ticker, yes_bid, yes_ask) and markets.csv (ticker, symbol, close_time,
floor_strike, result); times are ISO with a zone, or Unix seconds. Nothing is asked about a moment with anything later.
"""

from __future__ import annotations

import csv
import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from operator import itemgetter
from pathlib import Path
from typing import TypeVar

from recio.errors import BadRecording
from recio.messages.markets import BookView, Market, MarketStatus, StrikeType
from recio.messages.prices import PriceTick, PriceView
from recio.replay.session_files import is_price
from recio.rules.price import price_error
from recio.rules.price.momentum import BASIS_POINTS
from recio.rules.price.volatility import PriceMemory
from recio.rules.pricing.model import Model
from recio.score.forecasts import Observation, Watch
from recio.settings.prices import KNOWN_BASIS_BP, USUAL_BASIS_BP
from recio.units import ONE_CONTRACT, ONE_DOLLAR, EventTicker, Price, Side, Ticker

PRICES, QUOTES, MARKETS = "prices.csv", "quotes.csv", "markets.csv"
BEFORE_CLOSE = timedelta(hours=1)
Row = Mapping[str, str]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CoinPrice:
    """A trade or print of the coin."""

    symbol: str
    price: Decimal


@dataclass(frozen=True, slots=True)
class MarketQuote:
    """The best prices of a market, None where nobody quotes."""

    ticker: str
    bid: Price | None
    ask: Price | None


@dataclass(frozen=True, slots=True)
class MarketOutcome:
    """A market and its outcome."""

    market: Market
    yes: bool


Quotes = Iterable[tuple[datetime, CoinPrice | MarketQuote]]


@dataclass(slots=True)
class _Coin:
    memory: PriceMemory
    tick: PriceTick | None = None


@dataclass(slots=True)
class QuotePlayback:
    """What is known at the moment that the quotes have reached."""

    markets: Mapping[str, MarketOutcome]
    watch: Watch
    warmup_seconds: int
    source: str
    coins: dict[str, _Coin] = field(default_factory=dict[str, _Coin])

    def hear(self, at: datetime, what: CoinPrice | MarketQuote) -> None:
        match what:
            case CoinPrice(symbol=symbol, price=price):
                coin = self.coins.setdefault(symbol, _Coin(PriceMemory(warmup_seconds=self.warmup_seconds)))
                coin.memory.remember(int(at.timestamp()), price)
                coin.tick = PriceTick(symbol=symbol, source=self.source, price=price, at=at, received_at=at)
            case MarketQuote(ticker=ticker, bid=bid, ask=ask):
                ended = self.markets.get(ticker)
                if ended is not None and self.watch.wants(ended.market, at):
                    self.watch.look(ended.market, _book(bid, ask), self._view(ended.market.symbol), at)

    def _view(self, symbol: str) -> PriceView | None:
        coin = self.coins.get(symbol)
        if coin is None or coin.tick is None:
            return None
        usual = KNOWN_BASIS_BP.get(symbol, USUAL_BASIS_BP) / BASIS_POINTS
        basis = price_error.stated(price_error.basis_of([usual]))
        return PriceView(
            tick=coin.tick,
            volatility=coin.memory.volatility(),
            momentum=coin.memory.momentum(),
            last_minute=coin.memory.last_minute(),
            unmeasured=coin.memory.holes,
            error=basis,
            basis_error=basis,
            heard_at=coin.tick.at,
        )


def from_quotes(
    quotes: Quotes,
    markets: Mapping[str, MarketOutcome],
    models: Mapping[str, Model],
    *,
    warmup_seconds: int,
    longest_price_age: float,
    source: str = "exchange",
) -> tuple[Observation, ...]:
    """Ask everybody along quotes that ascend in time."""
    watch = Watch(models=models, longest_price_age=longest_price_age)
    table = QuotePlayback(markets=markets, watch=watch, warmup_seconds=warmup_seconds, source=source)
    for at, what in quotes:
        table.hear(at, what)
    return tuple(each.with_outcome(markets[each.market].yes) for each in watch.forecasts)


def looks_like_quotes(folder: Path) -> bool:
    return all((folder / name).is_file() for name in (PRICES, QUOTES, MARKETS))


def read_quotes(folder: Path) -> Quotes:
    """Both streams as one, by time. Raises BadRecording naming the file, the line and the field."""
    prices = _stream(folder / PRICES, _priced)
    quotes = _stream(folder / QUOTES, _quoted)
    return heapq.merge(prices, quotes, key=itemgetter(0))


def read_markets(folder: Path) -> dict[str, MarketOutcome]:
    """By ticker. Raises BadRecording."""
    path = folder / MARKETS
    found: dict[str, MarketOutcome] = {}
    for number, row in _rows(path):
        ended = _read(path, number, row, _ended)
        if ended.market.ticker in found:
            raise BadRecording(f"{path} line {number}: {ended.market.ticker} is named twice")
        found[ended.market.ticker] = ended
    return found


def market_of(ticker: str, symbol: str, closes: datetime, strike: Decimal) -> Market:
    """A market of which nothing but its terms is known."""
    return Market(
        ticker=Ticker(ticker),
        event_ticker=EventTicker(ticker.rpartition("-")[0] or ticker),
        series_ticker=ticker.partition("-")[0],
        symbol=symbol,
        exchange_index=0,
        strike_type=StrikeType.GREATER_OR_EQUAL,
        floor_strike=strike,
        cap_strike=None,
        open_time=closes - BEFORE_CLOSE,
        close_time=closes,
        status=MarketStatus.ACTIVE,
        price_ranges=(),
        fee_multiplier=Decimal(1),
        rules_primary="",
        rules_secondary="",
        untradable="",
    )


def _book(bid: Price | None, ask: Price | None) -> BookView:
    return BookView(
        bids=() if bid is None else ((bid, ONE_CONTRACT),), asks=() if ask is None else ((ask, ONE_CONTRACT),)
    )


def _stream(path: Path, make: Callable[[Row], T]) -> Iterator[tuple[datetime, T]]:
    before: datetime | None = None
    for number, row in _rows(path):
        at = _read(path, number, row, _time)
        if before is not None and at < before:
            raise BadRecording(
                f"{path} line {number}: time {row['time']} lies before the line above: sort it"
            )
        before = at
        yield at, _read(path, number, row, make)


def _rows(path: Path) -> Iterator[tuple[int, Row]]:
    try:
        with path.open(encoding="utf-8", newline="") as lines:
            rows = csv.DictReader(lines, strict=True)
            for row in rows:
                if None in row or None in row.values():
                    raise BadRecording(f"{path} line {rows.line_num}: not as many fields as the header names")
                yield rows.line_num, row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadRecording(f"{path} cannot be read: {error}") from error


def _read(path: Path, number: int, row: Row, make: Callable[[Row], T]) -> T:
    try:
        return make(row)
    except KeyError as error:
        raise BadRecording(f"{path} line 1: the header lacks {error.args[0]}") from error
    except (ValueError, OverflowError, InvalidOperation) as error:
        raise BadRecording(f"{path} line {number}: {dict(row)} is refused: {error}") from error


def _time(row: Row) -> datetime:
    return _moment(row["time"])


def _moment(text: str) -> datetime:
    try:
        return datetime.fromtimestamp(float(text), UTC)
    except ValueError:
        at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return at.astimezone(UTC)


def _priced(row: Row) -> CoinPrice:
    return CoinPrice(row["symbol"], _positive(row["price"]))


def _quoted(row: Row) -> MarketQuote:
    return MarketQuote(row["ticker"], dollars(row["yes_bid"]), dollars(row["yes_ask"]))


def dollars(text: str) -> Price | None:
    """A quote; None for none, which is how an empty field and both ends of the scale are read. Raises ValueError."""
    value = Decimal(text or 0)
    if not 0 <= value <= 1:
        raise ValueError(f"{text} is not between 0 and 1 dollar")
    price = int(value * ONE_DOLLAR)
    return Price(price) if 0 < price < ONE_DOLLAR else None


def _ended(row: Row) -> MarketOutcome:
    result = Side(row["result"])
    strike = _positive(row["floor_strike"])
    market = market_of(row["ticker"], row["symbol"], _moment(row["close_time"]), strike)
    return MarketOutcome(market, result is Side.YES)


def _positive(text: str) -> Decimal:
    value = Decimal(text)
    if not is_price(value):
        raise ValueError(f"{text} is not a positive price")
    return value
