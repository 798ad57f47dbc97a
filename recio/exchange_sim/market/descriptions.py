"""Titles, subtitles and rules texts of markets and events as the venue words them; it decides nothing."""

from __future__ import annotations

from datetime import datetime

from recio.exchange_sim.engine.units import fixed_text
from recio.exchange_sim.market.markets import Market
from recio.exchange_sim.market.naming import dollars_text, new_york, short_text
from recio.exchange_sim.market.series import Kind, SeriesSpec
from recio.exchange_sim.market.strikes import StrikeType

TARGET_UNKNOWN = "Target price: TBD"
_AVERAGE = "the simple average of the sixty seconds of CF Benchmarks' "


def rules_primary(market: Market) -> str:
    """The rule of the market; a window's compares two averages and never names its target."""
    words = market.spec.asset.index_words
    at = new_york(market.close_ms)
    if market.spec.kind is Kind.WINDOW:
        return _window_rule(market)
    moment = _clock(at, minutes=bool(at.minute or at.second))
    return (
        f"If {_AVERAGE}{words} before {moment} is {_compared(market)} at {moment} on {_date(at)}, "
        "then the market resolves to Yes."
    )


def _window_rule(market: Market) -> str:
    begin, end = new_york(market.open_ms), new_york(market.close_ms)
    words = market.spec.asset.index_id.replace("_", "")
    return (
        f"If {_AVERAGE}{words} before {_clock(end, minutes=True)} on {_date(end)} is at least "
        f"{_AVERAGE}{words} before {_clock(begin, minutes=True)} on {begin:%B} {begin.day}, {begin.year}, "
        "then the market resolves to Yes."
    )


def rules_secondary(spec: SeriesSpec) -> str:
    digits = spec.asset.digits
    return (
        "Prices of one coin differ between sources: exchanges and search engines may show another number than "
        f"the one that decides here, which comes from CF Benchmarks' {spec.asset.index_words} alone. The index "
        "is read once a second during the last minute before expiration; the value of the market is the plain "
        f"average of those sixty readings, rounded half up to {digits} decimals. If the index is not available "
        "for the minute, the market resolves to No."
    )


def title(market: Market) -> str:
    asset, at = market.spec.asset, new_york(market.close_ms)
    match market.spec.kind:
        case Kind.WINDOW:
            return f"{asset.symbol} price up in next {_span(market.spec)}?"
        case Kind.LADDER:
            return f"{asset.name} price on {_date(at)}?"
        case Kind.RANGE:
            return f"{asset.name} price range on {_date(at)}?"


def event_title(market: Market) -> str:
    asset = market.spec.asset
    match market.spec.kind:
        case Kind.WINDOW:
            return title(market)
        case Kind.LADDER:
            return f"{asset.name} price {_on(market)}?"
        case Kind.RANGE:
            return f"{asset.name} price range {_on(market)}?"


def event_subtitle(market: Market) -> str:
    if market.spec.kind is not Kind.WINDOW:
        said = _on(market)
        return said[:1].upper() + said[1:]
    begin, end = new_york(market.open_ms), new_york(market.close_ms)
    return f"{end.strftime('%b')} {end.day} - {_hours(begin)} to {_hours(end)} {end.tzname()}"


def series_title(spec: SeriesSpec) -> str:
    match spec.kind:
        case Kind.WINDOW:
            return f"{spec.asset.name} price up or down in {_span(spec)}"
        case Kind.LADDER:
            return f"{spec.asset.name} price above or below"
        case Kind.RANGE:
            return f"{spec.asset.name} price range"


def yes_sub_title(market: Market) -> str:
    """'Target Price: $83,955.99', '$92,800 or above', '$84,600 to 84,699.99'."""
    digits = market.spec.asset.digits
    floor, cap = market.strike, market.cap
    match market.strike_type:
        case StrikeType.GREATER_OR_EQUAL:
            return TARGET_UNKNOWN if floor is None else f"Target Price: {_full(floor, digits)}"
        case StrikeType.GREATER:
            return f"{dollars_text((floor or 0) + 1, digits)} or above"
        case StrikeType.LESS:
            return f"{dollars_text((cap or 0) - 1, digits)} or below"
        case StrikeType.BETWEEN:
            return f"{dollars_text(floor or 0, digits)} to {dollars_text(cap or 0, digits)[1:]}"


def no_sub_title(market: Market) -> str:
    """A window's never says the target; the others repeat what Yes stands for."""
    return TARGET_UNKNOWN if market.spec.kind is Kind.WINDOW else yes_sub_title(market)


def value_text(market: Market, value: int) -> str:
    """A settlement value with all its decimals."""
    return fixed_text(value, market.spec.asset.digits)


def _compared(market: Market) -> str:
    digits = market.spec.asset.digits
    floor, cap = short_text(market.strike or 0, digits), short_text(market.cap or 0, digits)
    match market.strike_type:
        case StrikeType.GREATER:
            return f"above {floor}"
        case StrikeType.GREATER_OR_EQUAL:
            return f"at least {floor}"
        case StrikeType.LESS:
            return f"below {cap}"
        case StrikeType.BETWEEN:
            return f"between {floor}-{cap}"


def _full(value: int, digits: int) -> str:
    whole, _, decimals = fixed_text(value, digits).partition(".")
    return f"${int(whole):,}.{decimals}"


def _span(spec: SeriesSpec) -> str:
    minutes, seconds = divmod(spec.period_seconds, 60)
    return f"{spec.period_seconds} secs" if seconds else f"{minutes} mins"


def _on(market: Market) -> str:
    """'on Jun 21, 2025 at 6pm EDT'."""
    at = new_york(market.close_ms)
    hour = _hours(at).lower() if at.minute or at.second else f"{at.hour % 12 or 12}{at:%p}".lower()
    return f"on {_date(at)} at {hour} {at.tzname()}"


def _clock(at: datetime, *, minutes: bool) -> str:
    """'1 PM EDT', '3:00 PM EDT', '3:00:20 PM EDT'."""
    shown = _hours(at) if minutes else f"{at.hour % 12 or 12}{at:%p}"
    return f"{shown[:-2]} {shown[-2:]} {at.tzname()}"


def _hours(at: datetime) -> str:
    """'3:00PM', '3:00:20PM'."""
    seconds = f":{at.second:02d}" if at.second else ""
    return f"{at.hour % 12 or 12}:{at.minute:02d}{seconds}{at:%p}"


def _date(at: datetime) -> str:
    return f"{at:%b} {at.day}, {at.year}"
