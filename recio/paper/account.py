"""The account of one strategy that trades on paper: trades, orders and counters, held and moved by the very rules of real ones.

It neither decides nor matches. Every order ends when it is answered, so nothing is ever unknown, and what has ended is
kept no longer than the gates count it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from recio.messages.decisions import CloseIntent, OpenIntent
from recio.messages.markets import MarketView
from recio.messages.orders import (
    OpenTrades,
    OrderPurpose,
    OrderState,
    OrderView,
    PlaceOrder,
    TradeState,
    TradeView,
)
from recio.paper.marks import Marks
from recio.paper.matching import Answer
from recio.rules.account import lifecycle
from recio.rules.account.held import DayFigures, EventEntries, Held, MarketEntries, Written, apply, shown
from recio.rules.account.lifecycle import COUNTED
from recio.rules.account.losses import losing_after
from recio.rules.account.risk import RATE_SPAN, Approved
from recio.units import Money, Price, Quantity, Ticker, TradeId, VenueOrderId, payout_of

TAG = "paper"
ZERO = Money(0)
LONG_AGO = datetime.min.replace(tzinfo=UTC)
ENDED_BY = {TradeState.CLOSED: "exit", TradeState.VOID: "no fill"}


@dataclass(slots=True)
class Account:
    held: Held = field(default_factory=Held)
    marks: Marks = field(default_factory=Marks)
    ordered: int = 0
    """Orders so far, for their names."""
    _rows: OpenTrades | None = None
    _is_new: bool = True
    _until: datetime = LONG_AGO
    """When time alone changes what is counted."""

    def open_trades(self, now: datetime) -> OpenTrades:
        """Everything that the gates look at: the same object for as long as it says the same."""
        if self._rows is None or self._is_new or now >= self._until:
            read = replace(shown(self.held, now), taken=self.marks.told())
            self._is_new, self._until = False, self._next_change(now)
            if self._rows is None or read != self._rows:
                self._rows = read
        return self._rows

    def _next_change(self, now: datetime) -> datetime:
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        sent = (at + RATE_SPAN for at in self.held.sent.values())
        counted = (each.closes_at + COUNTED for each in self.held.markets.values())
        return min(each for each in (midnight, *sent, *counted) if each > now)

    def see(self, view: MarketView) -> None:
        """A book has changed: what we took of a level may not matter any more."""
        self._is_new |= self.marks.view_is(view)

    def record_entry(
        self, trade_id: TradeId, approved: Approved, now: datetime, deadline: timedelta
    ) -> PlaceOrder:
        """The trade and the order of an approved entry."""
        intent = approved.intent
        trade = _opening(trade_id, intent)
        return self._intend(
            trade, OrderPurpose.ENTRY, intent.quantity, intent.limit, approved.reserved, now, deadline
        )

    def record_exit(self, intent: CloseIntent, now: datetime, deadline: timedelta) -> PlaceOrder | None:
        """The order of an exit; None if the trade holds nothing that could be sold now."""
        trade = self.held.trades.get(intent.trade_id)
        if trade is None or trade.state is not TradeState.OPEN:
            return None
        quantity = Quantity(min(intent.quantity, trade.held))
        closing = _moved(trade, TradeState.CLOSING)
        return self._intend(closing, OrderPurpose.EXIT, quantity, intent.floor, ZERO, now, deadline)

    def _intend(
        self,
        trade: TradeView,
        purpose: OrderPurpose,
        quantity: Quantity,
        own_price: Price,
        reserved: Money,
        now: datetime,
        deadline: timedelta,
    ) -> PlaceOrder:
        self.ordered += 1
        order = PlaceOrder(
            client_order_id=lifecycle.client_order_id(TAG, trade.trade_id, purpose, self.ordered),
            ticker=trade.ticker,
            exchange_index=trade.exchange_index,
            book_side=lifecycle.book_side(trade.side, purpose),
            quantity=quantity,
            price=lifecycle.yes_price(trade.side, own_price),
            reduce_only=purpose is OrderPurpose.EXIT,
            send_before=now + deadline,
        )
        view = _intended(order, trade.trade_id, purpose, reserved, now)
        self._write(Written(trade=trade, order=view, is_unfinished=True), now)
        if purpose is OrderPurpose.ENTRY:
            self._count_entry(trade, 1)
        return order

    def answer(self, order: PlaceOrder, answer: Answer, now: datetime) -> TradeView:
        """What an order got when it arrived; the rest of it is cancelled."""
        view = self.held.orders[order.client_order_id]
        filled = answer.quantity
        state = OrderState.REJECTED
        if not answer.is_refused:
            state = lifecycle.state_from_counts(order.quantity, filled, remaining=Quantity(0))
        if not lifecycle.may_move_order(view.state, state):
            raise ValueError(f"order {view.client_order_id}: {view.state} cannot become {state}")
        ended = replace(
            view,
            state=state,
            filled=filled,
            note=answer.note,
            venue_order_id=VenueOrderId(view.client_order_id),
        )
        trade = _with_fills(self.held.trades[view.trade_id], view.purpose, answer)
        state_now = lifecycle.next_trade_state(
            trade.state, (True,), trade.entry_quantity, trade.exit_quantity
        )
        if state_now is not trade.state:
            trade = _moved(trade, state_now, ENDED_BY.get(state_now), now)
        self._write(Written(trade=trade, order=ended), now)
        if state_now is TradeState.VOID:
            self._count_entry(trade, -1)
        self._count_end(trade)
        return trade

    def settle(self, ticker: Ticker, value: Price, at: datetime) -> list[TradeView]:
        """Pay out what is still held of a market of which one contract of YES is worth `value`."""
        settled = [
            replace(
                _moved(trade, TradeState.CLOSED, "settlement", at),
                payout=payout_of(trade.side, trade.held, value),
            )
            for trade in self.held.trades.values()
            if trade.ticker == ticker and trade.state is TradeState.OPEN
        ]
        for trade in settled:
            self._write(Written(trade=trade), at)
            self._count_end(trade)
        return settled

    def adopt(self, trades: Iterable[tuple[TradeView, tuple[datetime, ...]]], now: datetime) -> None:
        """Go on from rows: every trade that still counts, oldest first, with the times of its orders."""
        for trade, ordered_at in trades:
            self._write(Written(trade=trade), now)
            self._count_entry(trade, int(trade.state is not TradeState.VOID))
            self._count_end(trade)
            for at in ordered_at:
                self.ordered += 1
                name = lifecycle.client_order_id(TAG, trade.trade_id, OrderPurpose.EXIT, self.ordered)
                self.held.sent[name] = at

    def _count_entry(self, trade: TradeView, by: int) -> None:
        """An entry counts while it bought something or still may; when it was made counts either way."""
        event, market = self.held.events.get(trade.event_ticker), self.held.markets.get(trade.ticker)
        last = trade.opened_at if market is None else max(market.last_entry_at, trade.opened_at)
        apply(
            self.held,
            Written(
                event=EventEntries(
                    event_ticker=trade.event_ticker,
                    closes_at=trade.closes_at,
                    entries=by + (0 if event is None else event.entries),
                ),
                market=MarketEntries(
                    ticker=trade.ticker,
                    closes_at=trade.closes_at,
                    entries=by + (0 if market is None else market.entries),
                    last_entry_at=last,
                ),
            ),
        )

    def _count_end(self, trade: TradeView) -> None:
        if trade.state is not TradeState.CLOSED or trade.closed_at is None:
            return
        day, pnl = trade.closed_at.date(), trade.pnl
        before = self.held.days.get(day, DayFigures(day=day, realised=ZERO, fees=ZERO, wins=0, losses=0))
        figures = DayFigures(
            day=day,
            realised=Money(before.realised + pnl),
            fees=Money(before.fees + trade.fees),
            wins=before.wins + (pnl > 0),
            losses=before.losses + (pnl < 0),
        )
        losing = losing_after(self.held.losing, trade.trade_id, pnl)
        apply(self.held, Written(day=figures, losing=losing))

    def _write(self, written: Written, now: datetime) -> None:
        apply(self.held, written)
        self._is_new = True
        _forget(self.held, now)


def _forget(held: Held, now: datetime) -> None:
    """What no gate counts any more."""
    held.recent_trades.clear()
    held.recent_orders.clear()
    held.days = {day: each for day, each in held.days.items() if day >= now.date()}
    held.sent = {name: at for name, at in held.sent.items() if at > now - RATE_SPAN}
    held.events = {name: each for name, each in held.events.items() if each.closes_at > now - COUNTED}
    held.markets = {name: each for name, each in held.markets.items() if each.closes_at > now - COUNTED}


def _opening(trade_id: TradeId, intent: OpenIntent) -> TradeView:
    return TradeView(
        trade_id=trade_id,
        strategy=intent.strategy,
        ticker=intent.ticker,
        event_ticker=intent.event_ticker,
        side=intent.side,
        state=TradeState.OPENING,
        opened_at=intent.decided_at,
        closes_at=intent.closes_at,
        closed_at=None,
        exchange_index=intent.exchange_index,
        entry_quantity=Quantity(0),
        entry_cost=ZERO,
        exit_quantity=Quantity(0),
        exit_proceeds=ZERO,
        fees=ZERO,
        payout=ZERO,
        why=intent.why,
        ended_by=None,
    )


def _intended(
    order: PlaceOrder, trade_id: TradeId, purpose: OrderPurpose, reserved: Money, now: datetime
) -> OrderView:
    return OrderView(
        client_order_id=order.client_order_id,
        trade_id=trade_id,
        venue_order_id=None,
        ticker=order.ticker,
        purpose=purpose,
        book_side=order.book_side,
        state=OrderState.PENDING,
        quantity=order.quantity,
        filled=Quantity(0),
        price=order.price,
        reserved=reserved,
        created_at=now,
        note="",
    )


def _with_fills(trade: TradeView, purpose: OrderPurpose, answer: Answer) -> TradeView:
    value = answer.value(trade.side)
    fees = Money(trade.fees + answer.fees)
    if purpose is OrderPurpose.ENTRY:
        bought = Quantity(trade.entry_quantity + answer.quantity)
        return replace(trade, entry_quantity=bought, entry_cost=Money(trade.entry_cost + value), fees=fees)
    sold = Quantity(trade.exit_quantity + answer.quantity)
    proceeds, met = Money(trade.exit_proceeds + value), trade.exits_met + (not answer.is_refused)
    return replace(trade, exit_quantity=sold, exit_proceeds=proceeds, fees=fees, exits_met=met)


def _moved(
    trade: TradeView, state: TradeState, ended_by: str | None = None, at: datetime | None = None
) -> TradeView:
    if not lifecycle.may_move_trade(trade.state, state):
        raise ValueError(f"trade {trade.trade_id}: {trade.state} cannot become {state}")
    return replace(trade, state=state, ended_by=ended_by, closed_at=at if ended_by else None)
