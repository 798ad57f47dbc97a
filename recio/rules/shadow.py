"""What a shadow's order would have got, and what a shadow holds: never more than stood there, never better than the book.

A shadow's trade is held to the settlement. It takes nothing from anybody: the same contracts may be taken again by the next
order, which a shadow may send only after it is out of this market and as its own rules allow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from recio.messages import MarketView, OpenIntent, OpenTrades, TradeState, TradeView
from recio.rules.fees import taker_fee
from recio.units import (
    PAYOUT_PER_UNIT,
    EventTicker,
    Money,
    Quantity,
    Side,
    Ticker,
    TradeId,
    complement,
    notional,
)

LATENCY = timedelta(milliseconds=100)
"""Market time from the wish to the book that it meets; the same as in a replay."""
COUNTED = timedelta(hours=1)
"""After its close a market's entries are no longer counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowFill:
    quantity: Quantity
    cost: Money
    fees: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowTrade:
    """A row of shadow_trades."""

    shadow_id: int
    strategy: str
    ticker: Ticker
    event_ticker: EventTicker
    side: Side
    quantity: Quantity
    """0: nothing stood there any more."""
    cost: Money
    fees: Money
    chance: float
    """What the model gave the side."""
    why: str
    decided_at: datetime
    closes_at: datetime
    result: Side | None
    settled_at: datetime | None

    @property
    def payout(self) -> Money:
        return Money(self.quantity * PAYOUT_PER_UNIT if self.result is self.side else 0)

    @property
    def pnl(self) -> Money:
        """Of an ended trade."""
        return Money(self.payout - self.cost - self.fees)

    @property
    def is_live(self) -> bool:
        return self.result is None and self.quantity > 0


def fill(intent: OpenIntent, view: MarketView | None, now: datetime, longest_age: float) -> ShadowFill | str:
    """What an immediate order gets of the book as it is now, or why it gets nothing."""
    if view is None or view.book is None or view.book_at is None:
        return "the book was not usable when the order would have arrived"
    if now >= view.market.close_time:
        return "the market had closed when the order would have arrived"
    if (now - view.book_at).total_seconds() > longest_age:
        return "the book was too old when the order would have arrived"
    levels = view.book.asks if intent.side is Side.YES else view.book.bids
    wanted, cost, fees = intent.quantity, 0, 0
    for level, there in levels:
        price = level if intent.side is Side.YES else complement(level)
        quantity = Quantity(min(wanted, there))
        if price > intent.limit or quantity <= 0:
            break
        cost += notional(price, quantity)
        fees += taker_fee(price, quantity, view.market.fee_multiplier)
        wanted = Quantity(wanted - quantity)
    got = Quantity(intent.quantity - wanted)
    if not got:
        return "nothing stood there at the price when the order would have arrived"
    return ShadowFill(quantity=got, cost=Money(cost), fees=Money(fees))


def open_trades(every: Iterable[ShadowTrade], now: datetime) -> OpenTrades:
    """What one shadow's own gates look at, in the form in which the rows of real trades come."""
    trades = sorted(every, key=lambda each: each.decided_at)
    counted = [each for each in trades if each.closes_at > now - COUNTED]
    bought = [each for each in counted if each.quantity > 0]
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    today = [each for each in trades if each.settled_at is not None and each.settled_at >= midnight]
    return OpenTrades(
        trades=tuple(_view(each) for each in trades if each.is_live),
        orders=(),
        recent_trades=(),
        recent_orders=(),
        entries_by_event=Counter(each.event_ticker for each in bought),
        last_entry_at={each.ticker: each.decided_at for each in counted},
        entries_by_market=Counter(each.ticker for each in bought),
        realised_today=Money(sum(each.pnl for each in today)),
        fees_today=Money(sum(each.fees for each in today)),
        wins_today=sum(each.pnl > 0 for each in today),
        losses_today=sum(each.pnl < 0 for each in today),
        losses_in_a_row=_losses_in_a_row(trades),
        orders_last_minute=sum(each.decided_at > now - timedelta(minutes=1) for each in trades),
    )


def _losses_in_a_row(trades: Iterable[ShadowTrade]) -> int:
    ended = sorted(
        (each for each in trades if each.settled_at is not None and each.quantity > 0),
        key=lambda each: (each.settled_at, each.shadow_id),
        reverse=True,
    )
    count = 0
    for each in ended:
        if each.pnl >= 0:
            break
        count += 1
    return count


def _view(trade: ShadowTrade) -> TradeView:
    return TradeView(
        trade_id=TradeId(trade.shadow_id),
        strategy=trade.strategy,
        ticker=trade.ticker,
        event_ticker=trade.event_ticker,
        side=trade.side,
        state=TradeState.OPEN,
        opened_at=trade.decided_at,
        closes_at=trade.closes_at,
        closed_at=None,
        exchange_index=None,
        entry_quantity=trade.quantity,
        entry_cost=trade.cost,
        exit_quantity=Quantity(0),
        exit_proceeds=Money(0),
        fees=trade.fees,
        payout=Money(0),
        why=trade.why,
        ended_by=None,
    )
