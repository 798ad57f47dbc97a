"""Why a held position should be sold now, and the least that the reason justifies; it never sells.

Each stop looks only at what it needs. Where the probability cannot be known the bid stands in for it, and that is said.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from recio.messages.prices import Momentum
from recio.settings.trading import ExitSection
from recio.texts import beside
from recio.units import ONE_DOLLAR, Price, Side, price_text


class Reason(StrEnum):
    """What asks for a sale; while it goes on its attempts to sell belong together."""

    FLATTEN = "flatten"
    TIME = "time stop"
    PRICE = "price stop"
    MOMENTUM = "momentum stop"
    PROFIT = "take profit"
    PROBABILITY = "stop"
    BLIND = "blind stop"


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
    paid: Price | None = None
    """What one contract of the side held has cost."""
    is_blind: bool = False
    """The market could be traded, and price or model do not say what it is worth."""


class Sell(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Sell now, and why."""

    reason: Reason
    why: str
    least: Price = Price(1)
    """For one contract, in the side's own terms: less than this the reason does not justify."""


class Keep(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Nothing asks for a sale."""

    sentence: str
    falling_since: datetime | None = None
    """Since when the probability is below the stop without a break, so far."""
    blind_since: datetime | None = None
    """Since when nobody can say what it is worth."""
    is_unguarded: bool = False
    """A stop is wanted, and neither the model nor the bid can judge it."""


def judge(
    side: Side,
    seen: ExitContext,
    falling_since: datetime | None,
    settings: ExitSection,
    now: datetime,
    blind_since: datetime | None = None,
) -> Sell | Keep:
    """The first reason to sell, in a fixed order, or what the position is kept for."""
    if seen.held_for < settings.min_hold_seconds and not _is_floored(seen, settings):
        return Keep(
            sentence=f"held for {beside(settings.min_hold_seconds, seen.held_for)} s, at least {settings.min_hold_seconds:g} s wanted"
        )
    return (
        _time_stop(seen, settings)
        or _price_stop(seen, settings)
        or _momentum_stop(side, seen, settings)
        or _take_profit(seen, settings)
        or (seen.is_blind and _blind_stop(seen, blind_since, settings, now))
        or _probability_stop(side, seen, falling_since, settings, now)
    )


def sells_at_once(side: Side, seen: ExitContext, settings: ExitSection, now: datetime) -> str:
    """Why what is bought at this sight would be sold again, at once or once it has been waited for; empty if it would not."""
    if not settings.enabled:
        return ""
    match judge(side, seen, None, settings, now):
        case Sell(why=why):
            return why
        case Keep(sentence=sentence, falling_since=since):
            return "" if since is None else sentence


def _worth(seen: ExitContext, settings: ExitSection) -> Price:
    """The least that a stop may sell for: the wanted part of what the model gives, where it gives anything."""
    part = settings.min_value_fraction
    if part is None or isinstance(seen.probability, str):
        return Price(1)
    return Price(max(1, int(seen.probability * part * ONE_DOLLAR)))


def _time_stop(seen: ExitContext, settings: ExitSection) -> Sell | None:
    last = settings.time_stop_seconds_to_close
    if last is None or seen.remaining > last:
        return None
    why = f"time stop: {seen.remaining:.0f} s to the close"
    return Sell(reason=Reason.TIME, why=why, least=_worth(seen, settings))


def _price_stop(seen: ExitContext, settings: ExitSection) -> Sell | None:
    stop = settings.stop_price_dollars
    if stop is None or seen.bid is None or seen.bid > stop:
        return None
    why = f"price stop: bid {price_text(seen.bid)} is not above {price_text(stop)}"
    return Sell(reason=Reason.PRICE, why=why, least=_worth(seen, settings))


def _take_profit(seen: ExitContext, settings: ExitSection) -> Sell | None:
    goal = settings.take_profit_dollars
    if goal is None or seen.bid is None or seen.bid < goal:
        return None
    why = f"take profit: bid {price_text(seen.bid)} has reached {price_text(goal)}"
    return Sell(reason=Reason.PROFIT, why=why, least=goal)


def _momentum_stop(side: Side, seen: ExitContext, settings: ExitSection) -> Sell | None:
    """A market that runs against the side held."""
    limit = settings.momentum_stop_bp
    if limit is None or seen.momentum is None:
        return None
    against = -seen.momentum.bp if side is Side.YES else seen.momentum.bp
    if against < limit:
        return None
    why = f"momentum stop: {seen.momentum.bp:+.1f} runs against {side} (limit {limit:g})"
    return Sell(reason=Reason.MOMENTUM, why=why, least=_worth(seen, settings))


def _is_floored(seen: ExitContext, settings: ExitSection) -> bool:
    hard_stop = settings.hard_stop_probability
    return hard_stop is not None and not isinstance(seen.probability, str) and seen.probability < hard_stop


def _blind_stop(
    seen: ExitContext, blind_since: datetime | None, settings: ExitSection, now: datetime
) -> Sell | Keep | None:
    """In the place of the probability stop while nobody knows the probability: by the bid, against what was paid."""
    if not seen.is_blind or settings.stop_probability is None or not isinstance(seen.probability, str):
        return None
    since, part = blind_since or now, settings.blind_stop_fraction
    if part is None:
        return Keep(sentence=f"{seen.probability}; the blind stop is off", blind_since=since)
    if seen.bid is None or seen.paid is None:
        sentence = f"{seen.probability}, and no bid can be seen: nothing judges the stop"
        return Keep(sentence=sentence, blind_since=since, is_unguarded=True)
    stop, lasted = Price(max(1, int(seen.paid * part))), (now - since).total_seconds()
    said = f"{seen.probability}; bid {price_text(seen.bid)}"
    if seen.bid > stop:
        return Keep(sentence=f"{said}, blind stop at {price_text(stop)}", blind_since=since)
    if lasted < settings.blind_stop_after_seconds:
        waits = f"{said} is not above {price_text(stop)}, blind for {lasted:.1f}"
        return Keep(sentence=f"{waits} of {settings.blind_stop_after_seconds:g} s", blind_since=since)
    return Sell(reason=Reason.BLIND, why=f"blind stop: {said} is not above {price_text(stop)}")


def _probability_stop(
    side: Side, seen: ExitContext, falling_since: datetime | None, settings: ExitSection, now: datetime
) -> Sell | Keep:
    """Below the stop in every cycle of `stop_confirm_seconds`, each with a known probability; below the hard stop at once."""
    if isinstance(seen.probability, str):
        return Keep(sentence=seen.probability)
    said = f"model gives {side} {seen.probability:.1%}"
    if _is_floored(seen, settings):
        why = f"stop: {said}, below the hard stop {settings.hard_stop_probability:.0%}"
        return Sell(reason=Reason.PROBABILITY, why=why, least=_worth(seen, settings))
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
    why = f"stop: {said}, below {stop:.0%}"
    return Sell(reason=Reason.PROBABILITY, why=why, least=_worth(seen, settings))
