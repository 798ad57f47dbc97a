"""Candles of markets over REST, one or many, live or from the historical tier; exact, and never filled in where none is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import msgspec

from recio import units
from recio.errors import Transient
from recio.kalshi.answers import exact
from recio.kalshi.rest import KalshiRest
from recio.units import Price, Quantity, Ticker

MARKETS_AT_ONCE = 100
CANDLES_AT_ONCE = 10_000
"""The venue refuses a request for more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ohlc:
    open: Price
    high: Price
    low: Price
    close: Price


@dataclass(frozen=True, slots=True, kw_only=True)
class Candle:
    """One period in YES terms; `price` is None when nothing was traded."""

    ends_at: datetime
    yes_bid: Ohlc
    yes_ask: Ohlc
    price: Ohlc | None
    volume: Quantity
    open_interest: Quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The candles that end between two times, of 1, 60 or 1440 minutes each."""

    begins: datetime
    ends: datetime
    minutes: int = 1

    @property
    def most(self) -> int:
        """How many candles one market can have in it."""
        return int((self.ends - self.begins).total_seconds()) // (60 * self.minutes) + 1

    def params(self) -> dict[str, str]:
        return {
            "start_ts": str(int(self.begins.timestamp())),
            "end_ts": str(int(self.ends.timestamp())),
            "period_interval": str(self.minutes),
        }


class _Four(Protocol):
    """The four prices of a period as either tier writes them."""

    open: str | None
    high: str | None
    low: str | None
    close: str | None


class _Live(msgspec.Struct, rename=lambda name: f"{name}_dollars"):
    open: str | None = None
    high: str | None = None
    low: str | None = None
    close: str | None = None


class _Past(msgspec.Struct):
    open: str | None = None
    high: str | None = None
    low: str | None = None
    close: str | None = None


class _LiveCandle(msgspec.Struct):
    end_period_ts: int
    yes_bid: _Live
    yes_ask: _Live
    price: _Live
    volume: str = msgspec.field(name="volume_fp")
    open_interest: str = msgspec.field(name="open_interest_fp")


class _PastCandle(msgspec.Struct):
    end_period_ts: int
    yes_bid: _Past
    yes_ask: _Past
    price: _Past
    volume: str
    open_interest: str


class _LiveCandles(msgspec.Struct):
    candlesticks: list[_LiveCandle]


class _PastCandles(msgspec.Struct):
    candlesticks: list[_PastCandle]


class _NamedCandles(msgspec.Struct):
    market_ticker: str
    candlesticks: list[_LiveCandle]


class _Batch(msgspec.Struct):
    markets: list[_NamedCandles]


async def of_market(rest: KalshiRest, series: str, ticker: Ticker, span: Span) -> tuple[Candle, ...]:
    """One live market's candles, oldest first."""
    path = f"/series/{series}/markets/{ticker}/candlesticks"
    return _ordered((await rest.read(path, _LiveCandles, span.params())).candlesticks)


async def of_past_market(rest: KalshiRest, ticker: Ticker, span: Span) -> tuple[Candle, ...]:
    """The candles of a market that has left the live lists, oldest first."""
    path = f"/historical/markets/{ticker}/candlesticks"
    return _ordered((await rest.read(path, _PastCandles, span.params())).candlesticks)


async def of_markets(
    rest: KalshiRest, tickers: Sequence[Ticker], span: Span
) -> Mapping[Ticker, tuple[Candle, ...]]:
    """The candles of many live markets; a market that the venue does not name is not in the answer.

    Raises ValueError for a span too long for a single market.
    """
    at_once = min(MARKETS_AT_ONCE, CANDLES_AT_ONCE // span.most)
    if not at_once:
        raise ValueError(
            f"{span.most} candles of one market are more than the {CANDLES_AT_ONCE} of a request"
        )
    found: dict[Ticker, tuple[Candle, ...]] = {}
    for start in range(0, len(tickers), at_once):
        wanted = {"market_tickers": ",".join(tickers[start : start + at_once])}
        page = await rest.read("/markets/candlesticks", _Batch, span.params() | wanted)
        found |= {Ticker(each.market_ticker): _ordered(each.candlesticks) for each in page.markets}
    return found


def _ordered(found: Sequence[_LiveCandle | _PastCandle]) -> tuple[Candle, ...]:
    return tuple(sorted((_candle(each) for each in found), key=lambda candle: candle.ends_at))


def _candle(each: _LiveCandle | _PastCandle) -> Candle:
    try:
        ends_at = datetime.fromtimestamp(each.end_period_ts, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise Transient(f"the venue's field end_period_ts: {each.end_period_ts} is no time") from error
    return Candle(
        ends_at=ends_at,
        yes_bid=_quoted(each.yes_bid, "yes_bid"),
        yes_ask=_quoted(each.yes_ask, "yes_ask"),
        price=_ohlc(each.price, "price"),
        volume=exact(units.quantity, each.volume, "volume"),
        open_interest=exact(units.quantity, each.open_interest, "open_interest"),
    )


def _quoted(each: _Four, field: str) -> Ohlc:
    found = _ohlc(each, field)
    if found is None:
        raise Transient(f"the venue's field {field}: open, high, low and close are missing")
    return found


def _ohlc(each: _Four, field: str) -> Ohlc | None:
    """Of a period without a trade there is none of the four; some of them without the others cannot be."""
    given = {"open": each.open, "high": each.high, "low": each.low, "close": each.close}
    missing = [name for name, text in given.items() if text is None]
    if len(missing) == len(given):
        return None
    if missing:
        raise Transient(f"the venue's field {field}: {' and '.join(missing)} missing")
    return Ohlc(**{name: exact(units.price, text or "", f"{field}.{name}") for name, text in given.items()})
