"""Books and public trades over REST, live or from the venue's historical tier; exact, and read whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from recio import units
from recio.errors import Transient
from recio.kalshi.answers import Instant, exact
from recio.kalshi.rest import KalshiRest
from recio.units import ONE_DOLLAR, BookSide, Price, Quantity, Ticker

BOOKS_AT_ONCE = 100
PAGE = "1000"
Levels = tuple[tuple[Price, Quantity], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RestBook:
    """Bids of both outcomes, each side's in its own terms, best first."""

    ticker: Ticker
    yes: Levels
    no: Levels


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicTrade:
    trade_id: str
    ticker: Ticker
    price: Price
    """YES terms."""
    quantity: Quantity
    taker_side: BookSide
    at: datetime


class _Sides(msgspec.Struct):
    yes_dollars: list[tuple[str, str]] | None = None
    no_dollars: list[tuple[str, str]] | None = None


class _OneBook(msgspec.Struct):
    orderbook_fp: _Sides


class _NamedBook(msgspec.Struct):
    ticker: str
    orderbook_fp: _Sides


class _Books(msgspec.Struct):
    orderbooks: list[_NamedBook]


class _Trade(msgspec.Struct):
    trade_id: str
    ticker: str
    yes_price_dollars: str
    count_fp: str
    taker_book_side: BookSide
    created_time: Instant


class _Trades(msgspec.Struct):
    trades: list[_Trade]
    cursor: str = ""


async def book(rest: KalshiRest, ticker: Ticker) -> RestBook:
    """The whole book of one market."""
    found = await rest.read(f"/markets/{ticker}/orderbook", _OneBook)
    return _book(ticker, found.orderbook_fp)


async def books(rest: KalshiRest, tickers: Sequence[Ticker]) -> tuple[RestBook, ...]:
    """The whole books of many markets, a hundred to a request."""
    found: list[RestBook] = []
    for start in range(0, len(tickers), BOOKS_AT_ONCE):
        wanted = [("tickers", str(ticker)) for ticker in tickers[start : start + BOOKS_AT_ONCE]]
        page = await rest.read("/markets/orderbooks", _Books, wanted)
        found.extend(_book(Ticker(each.ticker), each.orderbook_fp) for each in page.orderbooks)
    return tuple(found)


async def trades(
    rest: KalshiRest, ticker: Ticker, since: datetime, *, historical: bool = False
) -> tuple[PublicTrade, ...]:
    """Every public trade of one market since a time, oldest first."""
    path = "/historical/trades" if historical else "/markets/trades"
    params = {"ticker": str(ticker), "min_ts": str(int(since.timestamp())), "limit": PAGE}
    found = [_trade(each) for page in await rest.pages(path, _Trades, params) for each in page.trades]
    return tuple(sorted(found, key=lambda trade: trade.at))


def _book(ticker: Ticker, sides: _Sides) -> RestBook:
    return RestBook(
        ticker=ticker,
        yes=_levels(sides.yes_dollars, "yes_dollars"),
        no=_levels(sides.no_dollars, "no_dollars"),
    )


def _levels(levels: list[tuple[str, str]] | None, field: str) -> Levels:
    """Best first, whichever way the venue sorted them. Raises Transient for a level that cannot be."""
    found = [
        (exact(units.price, price, field), exact(units.quantity, quantity, field))
        for price, quantity in levels or ()
    ]
    for price, quantity in found:
        if not 0 < price < ONE_DOLLAR or quantity <= 0:
            raise Transient(f"the venue's field {field}: {quantity} hundredths at {price} cannot be")
    if len({price for price, _ in found}) < len(found):
        raise Transient(f"the venue's field {field}: a price stands twice")
    return tuple(sorted(found, reverse=True))


def _trade(each: _Trade) -> PublicTrade:
    return PublicTrade(
        trade_id=each.trade_id,
        ticker=Ticker(each.ticker),
        price=exact(units.price, each.yes_price_dollars, "yes_price_dollars"),
        quantity=exact(units.quantity, each.count_fp, "count_fp"),
        taker_side=each.taker_book_side,
        at=each.created_time.astimezone(UTC),
    )
