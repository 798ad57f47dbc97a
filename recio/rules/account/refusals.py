"""What entries that the venue refused one after another ask for: a pause that grows, and at last a halt; it clears nothing.

A clean no costs nothing by itself. But the same order is wanted again at the next look, so that without a pause a
venue that says no to everything is asked as often as it can answer, and a row is written each time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from recio.messages.orders import OpenTrades, OrderPurpose, OrderState, OrderView
from recio.rules.account.lifecycle import made_at
from recio.units import Ticker

REFUSED_BEFORE = "refused by the venue"
"""The name under which an entry waits because of refusals before it."""
FIRST_PAUSE = timedelta(seconds=1)
LONGEST_PAUSE = timedelta(seconds=60)
HALT_AFTER = 8
"""Refusals in a row, on more than one market, after which no entry is tried until somebody has looked."""
HALT_WITHIN = timedelta(minutes=5)
"""Only a refusal of now halts: one that somebody has looked at is not told again by a later start."""
NOT_SENT = "not_sent"
"""The code of an order that never left: our own no, not the venue's."""
OF_THE_BOOK = frozenset({"fill_or_kill_insufficient_resting_volume", "market_closed", "MARKET_INACTIVE"})
"""Codes that say something of the market at that moment and nothing of what is asked."""
PASSING = frozenset(
    {
        "trading_is_paused",
        "exchange_is_paused",
        "too_many_requests",
        "header_timestamp_expired",
        "authentication_error",
        "insufficient_balance",
        "available_balance_too_low",
    }
)
"""Codes that end by themselves, or that block entries under a name of their own: they pause and never halt."""
NOT_SAID = frozenset({OrderState.PENDING, OrderState.UNKNOWN, OrderState.NOT_FOUND})
"""What the venue has not answered is no order that it took."""
_PREFIX = "rejected: "


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusals:
    """Entries that the venue refused one after another, without one that it took between them."""

    count: int
    markets: int
    lasting: int
    """Those among them whose code does not end by itself."""
    last: OrderView
    last_at: datetime


def refusal_note(code: str, text: str) -> str:
    """What the row of a refused order says; `code_of` reads it again."""
    return f"{_PREFIX}{code} {text}".strip()


def code_of(order: OrderView) -> str:
    """The venue's code of a refused order; empty where its row has none."""
    return order.note.removeprefix(_PREFIX).partition(" ")[0] if order.note.startswith(_PREFIX) else ""


def said(found: Refusals) -> str:
    """How many there were and what the last said, for a sentence that begins with 'the venue refused'."""
    many = "the last entry" if found.count == 1 else f"the last {found.count} entries"
    return f"{many} ({found.last.note.removeprefix(_PREFIX)})"


def refusals(trades: OpenTrades, ticker: Ticker | None = None, after: int = 0) -> Refusals | None:
    """The refusals in a row up to now, of every market or of one; None if the last entry was not refused.

    Only those of trades beyond number `after`.
    """
    found = tuple(each for each in _in_a_row(trades, ticker) if each.trade_id > after)
    if not found:
        return None
    return Refusals(
        count=len(found),
        markets=len({each.ticker for each in found}),
        lasting=sum(code_of(each) not in PASSING for each in found),
        last=found[0],
        last_at=found[0].ended_at or found[0].created_at,
    )


def _in_a_row(trades: OpenTrades, ticker: Ticker | None) -> Iterator[OrderView]:
    """Newest first."""
    for order in sorted(trades.recent_orders, key=made_at, reverse=True):
        is_of_interest = order.purpose is OrderPurpose.ENTRY and ticker in (None, order.ticker)
        if not is_of_interest or order.state in NOT_SAID or code_of(order) in {NOT_SENT, *OF_THE_BOOK}:
            continue
        if order.state is not OrderState.REJECTED:
            return
        yield order


def next_try(trades: OpenTrades, ticker: Ticker, now: datetime) -> tuple[datetime, Refusals] | None:
    """When the next entry on a market may be tried, and after which refusals; None if now.

    One market that refuses everything stops no other; two and more are taken for all.
    """
    own, every = refusals(trades, ticker), refusals(trades)
    waits = [] if own is None else [(own.last_at + _pause(own.count), own)]
    if every is not None and every.markets > 1:
        waits.append((every.last_at + _pause(every.markets), every))
    latest = max(waits, key=lambda each: each[0], default=None)
    return latest if latest is not None and latest[0] > now else None


def _pause(count: int) -> timedelta:
    return min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(count - 1, 10))


def is_refused_for_good(trades: OpenTrades, now: datetime, forgiven: int = 0) -> Refusals | None:
    """The refusals that call for a halt: many, on several markets, of now, and by codes that do not end by themselves.

    `forgiven`: the newest trade that somebody has looked at, who then cleared a halt.
    """
    found = refusals(trades, after=forgiven)
    if found is None or found.lasting < HALT_AFTER or found.markets < 2 or now - found.last_at > HALT_WITHIN:
        return None
    return found
