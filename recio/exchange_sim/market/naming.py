"""Tickers of events and markets by the venue's grammar: closes in New York time and strikes; it keeps nothing."""

from __future__ import annotations

from datetime import UTC, datetime

from recio.exchange_sim.engine.pauses import NEW_YORK
from recio.exchange_sim.engine.units import fixed_text
from recio.exchange_sim.market.series import Kind, SeriesSpec
from recio.exchange_sim.market.strikes import Strike, StrikeType

SECOND_PASS = "B"
"""Ends the tickers of the hour that autumn repeats; how the real venue tells the two apart is not known."""


def new_york(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds // 1000, UTC).astimezone(NEW_YORK)


def event_ticker(spec: SeriesSpec, open_ms: int, close_ms: int) -> str:
    """The close in New York time, with minutes or seconds only where hours would not be unique."""
    close = new_york(close_ms)
    stamp = close.strftime(_stamp_format(spec.kind, open_ms, close_ms)).upper()
    return f"{spec.ticker}-{stamp}{SECOND_PASS if close.fold else ''}"


def market_suffix(event: str, strike: Strike, digits: int) -> str:
    """'00' of a window, 'T92799.99' of a threshold, 'B84650' of a range by its middle."""
    match strike.kind:
        case StrikeType.GREATER_OR_EQUAL:
            return event.removesuffix(SECOND_PASS)[-2:]
        case StrikeType.GREATER:
            return f"T{short_text(strike.floor or 0, digits)}"
        case StrikeType.LESS:
            return f"T{short_text(strike.cap or 0, digits)}"
        case StrikeType.BETWEEN:
            floor, cap = strike.floor or 0, strike.cap or 0
            return f"B{short_text((floor + cap + 1) // 2, digits)}"


def short_text(value: int, digits: int) -> str:
    """7420000 with two digits -> '74200'."""
    return fixed_text(value, digits).rstrip("0").rstrip(".")


def dollars_text(value: int, digits: int) -> str:
    """8469999 with two digits -> '$84,699.99', 8460000 -> '$84,600', 735000 with four -> '$73.50'."""
    whole, part = divmod(value, 10**digits)
    decimals = f"{part:0{digits}d}".rstrip("0")
    return f"${whole:,}" + (f".{decimals:0<2}" if decimals else "")


def _stamp_format(kind: Kind, open_ms: int, close_ms: int) -> str:
    span = close_ms - open_ms
    if kind is not Kind.WINDOW and close_ms % 3_600_000 == 0 and span % 3_600_000 == 0:
        return "%y%b%d%H"
    return "%y%b%d%H%M" if close_ms % 60_000 == 0 and span % 60_000 == 0 else "%y%b%d%H%M%S"
