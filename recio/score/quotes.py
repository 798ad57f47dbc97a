"""Observations from quotes and prices that were recorded without order books: three CSV files in a folder.

prices.csv (time, symbol, price), quotes.csv (time, ticker, yes_bid, yes_ask) and markets.csv (ticker, symbol, close_time,
floor_strike, result, and where they are not thresholds from below strike_type and cap_strike); times are ISO with a zone, or
Unix seconds. Nothing is asked about a moment with anything later.
"""

from __future__ import annotations

import csv
import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from operator import itemgetter
from pathlib import Path
from typing import TypeVar

from recio.errors import BadRecording
from recio.messages.markets import BookView, Market, MarketStatus, StrikeType
from recio.messages.prices import PriceTick, PriceView
from recio.replay.session_files import EARLIEST_MS, LATEST_MS, aware, far_off, is_near, positive
from recio.rules.price import price_error
from recio.rules.price.momentum import BASIS_POINTS
from recio.rules.price.volatility import PriceMemory
from recio.rules.pricing.model import Model
from recio.score.forecasts import SLOT_SECONDS, Observation, Watch
from recio.settings.prices import KNOWN_BASIS_BP, USUAL_BASIS_BP
from recio.units import ONE_CONTRACT, ONE_DOLLAR, EventTicker, Price, Ticker

PRICES, QUOTES, MARKETS = "prices.csv", "quotes.csv", "markets.csv"
COLUMNS: Mapping[str, tuple[str, ...]] = {
    PRICES: ("time", "symbol", "price"),
    QUOTES: ("time", "ticker", "yes_bid", "yes_ask"),
    MARKETS: ("ticker", "symbol", "close_time", "floor_strike", "result"),
}
BEFORE_CLOSE = timedelta(hours=1)
FLOOR, CAP = frozenset({"floor_strike"}), frozenset({"cap_strike"})
NEEDED: Mapping[StrikeType, frozenset[str]] = {
    StrikeType.GREATER_OR_EQUAL: FLOOR,
    StrikeType.GREATER: FLOOR,
    StrikeType.LESS: CAP,
    StrikeType.LESS_OR_EQUAL: CAP,
    StrikeType.BETWEEN: FLOOR | CAP,
}
"""The strikes that a market of each kind has; no other may stand there."""
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
    """A market and its outcome; None where nobody told it."""

    market: Market
    yes: bool | None


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
    unlisted: set[tuple[str, int]] = field(default_factory=set[tuple[str, int]])
    """Slots with a quote of a market that is not listed: of it neither strike nor end are known."""

    def hear(self, at: datetime, what: CoinPrice | MarketQuote) -> None:
        match what:
            case CoinPrice(symbol=symbol, price=price):
                coin = self.coins.setdefault(symbol, _Coin(PriceMemory(warmup_seconds=self.warmup_seconds)))
                coin.memory.remember(int(at.timestamp()), price)
                coin.tick = PriceTick(symbol=symbol, source=self.source, price=price, at=at, received_at=at)
            case MarketQuote(ticker=ticker, bid=bid, ask=ask):
                ended = self.markets.get(ticker)
                if ended is None:
                    self.unlisted.add((ticker, int(at.timestamp() // SLOT_SECONDS)))
                elif self.watch.wants(ended.market, at):
                    self.watch.look(ended.market, _book(bid, ask), self._view(ended.market.symbol), at)

    def _view(self, symbol: str) -> PriceView | None:
        coin = self.coins.get(symbol)
        if coin is None or coin.tick is None:
            return None
        usual = KNOWN_BASIS_BP.get(symbol, USUAL_BASIS_BP) / BASIS_POINTS
        memory, now = coin.memory, coin.tick.at.timestamp()
        basis = price_error.stated(price_error.basis_of([usual]))
        return PriceView(
            tick=coin.tick,
            volatility=memory.volatility(),
            momentum=None if memory.is_past(now) else memory.momentum(),
            last_minute=memory.last_minute(),
            unmeasured=memory.unmeasured(now),
            error=basis,
            basis_error=basis,
            heard_at=coin.tick.at,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteResults:
    """What a folder of quotes gave."""

    observations: tuple[Observation, ...]
    without_outcome: int
    """Moments of markets whose end nobody told."""


def from_quotes(
    quotes: Quotes,
    markets: Mapping[str, MarketOutcome],
    models: Mapping[str, Model],
    *,
    warmup_seconds: int,
    longest_price_age: float,
    source: str = "exchange",
) -> QuoteResults:
    """Ask everybody along quotes that ascend in time."""
    watch = Watch(models=models, longest_price_age=longest_price_age)
    table = QuotePlayback(markets=markets, watch=watch, warmup_seconds=warmup_seconds, source=source)
    for at, what in quotes:
        table.hear(at, what)
    ended = [(each, markets[each.market].yes) for each in watch.forecasts]
    known = tuple(each.with_outcome(yes) for each, yes in ended if yes is not None)
    return QuoteResults(observations=known, without_outcome=len(ended) - len(known) + len(table.unlisted))


def looks_like_quotes(folder: Path) -> bool:
    return all((folder / name).is_file() for name in (PRICES, QUOTES, MARKETS))


def read_quotes(folder: Path, markets: Mapping[str, MarketOutcome] | None = None) -> Quotes:
    """Both streams as one, by time. Raises BadRecording naming the file, the line and the field.

    With the markets, a price that lies nowhere near the strikes of its coin is refused too.
    """
    strikes = strikes_by_symbol(each.market for each in (markets or {}).values())
    prices = _stream(folder / PRICES, lambda row: _priced(row, strikes))
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


def market_of(ticker: str, symbol: str, closes: datetime, strike: Decimal | None) -> Market:
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
        # A table saved by a spreadsheet begins with a mark of its encoding.
        with path.open(encoding="utf-8-sig", newline="") as lines:
            rows = csv.DictReader(lines, strict=True)
            _check_header(path, rows.fieldnames)
            for row in rows:
                if None in row or None in row.values():
                    raise BadRecording(f"{path} line {rows.line_num}: not as many fields as the header names")
                yield rows.line_num, row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadRecording(f"{path} cannot be read: {error}") from error


def _check_header(path: Path, header: Sequence[str] | None) -> None:
    wanted = COLUMNS[path.name]
    if not header:
        raise BadRecording(f"{path} is empty: it needs at least a header with {','.join(wanted)}")
    if missing := [name for name in wanted if name not in header]:
        raise BadRecording(
            f"{path} line 1: the header lacks {', '.join(missing)}; it has {','.join(header)!r}"
        )
    if twice := sorted({name for name in header if header.count(name) > 1}):
        raise BadRecording(f"{path} line 1: the header names {', '.join(twice)} twice")


def _read(path: Path, number: int, row: Row, make: Callable[[Row], T]) -> T:
    try:
        return make(row)
    except ValueError as error:
        raise BadRecording(f"{path} line {number}: {error}") from error


def _field(row: Row, name: str, read: Callable[[str], T]) -> T:
    """Raises ValueError naming the field and what it may be."""
    try:
        return read(row[name])
    except InvalidOperation as error:
        raise ValueError(f"{name} {row[name]!r} is refused: not a decimal number") from error
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{name} {row[name]!r} is refused: {error}") from error


def _time(row: Row) -> datetime:
    return _field(row, "time", _moment)


def _moment(text: str) -> datetime:
    try:
        seconds = float(text)
    except ValueError:
        return aware(text)
    if not EARLIEST_MS <= seconds * 1_000 <= LATEST_MS:
        raise ValueError("not Unix seconds between the years 2000 and 2100")
    return datetime.fromtimestamp(seconds, UTC)


def _priced(row: Row, strikes: Mapping[str, Sequence[Decimal]]) -> CoinPrice:
    price, known = _field(row, "price", positive), strikes.get(row["symbol"])
    if known and not is_near(price, known):
        raise ValueError(far_off(price, known))
    return CoinPrice(row["symbol"], price)


def strikes_by_symbol(markets: Iterable[Market]) -> dict[str, list[Decimal]]:
    """The strikes of each coin, the lowest first."""
    found: dict[str, list[Decimal]] = {}
    for each in markets:
        found.setdefault(each.symbol, []).extend(
            strike for strike in (each.floor_strike, each.cap_strike) if strike is not None
        )
    return {symbol: sorted(strikes) for symbol, strikes in found.items()}


def _quoted(row: Row) -> MarketQuote:
    return MarketQuote(row["ticker"], _field(row, "yes_bid", dollars), _field(row, "yes_ask", dollars))


def dollars(text: str) -> Price | None:
    """A quote; None for none, which is how an empty field and both ends of the scale are read. Raises ValueError."""
    value = Decimal(text or 0)
    if not value.is_finite() or not 0 <= value <= 1:
        raise ValueError("not between 0 and 1 dollar")
    price = int(value * ONE_DOLLAR)
    return Price(price) if 0 < price < ONE_DOLLAR else None


def _ended(row: Row) -> MarketOutcome:
    kind = _field({"strike_type": "", **row}, "strike_type", _strike_type)
    strikes = [
        _field({"cap_strike": "", **row}, name, positive if name in NEEDED[kind] else _no_strike)
        for name in ("floor_strike", "cap_strike")
    ]
    closes = _field(row, "close_time", _moment)
    known = replace(
        market_of(row["ticker"], row["symbol"], closes, strikes[0]), strike_type=kind, cap_strike=strikes[1]
    )
    if kind is StrikeType.BETWEEN and not _ascend(*strikes):
        raise ValueError(f"cap_strike {row['cap_strike']!r} is refused: not above floor_strike")
    return MarketOutcome(known, _field(row, "result", _result))


def _strike_type(text: str) -> StrikeType:
    """Nothing said: YES is a mean of at least floor_strike."""
    kind = StrikeType.GREATER_OR_EQUAL if not text else next((each for each in NEEDED if each == text), None)
    if kind is None:
        raise ValueError(f"none of {', '.join(NEEDED)}")
    return kind


def _no_strike(text: str) -> None:
    if text:
        raise ValueError("a market of this strike_type has none: leave it empty, or name its strike_type")


def _ascend(floor: Decimal | None, cap: Decimal | None) -> bool:
    return floor is not None and cap is not None and floor < cap


def _result(text: str) -> bool | None:
    if text not in ("yes", "no", ""):
        raise ValueError("neither yes nor no, nor empty where nobody told")
    return text == "yes" if text else None
