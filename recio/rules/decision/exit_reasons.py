"""Why a held position should be sold now: six stops, each off unless its setting says otherwise; it never sells.

Each looks only at what it needs, so that an unknown probability silences the probability stop and no other.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from recio.messages.orders import TradeView
from recio.messages.prices import Momentum
from recio.settings.trading import ExitSection
from recio.units import Price, Side, price_text


class ExitContext(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is known of one trade's market at one moment."""

    remaining: float
    """Seconds to the close."""
    held_for: float
    """Seconds since the trade was opened."""
    bid: Price | None
    """Best bid of the side held, in its own terms; None while unknown or nobody bids."""
    probability: float | str
    """What the model gives the side held, or why it says nothing."""
    momentum: Momentum | None


class Sell(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Sell now, and why."""

    why: str


class Keep(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Nothing asks for a sale; `falling_since` is when the probability fell below the stop for good, so far."""

    sentence: str
    falling_since: datetime | None = None


def judge(
    trade: TradeView, seen: ExitContext, falling_since: datetime | None, settings: ExitSection, now: datetime
) -> Sell | Keep:
    """The first reason to sell, in a fixed order, or what the position is kept for."""
    if seen.held_for < settings.min_hold_seconds and not _is_floored(seen, settings):
        return Keep(
            sentence=f"held for {seen.held_for:.0f} s, at least {settings.min_hold_seconds:g} s wanted"
        )
    return (
        _time_stop(seen, settings)
        or _price_stop(seen, settings)
        or _momentum_stop(trade, seen, settings)
        or _take_profit(seen, settings)
        or _probability_stop(trade, seen, falling_since, settings, now)
    )


def _time_stop(seen: ExitContext, settings: ExitSection) -> Sell | None:
    last = settings.time_stop_seconds_to_close
    if last is None or seen.remaining > last:
        return None
    return Sell(why=f"time stop: {seen.remaining:.0f} s to the close")


def _price_stop(seen: ExitContext, settings: ExitSection) -> Sell | None:
    stop = settings.stop_price_dollars
    if stop is None or seen.bid is None or seen.bid > stop:
        return None
    return Sell(why=f"price stop: bid {price_text(seen.bid)} is not above {price_text(stop)}")


def _take_profit(seen: ExitContext, settings: ExitSection) -> Sell | None:
    goal = settings.take_profit_dollars
    if goal is None or seen.bid is None or seen.bid < goal:
        return None
    return Sell(why=f"take profit: bid {price_text(seen.bid)} has reached {price_text(goal)}")


def _momentum_stop(trade: TradeView, seen: ExitContext, settings: ExitSection) -> Sell | None:
    """A market that runs against the side held."""
    limit = settings.momentum_stop_bp
    if limit is None or seen.momentum is None:
        return None
    against = -seen.momentum.bp if trade.side is Side.YES else seen.momentum.bp
    if against < limit:
        return None
    return Sell(why=f"momentum stop: {seen.momentum.bp:+.1f} runs against {trade.side} (limit {limit:g})")


def _is_floored(seen: ExitContext, settings: ExitSection) -> bool:
    hard_stop = settings.hard_stop_probability
    return hard_stop is not None and not isinstance(seen.probability, str) and seen.probability < hard_stop


def _probability_stop(
    trade: TradeView, seen: ExitContext, falling_since: datetime | None, settings: ExitSection, now: datetime
) -> Sell | Keep:
    """Below the stop in every cycle of `stop_confirm_seconds`, each with a known probability; below the hard stop at once."""
    if isinstance(seen.probability, str):
        return Keep(sentence=seen.probability)
    said = f"model gives {trade.side} {seen.probability:.1%}"
    if _is_floored(seen, settings):
        return Sell(why=f"stop: {said}, below the hard stop {settings.hard_stop_probability:.0%}")
    stop = settings.stop_probability
    if stop is None:
        return Keep(sentence=f"{said}, the probability stop is off")
    if seen.probability >= stop:
        return Keep(sentence=f"{said}, stop below {stop:.0%}")
    since = falling_since or now
    lasted = (now - since).total_seconds()
    if lasted < settings.stop_confirm_seconds:
        return Keep(
            sentence=f"{said}, below the stop for {lasted:.1f} of {settings.stop_confirm_seconds:g} s",
            falling_since=since,
        )
    return Sell(why=f"stop: {said}, below {stop:.0%}")
