"""Paper trades as rows keep them, and the account that a restart makes of them; it reads and writes none itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from recio.messages.orders import TradeState, TradeView
from recio.paper.account import Account
from recio.units import (
    EventTicker,
    Money,
    Price,
    Quantity,
    Side,
    Ticker,
    TradeId,
    payout_of,
    yes_value,
)

NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperFill:
    quantity: Quantity
    value: Money
    """Price times quantity, without fees."""
    fees: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperTrade:
    """A row of paper_trades."""

    paper_trade_id: int
    strategy: str
    ticker: Ticker
    event_ticker: EventTicker
    side: Side
    quantity: Quantity
    """0: nothing stood there any more."""
    cost: Money
    fees: Money
    probability: float
    """What the model gave the side."""
    why: str
    decided_at: datetime
    closes_at: datetime
    result: Side | None
    """Of the market, also where everything was sold before it closed: the probability is judged by it. None also where
    neither side won."""
    value: Price | None
    """What one contract of YES pays where neither side won."""
    settled_at: datetime | None
    sold: Quantity
    proceeds: Money
    sold_at: datetime | None
    """When the last of it was sold."""
    exit_orders_at: tuple[datetime, ...]
    """When its exit orders of the last minute were decided, filled or not."""

    @property
    def ordered_at(self) -> tuple[datetime, ...]:
        """When its entry and its newest exit orders were decided."""
        return (self.decided_at, *self.exit_orders_at)

    @property
    def held(self) -> Quantity:
        return Quantity(self.quantity - self.sold)

    @property
    def ended_at(self) -> datetime | None:
        return self.sold_at or self.settled_at

    @property
    def payout(self) -> Money:
        value = yes_value(self.result, self.value)
        return Money(0) if value is None else payout_of(self.side, self.held, value)

    @property
    def pnl(self) -> Money:
        """Of an ended trade."""
        return Money(self.payout + self.proceeds - self.cost - self.fees)

    @property
    def is_live(self) -> bool:
        return self.settled_at is None and self.held > 0

    @property
    def awaits_result(self) -> bool:
        return self.settled_at is None and self.quantity > 0


def account_of(every: Iterable[PaperTrade], now: datetime) -> Account:
    """What a strategy's own gates look at, by its rows: those that live, and those that still count."""
    account = Account()
    ordered = sorted(every, key=lambda each: (each.ended_at or NEVER, each.paper_trade_id))
    account.adopt(((_view(each), each.ordered_at) for each in ordered), now)
    return account


def _view(trade: PaperTrade) -> TradeView:
    state = TradeState.OPEN if trade.is_live else TradeState.CLOSED if trade.quantity else TradeState.VOID
    return TradeView(
        trade_id=TradeId(trade.paper_trade_id),
        strategy=trade.strategy,
        ticker=trade.ticker,
        event_ticker=trade.event_ticker,
        side=trade.side,
        state=state,
        opened_at=trade.decided_at,
        closes_at=trade.closes_at,
        closed_at=trade.ended_at,
        exchange_index=None,
        entry_quantity=trade.quantity,
        entry_cost=trade.cost,
        exit_quantity=trade.sold,
        exit_proceeds=trade.proceeds,
        fees=trade.fees,
        payout=trade.payout,
        why=trade.why,
        ended_by=None,
    )
