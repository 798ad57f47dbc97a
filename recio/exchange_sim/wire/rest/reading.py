"""The account as reads may show it now: the present, or the whole of it as it was at one moment; it changes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from recio.exchange_sim.engine.account import NEVER_MS, Account, Position, Settlement
from recio.exchange_sim.engine.orders import Fill, Order, OrderStatus, resting_collateral
from recio.exchange_sim.engine.venue import Venue
from recio.exchange_sim.engine.versions import PRESENT

_Row = TypeVar("_Row")


def shown_ms(venue: Venue) -> int:
    """The moment whose state reads show."""
    return min(venue.account.horizon.as_of_ms, venue.now_ms)


def shown_order(venue: Venue, order_id: str) -> Order | None:
    """As a read of this order alone shows it."""
    as_of_ms = venue.account.horizon.oldest_ms
    if as_of_ms == PRESENT:
        return venue.orders.get(order_id)
    versions = venue.order_versions.get(order_id)
    return None if versions is None else versions.shown(as_of_ms)


def shown_orders(venue: Venue) -> list[Order]:
    if _is_present(venue):
        return list(venue.orders.values())
    return _there(versions.shown() for versions in venue.order_versions.values())


def shown_positions(account: Account) -> list[Position]:
    """In the order in which the markets were first traded."""
    if account.horizon.as_of_ms == PRESENT:
        return list(account.positions.values())
    return _there(versions.shown() for versions in account.position_versions.values())


def shown_fills(venue: Venue) -> list[Fill]:
    latest = venue.account.horizon.as_of_ms
    return [fill for fill in venue.fills if fill.now_ms <= latest]


def shown_settlements(accounts: Iterable[Account]) -> list[Settlement]:
    return [
        row
        for account in accounts
        for row in account.settlements
        if row.holds(min(account.horizon.as_of_ms, NEVER_MS - 1))
    ]


def shown_cash(account: Account) -> dict[int, int]:
    if account.horizon.as_of_ms == PRESENT:
        return account.cash
    return account.cash_versions.shown() or {}


def shown_reserved(venue: Venue, account: Account) -> dict[int, int]:
    """Collateral that resting orders bind, by shard."""
    if _is_present(venue):
        return {shard: venue.reserved(shard, account.number) for shard in account.cash}
    held = {position.ticker: position.quantity for position in shown_positions(account)}
    resting: dict[tuple[int, str], list[Order]] = {}
    for order in shown_orders(venue):
        if order.status is OrderStatus.RESTING and order.subaccount == account.number:
            resting.setdefault((order.shard, order.ticker), []).append(order)
    totals = dict.fromkeys(shown_cash(account), 0)
    for (shard, ticker), orders in resting.items():
        totals[shard] = totals.get(shard, 0) + resting_collateral(
            sorted(orders, key=_arrival), held.get(ticker, 0)
        )
    return totals


def shown_free(venue: Venue, account: Account) -> dict[int, int]:
    """Money that is not bound, by shard."""
    reserved = shown_reserved(venue, account)
    return {shard: cash - reserved.get(shard, 0) for shard, cash in sorted(shown_cash(account).items())}


def is_historical(venue: Venue, moment_ms: int) -> bool:
    """Whether something that last moved then has left the live endpoints."""
    return moment_ms < venue.floor.historical_cutoff_ms


def _is_present(venue: Venue) -> bool:
    return venue.account.horizon.as_of_ms == PRESENT


def _arrival(order: Order) -> int:
    """Its place in the line of all orders that ever rested."""
    return order.resting.key if order.resting else 0


def _there(rows: Iterable[_Row | None]) -> list[_Row]:
    return [row for row in rows if row is not None]
