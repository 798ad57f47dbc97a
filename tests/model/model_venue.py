"""A tiny exchange in plain Python: what it holds is the truth that recio's rows must come to equal.

It keeps every state an order ever had with its time, so that a read may lag behind and say honestly how far.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from recio.messages.account import FillSeen, OrderSeen, SettlementSeen, VenueOrderStatus
from recio.messages.orders import OrderAccepted, OrderOutcome, OrderRejected, PlaceOrder
from recio.units import BookSide, FillId, Money, Price, Quantity, Side, Ticker, VenueOrderId

TICK = timedelta(milliseconds=1)
EXTERNAL = Ticker("KXHAND-1")


@dataclass(slots=True)
class VenueOrder:
    seen: OrderSeen
    command: PlaceOrder
    history: list[tuple[datetime, OrderSeen]]


@dataclass(slots=True)
class ModelVenue:
    now: datetime
    received: Counter[str] = field(default_factory=Counter[str])
    orders: dict[str, VenueOrder] = field(default_factory=dict[str, VenueOrder])
    fills: list[FillSeen] = field(default_factory=list[FillSeen])
    settlements: dict[Ticker, SettlementSeen] = field(default_factory=dict[Ticker, SettlementSeen])
    closes: dict[Ticker, datetime] = field(default_factory=dict[Ticker, datetime])
    frames: list[FillSeen | OrderSeen] = field(default_factory=list[FillSeen | OrderSeen])
    """What the private channels say next; whoever listens takes it away."""

    def post(self, command: PlaceOrder, share: int, *, accepts: bool, rests: bool) -> OrderOutcome:
        """One request arrives: `share` percent of it is filled at once."""
        self.now += TICK
        self.received[command.client_order_id] += 1
        most = command.quantity
        if command.reduce_only:
            most = Quantity(min(most, abs(self.position(command.ticker))))
        if not accepts or self.now >= self.closes[command.ticker] or most <= 0:
            return OrderRejected(
                client_order_id=command.client_order_id, code="refused", text="by the model", at=self.now
            )
        seen = OrderSeen(
            venue_order_id=VenueOrderId(f"v-{len(self.orders)}-{command.client_order_id}"),
            client_order_id=command.client_order_id,
            ticker=command.ticker,
            status=VenueOrderStatus.RESTING,
            filled=Quantity(0),
            remaining=command.quantity,
        )
        order = VenueOrder(seen, command, [])
        self.orders[command.client_order_id] = order
        self.match(order, Quantity(most * share // 100), rests=rests and not command.reduce_only)
        return OrderAccepted(
            client_order_id=command.client_order_id,
            venue_order_id=seen.venue_order_id,
            filled=order.seen.filled,
            remaining=order.seen.remaining,
            at=self.now,
        )

    def match(self, order: VenueOrder, quantity: Quantity, *, rests: bool) -> None:
        """Fill some of an order, in two matches where it can be split, and let the rest stand or end."""
        halves = [quantity] if quantity < 2 else [quantity // 2, quantity - quantity // 2]
        for part in (Quantity(half) for half in halves if half > 0):
            self._fill(order.seen.venue_order_id, order.command, part)
        filled = Quantity(order.seen.filled + quantity)
        left = Quantity(order.command.quantity - filled)
        status = VenueOrderStatus.RESTING if rests else VenueOrderStatus.CANCELED
        if left == 0:
            status = VenueOrderStatus.EXECUTED
        order.seen = OrderSeen(
            venue_order_id=order.seen.venue_order_id,
            client_order_id=order.seen.client_order_id,
            ticker=order.seen.ticker,
            status=status,
            filled=filled,
            remaining=left if status is VenueOrderStatus.RESTING else Quantity(0),
        )
        order.history.append((self.now, order.seen))
        self.frames.append(order.seen)

    def _fill(self, venue_order_id: VenueOrderId, command: PlaceOrder, quantity: Quantity) -> None:
        self._record(venue_order_id, command.ticker, command.book_side, command.price, quantity)

    def _record(
        self, venue_order_id: VenueOrderId, ticker: Ticker, side: BookSide, price: Price, quantity: Quantity
    ) -> None:
        fill = FillSeen(
            fill_id=FillId(f"f-{len(self.fills)}"),
            venue_order_id=venue_order_id,
            ticker=ticker,
            book_side=side,
            price=price,
            quantity=quantity,
            fee=Money(100 * (1 + len(self.fills) % 7)),
            is_taker=True,
            at=self.now,
        )
        self.fills.append(fill)
        self.frames.append(fill)

    def trade_externally(self, quantity: Quantity) -> None:
        self._record(VenueOrderId("by-hand"), EXTERNAL, BookSide.BID, Price(4000), quantity)

    def resting(self) -> list[VenueOrder]:
        return [each for each in self.orders.values() if each.seen.status is VenueOrderStatus.RESTING]

    def position(self, ticker: Ticker) -> Quantity:
        """Signed: + YES, - NO; nothing is left of a market that was settled."""
        if ticker in self.settlements:
            return Quantity(0)
        signed = (
            each.quantity if each.book_side is BookSide.BID else -each.quantity
            for each in self.fills
            if each.ticker == ticker
        )
        return Quantity(sum(signed))

    def positions(self) -> dict[Ticker, Quantity]:
        held = {ticker: self.position(ticker) for ticker in {each.ticker for each in self.fills}}
        return {ticker: quantity for ticker, quantity in held.items() if quantity}

    def settle(self, ticker: Ticker, result: Side) -> None:
        for order in self.resting():
            if order.seen.ticker == ticker:
                self.match(order, Quantity(0), rests=False)
        self.settlements[ticker] = SettlementSeen(
            ticker=ticker, result=result, settled_at=self.now, revenue_cents=0
        )

    def orders_as_of(self, as_of: datetime) -> list[OrderSeen]:
        """What a read with this data time shows."""
        shown = ([seen for at, seen in each.history if at <= as_of] for each in self.orders.values())
        return [states[-1] for states in shown if states]
