"""Orders, fills and settlements: one function per operation; written by trade_manager only.

An order's row exists, committed, before its request leaves; nothing here ever deletes one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from asyncpg import Record

from recio.db.connection import Connection
from recio.messages.account import FillSeen, SettlementSeen
from recio.messages.orders import OrderPurpose, OrderState, OrderView
from recio.rules.account.manual_settlement import KnownEnd
from recio.test_hooks.crash_points import CrashPoint, reached
from recio.units import (
    BookSide,
    ClientOrderId,
    FillId,
    Price,
    Quantity,
    Ticker,
    TradeId,
    VenueOrderId,
    money_decimal,
    money_of,
    price_decimal,
    price_of,
    quantity_decimal,
    quantity_of,
)

_BY_CLIENT_ID = "SELECT * FROM orders WHERE client_order_id = $1"
_BY_VENUE_ID = "SELECT * FROM orders WHERE venue_order_id = $1"
_WAITS = "SELECT EXISTS (SELECT FROM orders WHERE trade_id = $1 AND is_unfinished)"
_MOVE = """
    UPDATE orders SET state = $2, filled = greatest(filled, $3), venue_order_id = coalesce(venue_order_id, $4),
           note = $5, ended_at = $6
    WHERE client_order_id = $1
"""
_UNANSWERED = """
    UPDATE orders SET state = 'unknown', note = 'stopped before the venue answered'
    WHERE is_unfinished AND state = 'pending' RETURNING client_order_id
"""
_FILL = """
    INSERT INTO fills (fill_id, venue_order_id, ticker, book_side, price, quantity, fee, is_taker, at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (fill_id) DO NOTHING RETURNING fill_id
"""
_SETTLEMENT = """
    INSERT INTO settlements (ticker, result, value, settled_at, revenue_cents, set_by) VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (ticker) DO NOTHING RETURNING ticker
"""
_CORRECTION = "SELECT * FROM correct_settlement($1, $2, $3, $4, $5, $6, $7)"
_SETTLED = "SELECT result, value FROM settlements WHERE ticker = $1"
_KNOWN_END = "SELECT value, set_by FROM settlements WHERE ticker = $1"
_WITHOUT_ROW = """
    SELECT seen.id FROM unnest($1::text[]) AS seen (id)
    WHERE NOT EXISTS (SELECT FROM orders AS o WHERE o.client_order_id = seen.id) ORDER BY seen.id
"""
_FILLS_WITHOUT_ROW = """
    SELECT seen.id FROM unnest($1::text[]) AS seen (id)
    WHERE NOT EXISTS (SELECT FROM fills AS f WHERE f.fill_id = seen.id)
"""
_STATES = """
    SELECT client_order_id, venue_order_id, state FROM orders WHERE client_order_id = ANY($1::text[])
    UNION SELECT client_order_id, venue_order_id, state FROM orders WHERE venue_order_id = ANY($2::text[])
"""
_SETTLEMENTS_TO_TELL = """
    SELECT seen.ticker FROM unnest($1::text[], $2::numeric[], $3::timestamptz[]) AS seen (ticker, value, at)
    LEFT JOIN settlements AS s ON s.ticker = seen.ticker
    WHERE s.ticker IS NULL OR s.set_by <> '' OR (s.value <> seen.value AND seen.at >= s.settled_at)
"""
_BACKFILL_FROM = """
    SELECT coalesce(
        (SELECT min(created_at) FROM orders WHERE is_unfinished),
        (SELECT max(at) FROM fills),
        (SELECT max(created_at) FROM orders))
"""


async def by_client_id(connection: Connection, client_order_id: ClientOrderId) -> OrderView | None:
    row = await connection.fetchrow(_BY_CLIENT_ID, client_order_id)
    return None if row is None else order_view(row)


async def by_venue_id(connection: Connection, venue_order_id: VenueOrderId) -> OrderView | None:
    row = await connection.fetchrow(_BY_VENUE_ID, venue_order_id)
    return None if row is None else order_view(row)


async def waits(connection: Connection, trade_id: TradeId) -> bool:
    """Whether an order of a trade has no proven end, or fills that the venue counted are still to come."""
    return await connection.fetchval(_WAITS, trade_id)


async def move(
    connection: Connection,
    client_order_id: ClientOrderId,
    state: OrderState,
    *,
    filled: Quantity,
    venue_order_id: VenueOrderId | None,
    note: str,
    ended_at: datetime | None,
) -> None:
    await connection.execute(
        _MOVE, client_order_id, state.value, quantity_decimal(filled), venue_order_id, note, ended_at
    )
    reached(CrashPoint.ORDER_MOVED)


async def mark_unanswered(connection: Connection) -> list[ClientOrderId]:
    """Record every pending order, whose answer will not come any more, as unknown; returns their ids."""
    return [ClientOrderId(row["client_order_id"]) for row in await connection.fetch(_UNANSWERED)]


async def insert_fill(connection: Connection, fill: FillSeen) -> bool:
    """True if the fill is new; the same trade id again changes nothing."""
    return None is not await connection.fetchval(
        _FILL,
        fill.fill_id,
        fill.venue_order_id,
        fill.ticker,
        fill.book_side.value,
        price_decimal(fill.price),
        quantity_decimal(fill.quantity),
        money_decimal(fill.fee),
        fill.is_taker,
        fill.at,
    )


async def insert_settlement(connection: Connection, seen: SettlementSeen) -> bool:
    """True if the settlement is new."""
    return None is not await connection.fetchval(_SETTLEMENT, *_settlement(seen))


async def correct_settlement(
    connection: Connection, seen: SettlementSeen, now: datetime
) -> tuple[bool, TradeId | None]:
    """Whether a market that is settled got another value, and the trade that it ended, with its money."""
    row = await connection.fetchrow(_CORRECTION, *_settlement(seen), now)
    assert row is not None, "a function of the schema has one row"
    return row["is_new"], row["of_trade"]


def _settlement(seen: SettlementSeen) -> tuple[object, ...]:
    value = price_decimal(seen.yes_value)
    return seen.ticker, seen.word, value, seen.settled_at, seen.revenue_cents, seen.set_by


async def settled_at(connection: Connection, ticker: Ticker) -> tuple[str, Price] | None:
    """What the venue said this market settled at, in a word and as the value of one YES, if it did."""
    row = await connection.fetchrow(_SETTLED, ticker)
    return None if row is None else (row["result"], price_of(row["value"]))


async def known_end(connection: Connection, ticker: Ticker) -> KnownEnd | None:
    """How this market is settled in our rows, and by whom."""
    row = await connection.fetchrow(_KNOWN_END, ticker)
    return None if row is None else KnownEnd(value=price_of(row["value"]), set_by=row["set_by"])


async def without_row(connection: Connection, ids: Iterable[ClientOrderId]) -> tuple[ClientOrderId, ...]:
    """Which of these orders these rows have never heard of."""
    return tuple(ClientOrderId(row["id"]) for row in await connection.fetch(_WITHOUT_ROW, list(ids)))


async def fills_without_row(connection: Connection, ids: Iterable[FillId]) -> frozenset[FillId]:
    """Which of these fills are not recorded, whatever was said of them before."""
    return frozenset(FillId(row["id"]) for row in await connection.fetch(_FILLS_WITHOUT_ROW, list(ids)))


async def states(
    connection: Connection, ids: Iterable[ClientOrderId], venue_ids: Iterable[VenueOrderId]
) -> Mapping[str, OrderState]:
    """The state of each of these orders that has a row, by our own id and by the venue's."""
    rows = await connection.fetch(_STATES, list(ids), list(venue_ids))
    return {
        name: OrderState(row["state"])
        for row in rows
        for name in (row["client_order_id"], row["venue_order_id"])
        if name is not None
    }


async def settlements_to_tell(connection: Connection, listed: Sequence[SettlementSeen]) -> frozenset[Ticker]:
    """Of which of these markets no settlement is recorded, one made by hand, or another one that is not newer."""
    values = [price_decimal(each.yes_value) for each in listed]
    rows = await connection.fetch(
        _SETTLEMENTS_TO_TELL, [each.ticker for each in listed], values, [each.settled_at for each in listed]
    )
    return frozenset(Ticker(row["ticker"]) for row in rows)


async def backfill_from(connection: Connection) -> datetime | None:
    """From when the venue's fills and orders must be read again after a start; None = never ordered."""
    return await connection.fetchval(_BACKFILL_FROM)


def order_view(row: Record) -> OrderView:
    """From a whole row of orders."""
    venue_order_id = row["venue_order_id"]
    return OrderView(
        client_order_id=ClientOrderId(row["client_order_id"]),
        trade_id=TradeId(row["trade_id"]),
        venue_order_id=None if venue_order_id is None else VenueOrderId(venue_order_id),
        ticker=Ticker(row["ticker"]),
        purpose=OrderPurpose(row["purpose"]),
        book_side=BookSide(row["book_side"]),
        state=OrderState(row["state"]),
        quantity=quantity_of(row["quantity"]),
        filled=quantity_of(row["filled"]),
        price=price_of(row["price"]),
        reserved=money_of(row["reserved"]),
        created_at=row["created_at"],
        note=row["note"],
        ended_at=row["ended_at"],
    )
