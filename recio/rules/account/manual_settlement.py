"""Whether a person may settle a market by hand now; it settles nothing, and never lets a person outvote the venue."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from recio.messages.controls import SettleRequest
from recio.messages.orders import TradeView
from recio.units import Price, price_text


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownEnd:
    """How a market is settled in our rows."""

    value: Price
    """What one contract of YES pays."""
    set_by: str
    """Who settled it by hand; empty: the venue."""


def reason_to_refuse(
    asked: SettleRequest, waiting: TradeView | None, known: KnownEnd | None, now: datetime
) -> str | None:
    """The reason in a sentence; None if it may be. `waiting` is the live trade on that market."""
    ticker = asked.ticker
    if known is not None and not known.set_by:
        return f"the venue has settled {ticker} at {price_text(known.value)}: its word stands"
    if known is not None and known.value == asked.value:
        return f"{ticker} is settled at {price_text(known.value)} already, by {known.set_by}"
    if waiting is None:
        return None if known is not None else f"no trade of recio's waits for the end of {ticker}"
    if waiting.closes_at > now:
        return (
            f"{ticker} closes at {waiting.closes_at:%Y-%m-%d %H:%M:%S} UTC and can be sold until then:"
            f" recio close {waiting.trade_id}"
        )
    return None
