"""The account of a replay: trades, orders and a paper balance, moved by the daemon's own lifecycle rules.

It stands where live the database stands. Every order ends when it arrives, so nothing is ever unknown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from recio.messages.account import AccountView
from recio.messages.decisions import CloseIntent, OpenIntent
from recio.messages.orders import (
    OpenTrades,
    OrderPurpose,
    OrderState,
    OrderView,
    PlaceOrder,
    TradeState,
    TradeView,
)
from recio.replay.taking import Taking
from recio.rules.account import lifecycle
from recio.rules.account.losses import losses_in_a_row
from recio.rules.account.risk import RATE_SPAN, Approved
from recio.rules.pricing.fees import taker_fee
from recio.units import (
    PAYOUT_PER_UNIT,
    ClientOrderId,
    EventTicker,
    Money,
    Price,
    Quantity,
    Side,
    Ticker,
    TradeId,
    VenueOrderId,
    notional,
)

START_BALANCE = Money(1_000 * 1_000_000)
ACCOUNT_TAG = "replay"
ZERO = Money(0)
LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(slots=True)
class Paper:
    """The rows of one replayed session."""

    deadline: timedelta
    fee_multipliers: Mapping[Ticker, Decimal] = field(default_factory=dict[Ticker, Decimal])
    """Of markets that are known to differ from 1."""
    balance: Money = START_BALANCE
    trades: dict[TradeId, TradeView] = field(default_factory=dict[TradeId, TradeView])
    orders: dict[ClientOrderId, OrderView] = field(default_factory=dict[ClientOrderId, OrderView])
    intents: dict[TradeId, OpenIntent] = field(default_factory=dict[TradeId, OpenIntent])
    _rows: OpenTrades | None = None
    """What was said last; None once anything has changed."""
    _rows_until: datetime = LONG_AGO
    _account: AccountView | None = None

    def live(self) -> tuple[TradeView, ...]:
        return tuple(trade for trade in self.trades.values() if trade.state not in lifecycle.ENDED_TRADES)

    def open_trades(self, now: datetime) -> OpenTrades:
        """Everything that the rows say now: the same object for as long as they say the same."""
        if self._rows is None or now >= self._rows_until:
            read, self._rows_until = self._read(now), now + RATE_SPAN / 60
            if read != self._rows:
                self._rows = read
        return self._rows or self._read(now)

    def _read(self, now: datetime) -> OpenTrades:
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        today = [
            trade
            for trade in self.trades.values()
            if trade.state is TradeState.CLOSED
            and trade.closed_at is not None
            and trade.closed_at >= midnight
        ]
        return OpenTrades(
            trades=self.live(),
            orders=tuple(each for each in self.orders.values() if each.state not in lifecycle.PROVEN_ENDS),
            recent_trades=(),
            recent_orders=(),
            entries_by_event=self._entries_by_event(),
            entries_by_market=Counter(
                each.ticker for each in self.trades.values() if each.state is not TradeState.VOID
            ),
            last_entry_at={trade.ticker: trade.opened_at for trade in self.trades.values()},
            realised_today=Money(sum(trade.pnl for trade in today)),
            fees_today=Money(sum(trade.fees for trade in today)),
            wins_today=sum(trade.pnl > 0 for trade in today),
            losses_today=sum(trade.pnl < 0 for trade in today),
            losses_in_a_row=losses_in_a_row(self._pnls_newest_first()),
            orders_last_minute=sum(each.created_at > now - RATE_SPAN for each in self.orders.values()),
        )

    def _entries_by_event(self) -> Counter[EventTicker]:
        return Counter(
            trade.event_ticker for trade in self.trades.values() if trade.state is not TradeState.VOID
        )

    def _pnls_newest_first(self) -> list[Money]:
        closed = [
            (each.closed_at, each.trade_id, each.pnl)
            for each in self.trades.values()
            if each.state is TradeState.CLOSED and each.closed_at
        ]
        return [pnl for _, _, pnl in sorted(closed, reverse=True)]

    def account(self, now: datetime) -> AccountView:
        if self._account is None:
            self._account = self._read_account(now)
        return self._account

    def _read_account(self, now: datetime) -> AccountView:
        return AccountView(
            balance=self.balance,
            positions={
                trade.ticker: trade.held if trade.side is Side.YES else Quantity(-trade.held)
                for trade in self.live()
                if trade.held
            },
            differences=(),
            external=(),
            reconciled_at=now,
        )

    def record_entry(self, approved: Approved, now: datetime) -> PlaceOrder:
        """The trade and the order of an approved entry."""
        intent = approved.intent
        trade_id = TradeId(len(self.trades) + 1)
        self._rows = self._account = None
        self.trades[trade_id] = _opening(trade_id, intent)
        self.intents[trade_id] = intent
        return self._intend(
            trade_id, OrderPurpose.ENTRY, intent.quantity, intent.limit, approved.reserved, now
        )

    def record_exit(self, intent: CloseIntent, now: datetime) -> PlaceOrder | None:
        """The order of an exit; None if the trade holds nothing that could be sold now."""
        trade = self.trades[intent.trade_id]
        quantity = Quantity(min(intent.quantity, trade.held))
        if trade.state is not TradeState.OPEN or quantity <= 0:
            return None
        self._move(trade, TradeState.CLOSING)
        return self._intend(trade.trade_id, OrderPurpose.EXIT, quantity, intent.floor, ZERO, now)

    def _intend(
        self,
        trade_id: TradeId,
        purpose: OrderPurpose,
        quantity: Quantity,
        own_price: Price,
        reserved: Money,
        now: datetime,
    ) -> PlaceOrder:
        trade = self.trades[trade_id]
        attempt = 1 + sum(
            each.trade_id == trade_id and each.purpose is purpose for each in self.orders.values()
        )
        order = PlaceOrder(
            client_order_id=lifecycle.client_order_id(ACCOUNT_TAG, trade_id, purpose, attempt),
            ticker=trade.ticker,
            exchange_index=trade.exchange_index,
            book_side=lifecycle.book_side(trade.side, purpose),
            quantity=quantity,
            price=lifecycle.yes_price(trade.side, own_price),
            reduce_only=purpose is OrderPurpose.EXIT,
            send_before=now + self.deadline,
        )
        self._rows = self._account = None
        self.orders[order.client_order_id] = _intended(order, trade_id, purpose, reserved, now)
        return order

    def refuse(self, order: PlaceOrder, why: str, now: datetime) -> None:
        """The venue would not have taken this order at all."""
        self._end(order, OrderState.REJECTED, (), why, now)

    def answer(self, order: PlaceOrder, got: Sequence[Taking], note: str, now: datetime) -> None:
        """What an order got when it arrived; the rest of it is cancelled."""
        filled = Quantity(sum(each.quantity for each in got))
        state = lifecycle.state_from_counts(order.quantity, filled, remaining=Quantity(0))
        self._end(order, state, got, note, now)

    def _end(
        self, order: PlaceOrder, state: OrderState, got: Sequence[Taking], note: str, now: datetime
    ) -> None:
        view = self.orders[order.client_order_id]
        if not lifecycle.may_move_order(view.state, state):
            raise ValueError(f"order {view.client_order_id}: {view.state} cannot become {state}")
        filled = Quantity(sum(each.quantity for each in got))
        self._rows = self._account = None
        self.orders[view.client_order_id] = replace(
            view,
            state=state,
            filled=filled,
            note=note,
            venue_order_id=VenueOrderId(f"paper-{len(self.orders)}"),
        )
        self._add_fills(self.trades[view.trade_id], view.purpose, got)
        self._follow(view.trade_id, now)

    def _add_fills(self, trade: TradeView, purpose: OrderPurpose, got: Sequence[Taking]) -> None:
        quantity = Quantity(sum(each.quantity for each in got))
        value = Money(
            sum(notional(lifecycle.yes_price(trade.side, each.price), each.quantity) for each in got)
        )
        multiplier = self.fee_multipliers.get(trade.ticker, Decimal(1))
        fees = Money(sum(taker_fee(each.price, each.quantity, multiplier) for each in got))
        if purpose is OrderPurpose.ENTRY:
            self.balance = Money(self.balance - value - fees)
            after = replace(
                trade,
                entry_quantity=Quantity(trade.entry_quantity + quantity),
                entry_cost=Money(trade.entry_cost + value),
                fees=Money(trade.fees + fees),
            )
        else:
            self.balance = Money(self.balance + value - fees)
            after = replace(
                trade,
                exit_quantity=Quantity(trade.exit_quantity + quantity),
                exit_proceeds=Money(trade.exit_proceeds + value),
                fees=Money(trade.fees + fees),
            )
        self._rows = self._account = None
        self.trades[trade.trade_id] = after

    def _follow(self, trade_id: TradeId, now: datetime) -> None:
        """Let a trade follow its orders and fills."""
        trade = self.trades[trade_id]
        settled = [
            lifecycle.is_settled(order, order.filled)
            for order in self.orders.values()
            if order.trade_id == trade_id
        ]
        state = lifecycle.next_trade_state(trade.state, settled, trade.entry_quantity, trade.exit_quantity)
        if state is trade.state:
            return
        ended_by = {TradeState.CLOSED: "exit", TradeState.VOID: "no fill"}.get(state)
        self._move(trade, state, ended_by=ended_by, closed_at=now if ended_by else None)

    def notes(self, trade_id: TradeId) -> tuple[str, ...]:
        """Why orders of a trade got less than they asked for."""
        orders = self.orders.values()
        return tuple(
            f"{each.purpose}: {each.note}" for each in orders if each.trade_id == trade_id and each.note
        )

    def settle(self, ticker: Ticker, result: Side, at: datetime) -> None:
        """Pay out what is still held of a market."""
        for trade in self.live():
            if trade.ticker != ticker or trade.state is not TradeState.OPEN:
                continue
            payout = Money(trade.held * PAYOUT_PER_UNIT if trade.side is result else 0)
            self.balance = Money(self.balance + payout)
            self._move(trade, TradeState.CLOSED, ended_by="settlement", closed_at=at, payout=payout)

    def _move(
        self,
        trade: TradeView,
        state: TradeState,
        *,
        ended_by: str | None = None,
        closed_at: datetime | None = None,
        payout: Money = ZERO,
    ) -> None:
        if not lifecycle.may_move_trade(trade.state, state):
            raise ValueError(f"trade {trade.trade_id}: {trade.state} cannot become {state}")
        self._rows = self._account = None
        self.trades[trade.trade_id] = replace(
            trade, state=state, ended_by=ended_by, closed_at=closed_at, payout=payout
        )


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
