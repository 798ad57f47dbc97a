"""Turns one market as the venue writes it into ours, strictly; a field that is not understood is never completed."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum

import msgspec

from recio import units
from recio.kalshi.fees import NO_OVERRIDE, Fee, Override, SeriesFees
from recio.kalshi.responses import Instant
from recio.kalshi.strikes import NONE, read_strike
from recio.messages.markets import Market, MarketStatus, PriceRange
from recio.rules.market.market_news import terms_fault
from recio.units import ONE_DOLLAR, EventTicker, Price, Side, Ticker, UnitError, price, yes_value

PAYS_A_DOLLAR = {"market_type": "binary", "settlement_bounds_type": "default", "notional_value_dollars": "1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What is known of a series apart from its markets."""

    series: str
    symbol: str
    index_id: str
    fees: SeriesFees


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketResult:
    """How far the settlement of a market is; `result` is None where it is neither yes nor no."""

    ticker: Ticker
    status: MarketStatus
    result: Side | None
    settlement_value_text: str | None
    """The index average that decided it, as the venue writes it."""
    settled_at: datetime | None
    value: Price | None = None
    """What one contract of YES pays; None where that is not known."""


class _Outcome(StrEnum):
    YES = "yes"
    NO = "no"
    SCALAR = "scalar"
    VOID = "void"
    NONE = ""


class RangeBody(msgspec.Struct):
    start: str
    end: str
    step: str


class MarketBody(msgspec.Struct):
    ticker: str
    event_ticker: str
    open_time: Instant
    close_time: Instant
    status: MarketStatus
    price_ranges: list[RangeBody]
    rules_primary: str
    rules_secondary: str
    strike_type: str | None = None
    """Absent, as the strike is, until the venue sets the strike of a window."""
    floor_strike: Decimal | None = None
    cap_strike: Decimal | None = None
    custom_strike: msgspec.Raw = NONE
    exchange_index: int | None = None
    fee_waiver_expiration_time: Instant | None = None
    market_type: object = None
    settlement_bounds_type: object = None
    notional_value_dollars: object = None
    """What may make it pay something else than a dollar or nothing, as it came: a word of tomorrow is a doubt about this
    market, and no reason not to list it."""


class ResultBody(msgspec.Struct):
    """The same market, where only its end matters."""

    ticker: str
    status: MarketStatus
    result: _Outcome
    expiration_value: str
    settlement_value_dollars: str | None = None
    settlement_ts: Instant | None = None


def market_from_body(body: MarketBody, listing: Listing, override: Override | None, now: datetime) -> Market:
    """Raises UnitError naming the field that is impossible. `override` is None while the event's own fee is not known."""
    event = EventTicker(body.event_ticker)
    open_time, close_time = body.open_time.astimezone(UTC), body.close_time.astimezone(UTC)
    waived = body.fee_waiver_expiration_time
    fee = listing.fees.highest(event, override or NO_OVERRIDE, now, max(now, close_time), waived)
    strike = read_strike(body.strike_type, body.floor_strike, body.cap_strike, body.custom_strike)
    market = Market(
        ticker=Ticker(body.ticker),
        event_ticker=event,
        series_ticker=listing.series,
        symbol=listing.symbol,
        exchange_index=body.exchange_index,
        strike_type=strike.kind,
        floor_strike=strike.floor,
        cap_strike=strike.cap,
        open_time=open_time,
        close_time=close_time,
        status=body.status,
        price_ranges=ranges_from_bodies(body.price_ranges),
        fee_multiplier=fee.multiplier,
        rules_primary=body.rules_primary,
        rules_secondary=body.rules_secondary,
        untradable=strike.why_unread or _why_pays_otherwise(body) or _why_fee_unknown(fee, override),
    )
    return replace(market, untradable=market.untradable or terms_fault(market, listing.index_id))


def result_from_body(body: ResultBody) -> MarketResult:
    """A settlement value is the venue's own text, never a number of ours. Raises UnitError for a value that is no price."""
    result = Side(body.result.value) if body.result in (_Outcome.YES, _Outcome.NO) else None
    said = body.settlement_value_dollars if body.result else None
    return MarketResult(
        ticker=Ticker(body.ticker),
        status=body.status,
        result=result,
        settlement_value_text=body.expiration_value or None,
        settled_at=body.settlement_ts.astimezone(UTC) if body.settlement_ts else None,
        value=yes_value(result, None if result is not None or said is None else _share_of_a_dollar(said)),
    )


def _share_of_a_dollar(text: str) -> Price:
    value = price(text)
    if not 0 <= value <= ONE_DOLLAR:
        raise UnitError(f"settlement_value_dollars {text[:40]!r} is not between 0 and 1 dollar")
    return value


def _why_pays_otherwise(body: MarketBody) -> str:
    """Every price, stake and end here is that of a contract that pays its winner a dollar and nobody else anything. A venue
    that says nothing of it has no other."""
    for field, plain in PAYS_A_DOLLAR.items():
        said = getattr(body, field)
        if said is not None and said != plain and not _is_one(said):
            return (
                f"{field} {str(said)[:40]!r} is not known: it may pay something else than a dollar or nothing"
            )
    return ""


def _is_one(said: object) -> bool:
    """Whether it is one dollar, with however many zeros."""
    return isinstance(said, str) and re.fullmatch(r"1\.0{1,18}", said, re.ASCII) is not None


def _why_fee_unknown(fee: Fee, override: Override | None) -> str:
    missing = "" if override is not None else "the venue does not list its event: its fee is not known"
    return fee.why_unknown or missing


def ranges_from_bodies(bodies: list[RangeBody]) -> tuple[PriceRange, ...]:
    """Raises UnitError for one that is no range of prices, and where there is none."""
    if not bodies:
        raise units.UnitError("price_ranges is empty")
    return tuple(_range(each) for each in bodies)


def _range(body: RangeBody) -> PriceRange:
    try:
        made = PriceRange(
            start=units.price(body.start), end=units.price(body.end), step=units.price(body.step)
        )
    except units.UnitError as error:
        raise units.UnitError(f"price_ranges: {error}") from error
    if made.step <= 0 or not 0 <= made.start < made.end <= units.ONE_DOLLAR:
        raise units.UnitError(
            f"price_ranges: {body.start} to {body.end} step {body.step} is not a range of prices"
        )
    return made
