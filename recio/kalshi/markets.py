"""What Kalshi says about its series, events and markets, parsed strictly; nothing is guessed from the clock.

A market with an unknown word or a missing field is left out and reported, never given a default.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from recio import units
from recio.errors import Transient
from recio.kalshi.rest import UNREADABLE, Instant, KalshiRest, decoded
from recio.messages import Market, MarketStatus, PriceRange, StrikeType
from recio.units import EventTicker, Side, Ticker

EVENTS_AHEAD = 2
"""The open event and the one after it, so that its books are there when it opens."""
QUADRATIC = frozenset({"quadratic", "quadratic_with_maker_fees"})
LIVE = frozenset({MarketStatus.INITIALIZED, MarketStatus.INACTIVE, MarketStatus.ACTIVE})


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketList:
    markets: tuple[Market, ...]
    refused: tuple[tuple[str, str], ...]
    """(ticker, why) of each market that could not be understood."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketResult:
    ticker: Ticker
    status: MarketStatus
    result: Side | None
    settlement_value_text: str | None
    """The index average that decided it, as the venue writes it."""
    settled_at: datetime | None


class _Range(msgspec.Struct):
    start: str
    end: str
    step: str


class _Market(msgspec.Struct):
    ticker: str
    event_ticker: str
    open_time: Instant
    close_time: Instant
    status: MarketStatus
    strike_type: StrikeType
    price_ranges: list[_Range]
    rules_primary: str
    result: str
    expiration_value: str
    floor_strike: Decimal | None = None
    cap_strike: Decimal | None = None
    exchange_index: int | None = None
    settlement_ts: Instant | None = None


class _Named(msgspec.Struct):
    ticker: str


class _MarketPage(msgspec.Struct):
    markets: list[msgspec.Raw]
    cursor: str = ""


class _OneMarket(msgspec.Struct):
    market: _Market


MAY_CARRY_STATUS = (200, 500, 503, 504)
"""A paused exchange may send its status with one of these."""


class _Series(msgspec.Struct):
    ticker: str
    fee_type: str
    fee_multiplier: Decimal


class _OneSeries(msgspec.Struct):
    series: _Series


class _Shard(msgspec.Struct):
    exchange_index: int
    exchange_active: bool
    trading_active: bool


class _Status(msgspec.Struct):
    exchange_active: bool
    trading_active: bool
    exchange_index_statuses: list[_Shard] | None = None


async def trading_active(rest: KalshiRest, exchange_index: int | None) -> bool:
    """Whether the shard trades now; the top-level flags speak for shard 0 only."""
    path = "/exchange/status"
    status = decoded(await rest.get(path, answers=MAY_CARRY_STATUS), _Status, path)
    for shard in status.exchange_index_statuses or ():
        if shard.exchange_index == exchange_index:
            return shard.exchange_active and shard.trading_active
    return status.exchange_active and status.trading_active


async def series_fee_multiplier(rest: KalshiRest, series: str) -> Decimal:
    """The series' fee multiplier; Transient for a kind of fee that our formula does not know."""
    found = (await rest.read(f"/series/{series}", _OneSeries)).series
    if found.fee_type not in QUADRATIC:
        raise Transient(f"series {series}: fee_type {found.fee_type!r} is not known: no trade")
    if not found.fee_multiplier.is_finite() or found.fee_multiplier < 0:
        raise Transient(f"series {series}: fee_multiplier {found.fee_multiplier} cannot be: no trade")
    return found.fee_multiplier


async def event_markets(
    rest: KalshiRest, series: str, now: datetime, *, fee_multiplier: Decimal
) -> MarketList:
    """The markets of the event that closes next and of the one after it, by the venue's own times."""
    markets: list[Market] = []
    refused: list[tuple[str, str]] = []
    # By close time and not by status: a market that opens between two reads would be in neither of them.
    params = {"series_ticker": series, "min_close_ts": str(int(now.timestamp())), "limit": "1000"}
    for page in await rest.pages("/markets", _MarketPage, params):
        for raw in page.markets:
            understood = _understood(raw, series, fee_multiplier)
            if isinstance(understood, Market):
                markets.append(understood)
            else:
                refused.append(understood)
    return MarketList(markets=_nearest(markets, now), refused=tuple(refused))


async def read_market(rest: KalshiRest, ticker: Ticker, fee_multiplier: Decimal) -> Market:
    """One market. Raises Transient if it cannot be understood, VenueRefused if it does not exist."""
    body = (await rest.read(f"/markets/{ticker}", _OneMarket)).market
    try:
        return _market(body, ticker.split("-", 1)[0], fee_multiplier)
    except units.UnitError as error:
        raise Transient(f"market {ticker}: {error}") from error


async def read_result(rest: KalshiRest, ticker: Ticker) -> MarketResult:
    """How far the settlement of a market is."""
    body = (await rest.read(f"/markets/{ticker}", _OneMarket)).market
    return MarketResult(
        ticker=ticker,
        status=body.status,
        result=Side(body.result) if body.result in ("yes", "no") else None,
        settlement_value_text=body.expiration_value or None,
        settled_at=body.settlement_ts.astimezone(UTC) if body.settlement_ts else None,
    )


def _nearest(markets: Iterable[Market], now: datetime) -> tuple[Market, ...]:
    ahead = [each for each in markets if each.close_time > now and each.status in LIVE]
    closing = sorted({(each.close_time, each.event_ticker) for each in ahead})[:EVENTS_AHEAD]
    events = {event for _, event in closing}
    return tuple(each for each in ahead if each.event_ticker in events)


def _understood(raw: msgspec.Raw, series: str, fee_multiplier: Decimal) -> Market | tuple[str, str]:
    try:
        return _market(msgspec.json.decode(raw, type=_Market), series, fee_multiplier)
    except (*UNREADABLE, units.UnitError) as error:
        return _name(raw), str(error)


def _name(raw: msgspec.Raw) -> str:
    try:
        return msgspec.json.decode(raw, type=_Named).ticker
    except UNREADABLE:
        return "(no ticker)"


def _market(body: _Market, series: str, fee_multiplier: Decimal) -> Market:
    return Market(
        ticker=Ticker(body.ticker),
        event_ticker=EventTicker(body.event_ticker),
        series_ticker=series,
        exchange_index=body.exchange_index,
        strike_type=body.strike_type,
        floor_strike=_strike(body.floor_strike),
        cap_strike=_strike(body.cap_strike),
        open_time=body.open_time.astimezone(UTC),
        close_time=body.close_time.astimezone(UTC),
        status=body.status,
        price_ranges=tuple(_range(each) for each in body.price_ranges),
        fee_multiplier=fee_multiplier,
        rules_primary=body.rules_primary,
    )


def _strike(value: Decimal | None) -> Decimal | None:
    if value is not None and not value.is_finite():
        raise units.UnitError(f"strike {value} is not a number")
    return value


def _range(body: _Range) -> PriceRange:
    made = PriceRange(start=units.price(body.start), end=units.price(body.end), step=units.price(body.step))
    if made.step <= 0 or made.start >= made.end:
        raise units.UnitError(f"price range {body.start} to {body.end} step {body.step} makes no sense")
    return made
