"""Reads the markets of a series' next events, and how markets ended; it never guesses either from the clock.

A market with an unknown word or a missing field is left out and reported, never given a default.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from recio import units
from recio.errors import Transient
from recio.kalshi.fees import Override, read_overrides
from recio.kalshi.market_bodies import (
    Listing,
    MarketBody,
    MarketResult,
    ResultBody,
    market_from_body,
    result_from_body,
)
from recio.kalshi.names import insist_on_writable
from recio.kalshi.responses import NOT_DECODABLE
from recio.kalshi.rest import KalshiRest
from recio.messages.markets import Market, MarketStatus
from recio.units import EventTicker, Ticker, UnitError

__all__ = ["Listing", "MarketList", "MarketResult", "event_markets", "read_result"]

EVENTS_AHEAD = 2
"""The open event and the one after it, so that its books are there when it opens."""
HORIZONS = (timedelta(hours=3), timedelta(hours=50), None)
"""How far ahead events are looked for: a ladder of two hundred strikes is listed for each hour of a whole day."""
NOT_UNDERSTOOD = (*NOT_DECODABLE, units.UnitError, ArithmeticError, ValueError)
"""All that one strange market can raise: it costs itself, and never the others of its list."""
LIVE = frozenset({MarketStatus.INITIALIZED, MarketStatus.INACTIVE, MarketStatus.ACTIVE})


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketList:
    """The markets that were understood, and those that were not."""

    markets: tuple[Market, ...]
    refused: tuple[tuple[str, str], ...]
    """(ticker, why) of each market that could not be understood."""
    age_seconds: int = 0
    """For how long a cache had kept it when it came."""


class _Named(msgspec.Struct):
    ticker: str


class _MarketPage(msgspec.Struct):
    markets: list[msgspec.Raw]
    cursor: str | None = None


class _OneResult(msgspec.Struct):
    market: ResultBody


async def event_markets(
    rest: KalshiRest,
    listing: Listing,
    now: datetime,
    overrides: Mapping[EventTicker, Override] | None = None,
) -> MarketList:
    """The markets of the event that closes next and of the one after it, by the venue's own times.

    The fees of its events are read first, unless they are given.
    """
    if overrides is None:
        overrides = await read_overrides(rest, listing.series, now)
    nearest, *further = HORIZONS
    listed = await _closing_within(rest, listing, overrides, now, nearest)
    for horizon in further:
        if len({each.event_ticker for each in listed.markets}) >= EVENTS_AHEAD:
            break
        listed = await _closing_within(rest, listing, overrides, now, horizon)
    return listed


async def read_result(rest: KalshiRest, ticker: Ticker) -> MarketResult:
    """How far the settlement of a market is. Raises Transient, also for a value that is none."""
    body = (await rest.read(f"/markets/{ticker}", _OneResult)).market
    try:
        return result_from_body(body)
    except UnitError as error:
        raise Transient(f"market {ticker}: {error}") from error


async def _closing_within(
    rest: KalshiRest,
    listing: Listing,
    overrides: Mapping[EventTicker, Override],
    now: datetime,
    horizon: timedelta | None,
) -> MarketList:
    markets: dict[Ticker, Market] = {}
    refused: list[tuple[str, str]] = []
    # By close time and not by status: a market that opens between two reads would be in neither of them.
    params = {"series_ticker": listing.series, "min_close_ts": str(int(now.timestamp())), "limit": "1000"}
    if horizon is not None:
        params["max_close_ts"] = str(int((now + horizon).timestamp()))
    pages, age = await rest.aged_pages("/markets", _MarketPage, params)
    for page in pages:
        for raw in page.markets:
            understood = _understood(raw, listing, overrides, now)
            if isinstance(understood, Market):
                markets[understood.ticker] = understood
            else:
                refused.append(understood)
    return MarketList(markets=_nearest(markets.values(), now), refused=tuple(refused), age_seconds=age)


def _nearest(markets: Iterable[Market], now: datetime) -> tuple[Market, ...]:
    ahead = [each for each in markets if each.close_time > now and each.status in LIVE]
    closing = sorted({(each.close_time, each.event_ticker) for each in ahead})[:EVENTS_AHEAD]
    events = {event for _, event in closing}
    return tuple(each for each in ahead if each.event_ticker in events)


def _understood(
    raw: msgspec.Raw, listing: Listing, overrides: Mapping[EventTicker, Override], now: datetime
) -> Market | tuple[str, str]:
    try:
        body = msgspec.json.decode(raw, type=MarketBody)
        insist_on_writable(body)
        return market_from_body(body, listing, overrides.get(EventTicker(body.event_ticker)), now)
    except NOT_UNDERSTOOD as error:
        return _name(raw), str(error)


def _name(raw: msgspec.Raw) -> str:
    try:
        return msgspec.json.decode(raw, type=_Named).ticker
    except NOT_DECODABLE:
        return "(no ticker)"
