"""What was bought and sold of one ticker step by step, each with its fee; where fills are missing their orders tell. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
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
    of_order = defaultdict[str, list[Fill]](list)
    for each in sorted(fills, key=lambda each: (each.at, each.fill_id)):
        of_order[each.order_id].append(each)
    missing: dict[str, Step] = {}
    # Fills without the ids of their orders do not tell which are missing.
    for order in () if "" in of_order else orders:
        step = _missing(order, of_order.get(order.order_id, ()))
        if step is not None:
            missing[order.order_id] = step
    # An order that was kept before it had finished knows no fees.
    told = {
        each.order_id: _OrderFee(each.fees, each.filled)
        for each in orders
        if each.fees is not None and each.filled and each.filled == _known(each, of_order, missing)
    }
    steps = [_filled(each, told.get(each.order_id)) for ones in of_order.values() for each in ones]
    for name, step in missing.items():
        step.fee = _fee_left(of_order.get(name, ()), told.get(name), step.quantity)
    return sorted([*steps, *missing.values()], key=lambda each: (each.at, not each.fill_id, each.fill_id))


def _known(order: Order, of_order: Mapping[str, Sequence[Fill]], missing: Mapping[str, Step]) -> Decimal:
    of_fills = sum((each.quantity for each in of_order.get(order.order_id, ())), ZERO)
    return of_fills + (missing[order.order_id].quantity if order.order_id in missing else ZERO)


def _filled(fill: Fill, of: _OrderFee | None) -> Step:
    fee = fill.fee if fill.fee is not None or of is None else of.share(fill.quantity)
    return Step(
        fill.fill_id,
        fill.order_id,
        fill.side,
        fill.action == "sell",
        fill.quantity,
        fill.price,
        fee,
        fill.at,
        fill.doubtful,
    )


def _missing(order: Order, fills: Sequence[Fill]) -> Step | None:
    """What the order filled beside these, for what it cost beside them. A fraction is how a count was rounded, and no fill."""
    left = order.filled - sum((each.quantity for each in fills), ZERO)
    if left <= 0 or (fills and left < 1) or order.cost is None or order.at is None:
        return None
    paid = order.cost - sum((each.quantity * each.price for each in fills), ZERO)
    if not 0 < paid < left:
        return None
    is_sale = order.action == "sell"
    return Step("", order.order_id, order.side, is_sale, left, paid / left, None, order.at, False)


def _fee_left(fills: Sequence[Fill], of: _OrderFee | None, quantity: Decimal) -> Decimal | None:
    """Of what the order told: its share, or what its fills left of it. None where they knew more than the order."""
    own = [each.fee for each in fills if each.fee is not None]
    if of is None or (own and len(own) < len(fills)):
        return None
    left = of.fees - sum(own, ZERO) if own else of.share(quantity)
    return left if left >= 0 else None
