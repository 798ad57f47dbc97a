"""Proves at the venue that an order never arrived there, and tells it; a time-out and a list that was read once prove nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable
from datetime import datetime, timedelta

from recio.kalshi import account
from recio.kalshi.historical import OLD_ORDERS
from recio.kalshi.rest import KalshiRest
from recio.messages.account import OrderProvenAbsent
from recio.messages.orders import OrderView
from recio.rules.account.reconcile import Absence
from recio.test_hooks.crash_points import CrashPoint, reached
from recio.units import ClientOrderId

Absences = dict[ClientOrderId, Absence]


async def prove_absent(
    rest: KalshiRest,
    absences: Absences,
    unresolved: Iterable[OrderView],
    found: Collection[ClientOrderId | None],
    as_of: datetime,
    margin: timedelta,
    tell: Callable[[OrderProvenAbsent], Awaitable[None]],
) -> None:
    """After one more complete list, as of a time by the venue's clock. An order has arrived `margin` after its row, or never."""
    if rest.venue_clock.offset is None:
        return  # what the venue's time says of ours is not known
    for order in unresolved:
        name = order.client_order_id
        may_be_there = name in found or any(
            rest.set_aside.may_name(rows, name) for rows in (account.ORDERS, OLD_ORDERS)
        )
        absence = absences[name].after(found=may_be_there, as_of=as_of, sent_by=order.created_at + margin)
        absences[name] = absence
        if absence.proven:
            proof = f"not listed in two complete reads, the last as of {as_of.isoformat()}"
            reached(CrashPoint.ABSENCE_PROVEN)
            await tell(OrderProvenAbsent(client_order_id=name, proof=proof))
            reached(CrashPoint.ABSENCE_SENT)
