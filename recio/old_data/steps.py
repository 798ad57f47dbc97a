"""What was bought and sold of one ticker step by step, each with its fee; where fills are missing their orders tell. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from recio.old_data.records import Fill, Order
from recio.old_data.values import MONEY_STEP

ZERO = Decimal(0)


@dataclass(slots=True)
class Step:
    """One fill, or what an order tells of fills that are missing."""

    fill_id: str
    """Empty: an order tells it."""
    order_id: str
    side: str
    is_sale: bool
    quantity: Decimal
    price: Decimal
    fee: Decimal | None
    at: datetime
    doubtful: bool
    given: Decimal = ZERO
    """Contracts that trades have taken so far."""
    paid: Decimal = ZERO
    """Dollars of the fee that those trades pay."""

    def take(self, quantity: Decimal) -> Decimal | None:
        """Their part of the fee: all parts come to the fee, to the millionth."""
        if self.fee is None:
            return None
        self.given += quantity
        part = (self.fee * self.given / self.quantity).quantize(MONEY_STEP) - self.paid
        self.paid += part
        return part


@dataclass(slots=True)
class _OrderFee:
    """The fees of an order, shared out to its fills as they come."""

    fees: Decimal
    filled: Decimal
    given: Decimal = ZERO
    shared: Decimal = ZERO

    def share(self, quantity: Decimal) -> Decimal:
        self.given += quantity
        part = (self.fees * self.given / self.filled).quantize(MONEY_STEP) - self.shared
        self.shared += part
        return part


def steps_of(fills: Sequence[Fill], orders: Sequence[Order]) -> list[Step]:
    by_order = defaultdict[str, Decimal](Decimal)
    for each in fills:
        by_order[each.order_id] += each.quantity
    # An order that was kept before it had finished knows no fees.
    told = {
        each.order_id: _OrderFee(each.fees, each.filled)
        for each in orders
        if each.fees is not None and each.filled and each.filled == by_order.get(each.order_id)
    }
    steps = [
        Step(
            each.fill_id,
            each.order_id,
            each.side,
            each.action == "sell",
            each.quantity,
            each.price,
            each.fee if each.fee is not None else _shared(told.get(each.order_id), each.quantity),
            each.at,
            each.doubtful,
        )
        for each in sorted(fills, key=lambda each: (each.at, each.fill_id))
    ]
    if "" not in by_order:
        steps += [
            _missing(each)
            for each in orders
            if each.filled and not by_order[each.order_id] and _has_price(each)
        ]
    return sorted(steps, key=lambda each: each.at)


def _shared(of: _OrderFee | None, quantity: Decimal) -> Decimal | None:
    return None if of is None else of.share(quantity)


def _has_price(order: Order) -> bool:
    return order.cost is not None and order.at is not None and 0 < order.cost < order.filled


def _missing(order: Order) -> Step:
    assert order.cost is not None
    assert order.at is not None
    at = order.cost / order.filled
    return Step(
        "", order.order_id, order.side, order.action == "sell", order.filled, at, order.fees, order.at, False
    )
