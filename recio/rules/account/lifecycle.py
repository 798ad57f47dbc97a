"""The legal moves of orders and trades, and what a trade becomes when its orders and fills change.

schema.sql holds the same tables as triggers; a test proves that both say the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from recio.messages.account import OrderSeen, VenueOrderStatus
from recio.messages.orders import OrderPurpose, OrderState, OrderView, TradeState
from recio.units import BookSide, ClientOrderId, Price, Quantity, Side, TradeId, complement

ORDER_MOVES: dict[OrderState, frozenset[OrderState]] = {
    OrderState.PENDING: frozenset(
        {
            OrderState.UNKNOWN,
            OrderState.RESTING,
            OrderState.FILLED,
            OrderState.CANCELLED,
            OrderState.REJECTED,
            OrderState.NOT_FOUND,
        }
    ),
    OrderState.UNKNOWN: frozenset(
        {OrderState.RESTING, OrderState.FILLED, OrderState.CANCELLED, OrderState.NOT_FOUND}
    ),
    OrderState.RESTING: frozenset({OrderState.FILLED, OrderState.CANCELLED}),
    OrderState.FILLED: frozenset(),
    OrderState.CANCELLED: frozenset(),
    OrderState.REJECTED: frozenset(),
    OrderState.NOT_FOUND: frozenset(),
}

TRADE_MOVES: dict[TradeState, frozenset[TradeState]] = {
    TradeState.OPENING: frozenset({TradeState.OPEN, TradeState.VOID}),
    TradeState.OPEN: frozenset({TradeState.CLOSING, TradeState.CLOSED}),
    TradeState.CLOSING: frozenset({TradeState.OPEN, TradeState.CLOSED}),
    TradeState.CLOSED: frozenset(),
    TradeState.VOID: frozenset(),
}

PROVEN_ENDS = frozenset(state for state, moves in ORDER_MOVES.items() if not moves)
UNPROVEN = frozenset(ORDER_MOVES) - PROVEN_ENDS
"""Orders that may still trade, or may turn out to have traded; is_unproven in schema.sql."""
UNCONFIRMED = UNPROVEN - {OrderState.RESTING}
"""Nobody knows yet whether the venue has the order: its list cannot show it for certain."""
NEVER_ARRIVED = frozenset({OrderState.REJECTED, OrderState.NOT_FOUND})
"""By our rows nothing of these can be at the venue."""
LEFT_TO_NEXT_RUN = UNPROVEN - {OrderState.PENDING}
"""A stopping daemon does not wait for these: the next run finds out what became of them."""
ENDED_TRADES = frozenset(state for state, moves in TRADE_MOVES.items() if not moves)
"""has_ended in schema.sql."""
RECENT = 20
"""Ended trades and orders that are held, for the status page and for what the balance may not show yet."""
COUNTED = timedelta(hours=1)
"""After its close a market's entries are no longer counted."""


def made_at(order: OrderView) -> tuple[datetime, ClientOrderId]:
    """Orders in the order in which they were made."""
    return order.created_at, order.client_order_id


def may_move_order(now: OrderState, to: OrderState) -> bool:
    return to in ORDER_MOVES[now]


def may_move_trade(now: TradeState, to: TradeState) -> bool:
    return to in TRADE_MOVES[now]


def state_from_counts(quantity: Quantity, filled: Quantity, remaining: Quantity) -> OrderState:
    """What an order with these counts is, by the venue's answer to its creation."""
    if remaining > 0:
        return OrderState.RESTING
    return OrderState.FILLED if filled >= quantity else OrderState.CANCELLED


def state_from_venue(seen: OrderSeen) -> OrderState:
    """What an order is that the venue's list shows."""
    match seen.status:
        case VenueOrderStatus.RESTING:
            return OrderState.RESTING
        case VenueOrderStatus.EXECUTED:
            return OrderState.FILLED
        case VenueOrderStatus.CANCELED:
            return OrderState.CANCELLED


def is_news(seen: OrderSeen, states: Mapping[str, OrderState]) -> bool:
    """Whether an order could move by what the venue shows of it; `states` by the venue's id and by our own."""
    state = states.get(seen.venue_order_id) or states.get(seen.client_order_id or "")
    return state is not None and may_move_order(state, state_from_venue(seen))


def next_trade_state(
    state: TradeState, orders_settled: Sequence[bool], entry_quantity: Quantity, exit_quantity: Quantity
) -> TradeState:
    """What a trade is, given whether each of its orders is settled and what its fills add up to."""
    if not all(orders_settled):
        return state
    match state:
        case TradeState.OPENING:
            return TradeState.OPEN if entry_quantity > 0 else TradeState.VOID
        case TradeState.OPEN | TradeState.CLOSING:
            return TradeState.CLOSED if exit_quantity >= entry_quantity else TradeState.OPEN
        case TradeState.CLOSED | TradeState.VOID:
            return state


def book_side(side: Side, purpose: OrderPurpose) -> BookSide:
    """Buying YES and selling NO are bids of the one YES book; the other two are asks."""
    buys_yes = (side is Side.YES) == (purpose is OrderPurpose.ENTRY)
    return BookSide.BID if buys_yes else BookSide.ASK


def yes_price(side: Side, own_price: Price) -> Price:
    """A side's own price in YES terms; the same function leads back."""
    return own_price if side is Side.YES else complement(own_price)


def client_order_id(
    account_tag: str, trade_id: TradeId, purpose: OrderPurpose, attempt: int
) -> ClientOrderId:
    """Stable, ours and telling: which database, trade, purpose and attempt an order belongs to."""
    return ClientOrderId(f"recio-{account_tag}-{trade_id}-{purpose.value}-{attempt}")
