"""What an order request asks, as plain values; nothing is decided here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

AUTO_ROUTE = -1


class TimeInForce(StrEnum):
    GOOD_TILL_CANCELED = "good_till_canceled"
    IMMEDIATE_OR_CANCEL = "immediate_or_cancel"
    FILL_OR_KILL = "fill_or_kill"


class SelfTradePrevention(StrEnum):
    TAKER_AT_CROSS = "taker_at_cross"
    MAKER = "maker"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOrder:
    """A create request whose fields have the right types."""

    ticker: str
    bid: bool
    price: int
    quantity: int
    time_in_force: TimeInForce
    self_trade_prevention: SelfTradePrevention
    client_order_id: str = ""
    expires_ms: int | None = None
    post_only: bool = False
    reduce_only: bool = False
    shard: int = AUTO_ROUTE
    subaccount: int = 0
    group_id: str = ""
    cancel_on_pause: bool = False
