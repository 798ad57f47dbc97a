"""The account's orders and fills as records, and what they bind in collateral; it executes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from recio.exchange_sim.engine.account import collateral
from recio.exchange_sim.engine.book import Resting


class OrderStatus(StrEnum):
    RESTING = "resting"
    CANCELED = "canceled"
    EXECUTED = "executed"


@dataclass(slots=True, eq=False)
class Order:
    """One order of the account, alive or done. Prices in YES terms."""

    sequence: int
    order_id: str
    client_order_id: str
    ticker: str
    event_ticker: str
    shard: int
    bid: bool
    price: int
    initial: int
    remaining: int
    self_trade_prevention: str
    created_ms: int
    updated_ms: int
    expires_ms: int | None = None
    status: OrderStatus = OrderStatus.RESTING
    filled: int = 0
    value: int = 0
    """Price x quantity of all fills, in YES terms."""
    taker_cost: int = 0
    maker_cost: int = 0
    taker_fees: int = 0
    maker_fees: int = 0
    rounding: int = 0
    resting: Resting | None = None
    subaccount: int = 0
    owner: int = 0
    """The member's number among the participants."""
    group_id: str = ""
    post_only: bool = False
    cancel_on_pause: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """One execution of one of the account's orders."""

    sequence: int
    trade_id: str
    order: Order
    price: int
    quantity: int
    taker: bool
    fee: int
    post_position: int
    now_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Why a request is not carried out, in the venue's words; how that is said on a wire is the wire's business."""

    code: str
    details: str | None = None
    message: str | None = None


NOT_FOUND = Refused(code="not_found")
MARKET_NOT_FOUND = Refused(code="market_not_found")
MARKET_INACTIVE = Refused(code="MARKET_INACTIVE", message="MARKET_INACTIVE")
INSUFFICIENT_BALANCE = Refused(code="insufficient_balance")
INVALID_SIZE = Refused(code="invalid_order_size")
ALREADY_EXISTS = Refused(code="order_already_exists")
FORBIDDEN = Refused(code="permission_denied")
NO_SUCH_SHARD = Refused(code="invalid_parameters", details="exchange_index")
TRADING_PAUSED = Refused(code="trading_is_paused")
EXCHANGE_PAUSED = Refused(code="exchange_is_paused")
GROUP_TRIGGERED = Refused(code="invalid_order", details="order group triggered")


def resting_collateral(orders: Iterable[Order], held: int) -> int:
    """Collateral of one market's resting orders: the oldest first close the position, the rest opens."""
    total = 0
    left = {True: max(-held, 0), False: max(held, 0)}
    for order in orders:
        closing = min(left[order.bid], order.remaining)
        left[order.bid] -= closing
        total += collateral(bid=order.bid, price=order.price, quantity=order.remaining - closing)
    return total
