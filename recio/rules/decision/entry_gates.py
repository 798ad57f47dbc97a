"""The gates of one market that an entry must pass, each with its figure and its limit; the first that is closed is the answer.

They only look: what an order would cost is entry's affair, and what may be risked is that of risk.
"""

from __future__ import annotations

import math
from datetime import datetime

import msgspec

from recio.messages.markets import MarketStatus, MarketView
from recio.messages.orders import OpenTrades
from recio.messages.prices import PriceView
from recio.rules.account.lifecycle import UNPROVEN
from recio.rules.decision import momentum_pause
from recio.rules.decision.momentum_pause import NO_PAUSES, Pauses
from recio.rules.market.quotes import is_crossed
from recio.settings.trading import EntrySection
from recio.texts import beside, counted
from recio.units import Price, price_text

GATES = (
    "no market",
    "no price",
    "price unreliable",
    "price error",
    "price age",
    "spike",
    "market untradable",
    "market status",
    "too early",
    "too late",
    "book",
    "book age",
    "spread",
    "unknown order",
    "already in",
    "re-entry",
    "cooldown",
    "probability",
    "min probability",
    "empty book",
    "price bounds",
    "edge",
    "made externally",
    "own exit",
    "price grid",
    "depth",
    "size",
)
"""The gates of one market in the order of how telling they are of a whole board."""
PROGRESS = {gate: passed for passed, gate in enumerate(GATES)}


class Waits(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """No trade, and the first gate that said so: `gate` is stable, `sentence` is for a person."""

    gate: str
    sentence: str


def gates_of_a_market(
    view: MarketView,
    price: PriceView | None,
    trades: OpenTrades,
    heard_at: datetime | None,
    settings: EntrySection,
    now: datetime,
    pauses: Pauses = NO_PAUSES,
) -> Waits | PriceView:
    """Every gate of one market that asks for nobody's opinion, in order; what passes has a price to go by.

    `heard_at` is how old its book is.
    """
    usable = spot_gate(view, price, settings, now, pauses)
    if isinstance(usable, Waits):
        return usable
    remaining = (view.market.close_time - now).total_seconds()
    closed = (
        market_gate(view, settings, remaining)
        or book_gate(view, heard_at, settings, now)
        or own_gate(view, trades, settings, now)
    )
    return closed or usable


def spot_gate(
    view: MarketView, price: PriceView | None, settings: EntrySection, now: datetime, pauses: Pauses
) -> Waits | PriceView:
    if price is None:
        return Waits(gate="no price", sentence=f"no price of {view.market.symbol} yet")
    if price.unreliable:
        return Waits(gate="price unreliable", sentence=f"price of {view.market.symbol}: {price.unreliable}")
    if price.doubt:
        return Waits(gate="price error", sentence=f"price of {view.market.symbol}: {price.doubt}")
    age = (now - price.tick.at).total_seconds()
    if age > settings.max_price_age_seconds:
        return Waits(
            gate="price age",
            sentence=f"price is {beside(settings.max_price_age_seconds, age, 1)} s old (limit {settings.max_price_age_seconds:g} s)",
        )
    return _spike(view, price, settings, now, pauses) or price


def _spike(
    view: MarketView, price: PriceView, settings: EntrySection, now: datetime, pauses: Pauses
) -> Waits | None:
    """A market that ran is left alone until it has been calm for long enough."""
    if settings.spike_trigger_bp is None:
        return None
    pause = momentum_pause.paused(
        price.momentum_peaks,
        math.floor(now.timestamp() / 60),
        settings,
        pauses.get(view.market.symbol),
    )
    if pause is None:
        return None
    return Waits(
        gate="spike",
        sentence=f"{view.market.symbol} ran: momentum reached {pause.peak:.1f} (trigger"
        f" {settings.spike_trigger_bp:g}), calm below {settings.spike_resume_bp:g} for {pause.calm} of"
        f" {settings.spike_calm_minutes} minutes",
    )


def market_gate(view: MarketView, settings: EntrySection, remaining: float) -> Waits | None:
    if view.market.untradable:
        return Waits(gate="market untradable", sentence=view.market.untradable)
    if view.market.status is not MarketStatus.ACTIVE:
        return Waits(gate="market status", sentence=f"market is {view.market.status}")
    if remaining < settings.min_seconds_to_close:
        return Waits(
            gate="too late",
            sentence=f"{beside(settings.min_seconds_to_close, remaining)} s to the close (at least {settings.min_seconds_to_close:g} s wanted)",
        )
    if remaining > settings.max_seconds_to_close:
        return Waits(
            gate="too early",
            sentence=f"{beside(settings.max_seconds_to_close, remaining)} s to the close (at most {settings.max_seconds_to_close:g} s wanted)",
        )
    return None


def book_gate(
    view: MarketView, heard_at: datetime | None, settings: EntrySection, now: datetime
) -> Waits | None:
    if view.book is None or heard_at is None:
        return Waits(gate="book", sentence=f"no usable book: {view.why_no_book}")
    age = (now - heard_at).total_seconds()
    if age > settings.max_book_age_seconds:
        return Waits(
            gate="book age",
            sentence=f"book is {beside(settings.max_book_age_seconds, age, 1)} s old (limit {settings.max_book_age_seconds:g} s)",
        )
    if is_crossed(view):
        return Waits(gate="book", sentence="book is crossed for the moment")
    return _spread(view, settings)


def _spread(view: MarketView, settings: EntrySection) -> Waits | None:
    book, most = view.book, settings.max_spread_dollars
    if most is None or book is None or not (book.bids and book.asks):
        return None
    spread = Price(book.asks[0][0] - book.bids[0][0])
    if spread <= most:
        return None
    return Waits(
        gate="spread",
        sentence=f"spread is {price_text(spread)} (at most {price_text(most)} wanted)",
    )


def own_gate(view: MarketView, trades: OpenTrades, settings: EntrySection, now: datetime) -> Waits | None:
    ticker = view.market.ticker
    for order in trades.orders:
        if order.ticker == ticker and order.state in UNPROVEN:
            return Waits(gate="unknown order", sentence=f"order {order.client_order_id} is {order.state}")
    for trade in trades.trades:
        if trade.ticker == ticker:
            return Waits(
                gate="already in", sentence=f"trade {trade.trade_id} is {trade.state} on this market"
            )
    entries, most = trades.entries_by_market.get(ticker, 0), settings.max_entries_per_market
    if most is not None and entries >= most:
        return Waits(
            gate="re-entry",
            sentence=f"{counted(entries, 'entry was', 'entries were')} made on this market (at most {most})",
        )
    last = trades.last_entry_at.get(ticker)
    if last is not None and (now - last).total_seconds() < settings.cooldown_seconds:
        return Waits(
            gate="cooldown", sentence=f"cooling down for {settings.cooldown_seconds:g} s after an entry"
        )
    return None
