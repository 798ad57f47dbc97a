"""Proves at the venue that an order never arrived there, and tells it; a time-out and a list that was read once prove nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import anyio

from recio.clock import Clock
from recio.kalshi import account
from recio.kalshi.account_figures import venue_ahead_at_most
from recio.kalshi.historical import OLD_ORDERS
from recio.kalshi.rest import KalshiRest
from recio.messages.account import OrderProvenAbsent
from recio.messages.orders import OrderView
from recio.rules.account.reconcile import Absence, rows_since
from recio.test_hooks.crash_points import CrashPoint, reached
from recio.units import ClientOrderId


@dataclass(slots=True, kw_only=True)
class Absences:
    """What one run has seen of orders that may never have arrived."""

    rest: KalshiRest
    clock: Clock
    arrives_within: timedelta
    """Of its row, in market time."""
    began_at: datetime
    """When this daemon began, by our clock: what has an older row is an earlier one's."""
    by_order: dict[ClientOrderId, Absence] = field(default_factory=dict[ClientOrderId, Absence])
    rows_since: Mapping[ClientOrderId, float] | None = None
    """Of each order without a proven end, by the event loop's clock; None while nobody looked."""

    @property
    def margin(self) -> timedelta:
        """Market time after which what was sent by our clock has arrived by the venue's, which may be ahead."""
        return self.arrives_within + venue_ahead_at_most(self.rest)

    def look(self, orders: Iterable[OrderView]) -> None:
        """At every change of the rows: from now on at the latest these are there."""
        clock = self.clock
        self.rows_since = rows_since(
            self.rows_since, orders, clock.utc(), anyio.current_time(), clock.speed, self.began_at
        )

    def keep(self, names: Iterable[ClientOrderId]) -> None:
        """What was seen of these, and of no other any more."""
        self.by_order = {name: self.by_order.get(name, Absence()) for name in names}

    async def prove(
        self,
        found: Collection[ClientOrderId | None],
        as_of: datetime,
        tell: Callable[[OrderProvenAbsent], Awaitable[None]],
    ) -> None:
        """After one more complete list, as of a time by the venue's clock."""
        if self.rest.venue_clock.offset is None or self.rows_since is None:
            return  # what the venue's time says of ours is not known, or since when the rows have been there
        for name, before in tuple(self.by_order.items()):
            may_be_there = name in found or any(
                self.rest.set_aside.may_name(rows, name) for rows in (account.ORDERS, OLD_ORDERS)
            )
            after = before.after(
                found=may_be_there, as_of=as_of, sent_by=self._arrived_by(name, self.rows_since)
            )
            self.by_order[name] = after
            if after.proven:
                proof = f"not listed in two complete reads, the last as of {as_of.isoformat()}"
                reached(CrashPoint.ABSENCE_PROVEN)
                await tell(OrderProvenAbsent(client_order_id=name, proof=proof))
                reached(CrashPoint.ABSENCE_SENT)

    def _arrived_by(self, name: ClientOrderId, since: Mapping[ClientOrderId, float]) -> datetime:
        """The moment after which its request cannot arrive any more, by our clock as it is now."""
        now, clock = anyio.current_time(), self.clock
        there_for = timedelta(seconds=(now - since.get(name, now)) * clock.speed)
        return clock.utc() - there_for + self.margin
