"""What the venue lists of the account, less what our rows know already; in doubt it is told, and nothing is written here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import asyncpg

from recio.db import orders
from recio.db.connection import transaction
from recio.messages.account import FillSeen, ForgottenOrder, OrderSeen, SettlementSeen
from recio.messages.orders import OrderView
from recio.rules.account.lifecycle import NEVER_ARRIVED, is_news
from recio.test_hooks.crash_points import CrashPoint, reached
from recio.units import ClientOrderId


async def unrecorded_fills(pool: asyncpg.Pool[asyncpg.Record], fills: Iterable[FillSeen]) -> list[FillSeen]:
    """Only a row ends the telling of a fill: one that was told may have been lost on its way to it."""
    listed = list(fills)
    async with transaction(pool) as connection:
        missing = await orders.fills_without_row(connection, [each.fill_id for each in listed])
    reached(CrashPoint.FILLS_SIFTED)
    return [each for each in listed if each.fill_id in missing]


async def unrecorded_settlements(
    pool: asyncpg.Pool[asyncpg.Record], settlements: Iterable[SettlementSeen]
) -> list[SettlementSeen]:
    """Only a row ends the telling of a settlement, as it does of a fill; a later word on the same market is news again."""
    listed = list(settlements)
    async with transaction(pool) as connection:
        missing = await orders.settlements_to_tell(connection, listed)
    return [each for each in listed if each.ticker in missing]


Forgotten = dict[ClientOrderId, ForgottenOrder]


async def forgotten(pool: asyncpg.Pool[asyncpg.Record], ours: Iterable[ForgottenOrder]) -> Forgotten:
    """Every order has a row before it leaves: one of ours without a row was sent by a run that these rows do not remember."""
    seen = {each.client_order_id: each for each in ours}
    if not seen:
        return {}
    async with transaction(pool) as connection:
        return {name: seen[name] for name in await orders.without_row(connection, seen)}


async def backfill_from(pool: asyncpg.Pool[asyncpg.Record]) -> datetime | None:
    """From when the venue's fills and orders must be read again after a start; None = never ordered."""
    async with transaction(pool) as connection:
        return await orders.backfill_from(connection)


async def past_without_row(
    pool: asyncpg.Pool[asyncpg.Record], ours: Iterable[ClientOrderId]
) -> frozenset[ClientOrderId]:
    """Which of these orders of earlier tags a restored database has forgotten."""
    async with transaction(pool) as connection:
        return frozenset(await orders.without_row(connection, ours))


async def contradicted(pool: asyncpg.Pool[asyncpg.Record], ours: Iterable[OrderSeen]) -> set[ClientOrderId]:
    """Orders of ours that the venue shows with a fill, or at rest, and our rows hold for refused or never arrived."""
    shown = _names(each for each in ours if each.filled or each.remaining)
    async with transaction(pool) as connection:
        in_rows = await orders.states(connection, shown, ())
    return {each for each in shown if in_rows.get(each) in NEVER_ARRIVED}


def _names(ours: Iterable[OrderSeen]) -> list[ClientOrderId]:
    return [each.client_order_id for each in ours if each.client_order_id]


async def news_of_orders(
    pool: asyncpg.Pool[asyncpg.Record], ours: Sequence[OrderSeen], held: Iterable[OrderView]
) -> list[OrderSeen]:
    """Orders of ours that may move by what the venue shows of them; the rest would only be read and put aside."""
    async with transaction(pool) as connection:
        in_rows = await orders.states(connection, _names(ours), [each.venue_order_id for each in ours])
    # An order that only the wire knows is in doubt, and told.
    states = {each.client_order_id: each.state for each in held} | dict(in_rows)
    return [each for each in ours if is_news(each, states)]
