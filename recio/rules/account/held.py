"""What trade_manager holds of its rows: unfinished trades and orders, and counters; it changes only by what was committed.

It reads no row and decides nothing. What it holds is worth as much as the rows say: `differences` compares both.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import date, datetime, timedelta
from typing import Any, cast

from recio.messages.orders import OpenTrades, OrderView, TradeView
from recio.rules.account.lifecycle import COUNTED, ENDED_TRADES, RECENT, made_at
from recio.rules.account.risk import RATE_SPAN
from recio.units import ClientOrderId, EventTicker, Money, Ticker, TradeId

SLACK = timedelta(minutes=10)
"""How long what no longer counts is kept all the same: a clock may be set back."""
SENT_KEPT = RATE_SPAN + SLACK


@dataclass(frozen=True, slots=True, kw_only=True)
class DayFigures:
    """What the trades that closed on a day of UTC came to."""

    day: date
    realised: Money
    fees: Money
    wins: int
    losses: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EventEntries:
    event_ticker: EventTicker
    closes_at: datetime
    entries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketEntries:
    ticker: Ticker
    closes_at: datetime
    entries: int
    last_entry_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """The rows that one transaction touched, as it left them; None is not touched."""

    trade: TradeView | None = None
    order: OrderView | None = None
    is_unfinished: bool = False
    """Of the order."""
    day: DayFigures | None = None
    event: EventEntries | None = None
    market: MarketEntries | None = None
    losing: tuple[TradeId, ...] | None = None
    """The losing trades since the last gain and the last cleared halt."""


@dataclass(slots=True, kw_only=True)
class Held:
    trades: dict[TradeId, TradeView] = field(default_factory=dict[TradeId, TradeView])
    orders: dict[ClientOrderId, OrderView] = field(default_factory=dict[ClientOrderId, OrderView])
    recent_trades: dict[TradeId, TradeView] = field(default_factory=dict[TradeId, TradeView])
    recent_orders: dict[ClientOrderId, OrderView] = field(default_factory=dict[ClientOrderId, OrderView])
    days: dict[date, DayFigures] = field(default_factory=dict[date, DayFigures])
    events: dict[EventTicker, EventEntries] = field(default_factory=dict[EventTicker, EventEntries])
    markets: dict[Ticker, MarketEntries] = field(default_factory=dict[Ticker, MarketEntries])
    losing: tuple[TradeId, ...] = ()
    forgiven: TradeId = TradeId(0)  # noqa: RUF009 - an immutable integer
    """Losses up to this trade count no more: somebody cleared a halt that came after it."""
    sent: dict[ClientOrderId, datetime] = field(default_factory=dict[ClientOrderId, datetime])
    """When each order of the last minute was written."""


def apply(held: Held, written: Written) -> None:
    """Follow one transaction that is committed."""
    if written.trade is not None:
        _trade(held, written.trade)
    if written.order is not None:
        _order(held, written.order, written.is_unfinished)
    if written.day is not None:
        held.days[written.day.day] = written.day
    if written.event is not None:
        held.events[written.event.event_ticker] = written.event
    if written.market is not None:
        held.markets[written.market.ticker] = written.market
    if written.losing is not None:
        held.losing = written.losing


def _trade(held: Held, trade: TradeView) -> None:
    if trade.state in ENDED_TRADES:
        held.trades.pop(trade.trade_id, None)
        held.recent_trades[trade.trade_id] = trade
        newest = sorted(held.recent_trades.values(), key=_ended_at, reverse=True)[:RECENT]
        held.recent_trades = {each.trade_id: each for each in newest}
    else:
        held.trades[trade.trade_id] = trade


def _order(held: Held, order: OrderView, is_unfinished: bool) -> None:
    name = order.client_order_id
    if is_unfinished:
        held.orders[name] = order
    else:
        held.orders.pop(name, None)
    held.sent[name] = order.created_at
    held.recent_orders[name] = order
    newest = sorted(held.recent_orders.values(), key=made_at, reverse=True)[:RECENT]
    held.recent_orders = {each.client_order_id: each for each in newest}


def _ended_at(trade: TradeView) -> tuple[datetime, TradeId]:
    return trade.closed_at or trade.opened_at, trade.trade_id


def shown(held: Held, now: datetime) -> OpenTrades:
    """Everything that the rows say at this moment: days, hours and minutes end without a message."""
    today = [each for day, each in held.days.items() if day >= now.date()]
    markets = [each for each in held.markets.values() if each.closes_at > now - COUNTED]
    events = (each for each in held.events.values() if each.closes_at > now - COUNTED)
    return OpenTrades(
        trades=tuple(sorted(held.trades.values(), key=lambda each: each.trade_id)),
        orders=tuple(sorted(held.orders.values(), key=made_at)),
        recent_trades=tuple(held.recent_trades.values()),
        recent_orders=tuple(held.recent_orders.values()),
        entries_by_event={each.event_ticker: each.entries for each in events if each.entries},
        last_entry_at={each.ticker: each.last_entry_at for each in markets},
        entries_by_market={each.ticker: each.entries for each in markets if each.entries},
        realised_today=Money(sum(each.realised for each in today)),
        fees_today=Money(sum(each.fees for each in today)),
        wins_today=sum(each.wins for each in today),
        losses_today=sum(each.losses for each in today),
        losses_in_a_row=sum(each > held.forgiven for each in held.losing),
        orders_last_minute=sum(at > now - RATE_SPAN for at in held.sent.values()),
    )


def differences(held: Held, rows: Held, now: datetime) -> tuple[str, ...]:
    """What is held and what the rows say, as sentences, of each thing in which they differ.

    A halt that somebody cleared forgives losses without trade_manager: that is news and no difference.
    """
    held.forgiven = rows.forgiven
    ours, theirs = shown(held, now), shown(rows, now)
    both = ((each.name, getattr(ours, each.name), getattr(theirs, each.name)) for each in fields(OpenTrades))
    return tuple(
        f"{name}: held {_only(mine, other)}, in the rows {_only(other, mine)}"
        for name, mine, other in both
        if mine != other
    )


def _only(value: Any, other: Any) -> str:
    """The value, or of several views those that the other side does not have."""
    if not isinstance(value, tuple):
        return str(value)
    return (
        "; ".join(str(each) for each in cast("tuple[object, ...]", value) if each not in other)
        or "nothing else"
    )
