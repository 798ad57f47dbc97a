"""What a shadow's order would have got, and what a shadow holds: never more than stood there, never better than the book.

It is sold as its strategy's own exit says, and else held to the settlement. It takes nothing from anybody: the same contracts
may be taken again by the next order, which a shadow may send only after it is out of this market and as its own rules allow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from recio.messages.decisions import CloseIntent, OpenIntent
from recio.messages.markets import BookView, MarketBoard, MarketView
from recio.messages.orders import OpenTrades, TradeState, TradeView
from recio.rules.account.lifecycle import COUNTED
from recio.rules.account.losses import losses_in_a_row
from recio.rules.account.risk import RATE_SPAN
from recio.rules.market.quotes import market_on
from recio.rules.pricing.fees import taker_fee
from recio.units import (
    PAYOUT_PER_UNIT,
    EventTicker,
    Money,
    Price,
    Quantity,
    Side,
    Ticker,
    TradeId,
    complement,
    notional,
)

LATENCY = timedelta(milliseconds=100)
"""Market time from the intent to the book that it meets; the same as in a replay."""


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
    """Of the market, also where everything was sold before it closed: the probability is judged by it."""
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
        return Money(self.held * PAYOUT_PER_UNIT if self.result is self.side else 0)

    @property
    def pnl(self) -> Money:
        """Of an ended trade."""
        return Money(self.payout + self.proceeds - self.cost - self.fees)

    @property
    def is_live(self) -> bool:
        return self.result is None and self.held > 0

    @property
    def awaits_result(self) -> bool:
        return self.result is None and self.quantity > 0


def fill(intent: OpenIntent, board: MarketBoard | None, now: datetime, longest_age: float) -> PaperFill | str:
    """What an immediate order gets of the book as it is now, or why it gets nothing."""
    view = market_on(board, intent.ticker)
    book = _trusted(board, view, now, longest_age)
    if view is None or isinstance(book, str):
        return str(book)
    offered = [
        (level if intent.side is Side.YES else complement(level), there)
        for level, there in (book.asks if intent.side is Side.YES else book.bids)
    ]
    good = [(price, there) for price, there in offered if price <= intent.limit]
    return _taken(good, intent.quantity, view.market.fee_multiplier)


def sale(
    intent: CloseIntent, trade: TradeView, board: MarketBoard | None, now: datetime, longest_age: float
) -> PaperFill | str:
    """What an immediate sale gets, its value as the cost of whoever buys; or why it gets nothing."""
    side, view = trade.side, market_on(board, trade.ticker)
    book = _trusted(board, view, now, longest_age)
    if view is None or isinstance(book, str):
        return str(book)
    wanted = [
        (level if side is Side.YES else complement(level), there)
        for level, there in (book.bids if side is Side.YES else book.asks)
    ]
    good = [(price, there) for price, there in wanted if price >= intent.floor]
    return _taken(good, intent.quantity, view.market.fee_multiplier)


def _trusted(
    board: MarketBoard | None, view: MarketView | None, now: datetime, longest_age: float
) -> BookView | str:
    """The book that an order meets, or why a real one would not have been sent to it."""
    if board is None or view is None or view.book is None or board.heard_at is None:
        return "the book was not usable when the order would have arrived"
    if now >= view.market.close_time:
        return "the market had closed when the order would have arrived"
    if (now - board.heard_at).total_seconds() > longest_age:
        return "the book was too old when the order would have arrived"
    return view.book


def _taken(
    levels: Iterable[tuple[Price, Quantity]], wanted: Quantity, multiplier: Decimal
) -> PaperFill | str:
    """Level by level, best first, each with its own fee."""
    left, value, fees = wanted, 0, 0
    for price, there in levels:
        quantity = Quantity(min(left, there))
        if quantity <= 0:
            break
        value += notional(price, quantity)
        fees += taker_fee(price, quantity, multiplier)
        left = Quantity(left - quantity)
    got = Quantity(wanted - left)
    if not got:
        return "nothing stood there at the price when the order would have arrived"
    return PaperFill(quantity=got, value=Money(value), fees=Money(fees))


def open_trades(every: Iterable[PaperTrade], now: datetime) -> OpenTrades:
    """What one shadow's own gates look at, in the form in which the rows of real trades come."""
    trades = sorted(every, key=lambda each: each.decided_at)
    counted = [each for each in trades if each.closes_at > now - COUNTED]
    bought = [each for each in counted if each.quantity > 0]
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    today = [each for each in trades if each.ended_at is not None and each.ended_at >= midnight]
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
        losses_in_a_row=losses_in_a_row(_pnls_newest_first(trades)),
        orders_last_minute=sum(at > now - RATE_SPAN for each in trades for at in each.ordered_at),
    )


def _pnls_newest_first(trades: Iterable[PaperTrade]) -> list[Money]:
    """Of the ended trades that bought anything."""
    ended = [
        (each.ended_at, each.paper_trade_id, each.pnl)
        for each in trades
        if each.ended_at is not None and each.quantity > 0
    ]
    return [pnl for _, _, pnl in sorted(ended, reverse=True)]


def _view(trade: PaperTrade) -> TradeView:
    return TradeView(
        trade_id=TradeId(trade.paper_trade_id),
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
        exit_quantity=trade.sold,
        exit_proceeds=trade.proceeds,
        fees=trade.fees,
        payout=Money(0),
        why=trade.why,
        ended_by=None,
    )
