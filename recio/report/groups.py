"""By what trades of the past are told apart: day, strategy, coin, price and the like; a trade is in one group of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal

from recio.report.past_trades import PastTrade, coin_of

UNKNOWN = "unknown"
Group = Callable[[PastTrade], str]


def groups(series: Mapping[str, str]) -> Mapping[str, Group]:
    """Each by its name. `series`: the coin of each series. Days and hours are of UTC."""
    return {
        "strategy": lambda trade: trade.strategy or UNKNOWN,
        "day": lambda trade: _when(trade.closed_at, "%Y-%m-%d"),
        "week": lambda trade: _when(trade.closed_at, "%G-W%V"),
        "month": lambda trade: _when(trade.closed_at, "%Y-%m"),
        "year": lambda trade: _when(trade.closed_at, "%Y"),
        "coin": lambda trade: coin_of(trade.ticker, series),
        "hour": lambda trade: _when(trade.opened_at, "%H"),
        "side": lambda trade: trade.side.value,
        "price": lambda trade: _tenth(
            None if trade.entry_price is None else Decimal(trade.entry_price) / 10_000
        ),
        "probability": lambda trade: _tenth(trade.probability),
        "time_left": _time_left,
        "ended_by": lambda trade: trade.ended_by,
        "exit_reason": lambda trade: (
            trade.exit_reason or ("held to the end" if trade.ended_by == "settlement" else UNKNOWN)
        ),
    }


def _when(moment: datetime | None, pattern: str) -> str:
    return UNKNOWN if moment is None else moment.strftime(pattern)


def _tenth(share: Decimal | None) -> str:
    """0.37 is in '0.30 to 0.40'."""
    if share is None:
        return UNKNOWN
    tenth = min(9, int(share * 10))
    return f"{Decimal(tenth) / 10:.2f} to {Decimal(tenth + 1) / 10:.2f}"


TIMES = (
    (60, "under 1 min"),
    (180, "1 to 3 min"),
    (420, "3 to 7 min"),
    (900, "7 to 15 min"),
    (3600, "15 to 60 min"),
)


def _time_left(trade: PastTrade) -> str:
    if trade.opened_at is None or trade.closes_at is None:
        return UNKNOWN
    left = (trade.closes_at - trade.opened_at).total_seconds()
    return next((name for most, name in TIMES if left < most), "over 1 h")
