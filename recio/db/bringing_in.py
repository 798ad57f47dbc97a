"""What a restored database forgot, brought in from the venue: each order in one transaction, and the end of it last.

It makes the rows that the run before had made, by the same moves as any answer of the venue; it sends nothing, and an order
that has no place among the rows is left for a halt to name.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import asyncpg
import structlog

from recio.db import audit_log, orders, trades
from recio.db.connection import Connection
from recio.db.moves import NOTHING, Changes, move_order
from recio.db.own_connection import Asks
from recio.db.trade_store import Writer
from recio.messages.orders import OrderPurpose, TradeState
from recio.messages.past_account import BroughtIn, PastFact, PastOrder, PastRead
from recio.rules.account import forgotten, lifecycle
from recio.rules.account.forgotten import MarketRows, NewTrade, NoPlace, OfTrade
from recio.test_hooks.crash_points import CrashPoint, reached
from recio.units import (
    BookSide,
    ClientOrderId,
    Money,
    Side,
    TradeId,
    complement,
    money_decimal,
    notional,
    price_decimal,
    quantity_decimal,
)

log: structlog.stdlib.BoundLogger = structlog.get_logger()

_BEGIN = """
    INSERT INTO brought_in (restore_id, begun_at, read_from, after_transaction)
    SELECT r.restore_id, $1, least(
            coalesce((SELECT max(created_at) FROM orders), o.at, r.newest_at, $1),
            coalesce((SELECT max(at) FROM fills), o.at, r.newest_at, $1),
            (SELECT min(created_at) FROM orders WHERE is_unfinished),
            (SELECT min(read_from) FROM brought_in WHERE restore_id > coalesce(
                (SELECT max(restore_id) FROM brought_in WHERE finished_at IS NOT NULL), 0))),
        coalesce((SELECT max(transaction_id) FROM ledger_transactions), 0)
    FROM (SELECT * FROM restores WHERE restore_id = restore_to_bring_in()) AS r
    LEFT JOIN (SELECT max(at) AS at FROM opening_balances) AS o ON true
    ON CONFLICT (restore_id) DO NOTHING RETURNING restore_id
"""
_READ_FROM = "SELECT read_from FROM brought_in WHERE restore_id = restore_to_bring_in()"
_IS_DUE = "SELECT restore_to_bring_in() IS NOT NULL"
_TRADE_OF = "SELECT trade_id FROM orders WHERE client_order_id = $1"
_ENTRY_OF = "SELECT client_order_id FROM orders WHERE trade_id = $1 AND purpose = 'entry' LIMIT 1"
_NEW_TRADE = """
    INSERT INTO trades (strategy, ticker, event_ticker, exchange_index, side, state, opened_at, closes_at, why, inputs)
    VALUES ($1, $2, $3, $4, $5, 'opening', $6, $7, $8, '{}') RETURNING trade_id
"""
_NEW_ORDER = """
    INSERT INTO orders (client_order_id, trade_id, purpose, attempt, ticker, exchange_index, book_side, price, quantity,
        reserved, state, fencing, created_at)
    SELECT $1, $2, $3, coalesce(max(attempt), 0) + 1, $4, $5, $6, $7, $8, $9, 'pending', $10, $11
    FROM orders WHERE trade_id = $2 AND purpose = $3
"""
_NOT_BEFORE_ITS_END = (
    "SELECT greatest($2::timestamptz, (SELECT settled_at FROM settlements WHERE ticker = $1))"
)
_COUNT = """
    UPDATE brought_in SET orders = orders + 1, trades = trades + $1 WHERE restore_id = restore_to_bring_in()
"""
_REFUSED = """
    UPDATE brought_in SET left_out = array_append(left_out, $1)
    WHERE restore_id = restore_to_bring_in() AND $1 <> ALL (left_out)
"""
_WAITS = """
    SELECT EXISTS (SELECT FROM orders WHERE is_unfinished AND ticker = $1) OR NOT EXISTS (
        SELECT FROM brought_in WHERE restore_id = restore_to_bring_in() AND $2 = ANY (left_out)) AND $3
"""
_FINISH = """
    UPDATE brought_in AS b SET finished_at = greatest($1, b.begun_at), left_out = $2,
        fills = (SELECT count(*) FROM ledger_transactions WHERE transaction_id > b.after_transaction AND kind = 'fill'),
        settlements = (SELECT count(*) FROM ledger_transactions
            WHERE transaction_id > b.after_transaction AND kind = 'settlement')
    WHERE restore_id = restore_to_bring_in() RETURNING restore_id
"""
_NEWEST = """
    SELECT r.restored_at, b.finished_at, b.orders, b.trades, b.fills, b.settlements, b.left_out
    FROM (SELECT * FROM restores ORDER BY restore_id DESC LIMIT 1) AS r JOIN brought_in AS b USING (restore_id)
"""


async def begin(asks: Asks, now: datetime) -> None:
    """At the start of a run, before anything is brought in: the newest restore gets its row. Without a restore nothing happens.

    The rows know all that came before their newest order and their newest fill, apart from what has no end yet; without
    either, all before the newest opening balance, which is in it. A backup from the middle of such a bringing in
    knows no more than the one before it.
    """
    if await asks.fetchrow(_BEGIN, now) is not None:
        log.warning("restored", sentence="the venue is asked for what the backup had forgotten")


async def read_from(connection: Connection) -> datetime | None:
    """Since when the venue must be asked for what a restored backup had forgotten; None: there is nothing to bring in."""
    return await connection.fetchval(_READ_FROM)


async def newest(connection: Connection) -> BroughtIn | None:
    """What came of the newest restore; None: there was none, or no run since."""
    row = await connection.fetchrow(_NEWEST)
    if row is None:
        return None
    return BroughtIn(
        restored_at=row["restored_at"],
        finished_at=row["finished_at"],
        orders=row["orders"],
        trades=row["trades"],
        fills=row["fills"],
        settlements=row["settlements"],
        left_out=tuple(ClientOrderId(each) for each in row["left_out"]),
    )


async def forgo(connection: Connection, now: datetime, by: str, why: str) -> bool:
    """A person's word that nothing more is to be brought in; in a transaction of the caller. False: nothing waits for it."""
    begun = await newest(connection)
    if begun is None or await connection.fetchval(_FINISH, now, list(begun.left_out)) is None:
        return False
    await audit_log.append(connection, now, "bringing in ended by hand", detail={"by": by, "why": why})
    return True


async def record(connection: Connection, writer: Writer, fact: PastFact, now: datetime) -> Changes:
    """What the venue showed of the time that the rows do not remember; in a transaction of the caller."""
    match fact:
        case PastOrder():
            return await _record_order(connection, writer, fact, now)
        case PastRead():
            return await _record_end(connection, fact, now)


async def _record_order(connection: Connection, writer: Writer, order: PastOrder, now: datetime) -> Changes:
    if (
        not await connection.fetchval(_IS_DUE)
        or await orders.by_client_id(connection, order.name) is not None
    ):
        return NOTHING
    place = forgotten.place_of(order, await _rows_of(connection, order))
    if isinstance(place, NoPlace):
        log.info("order not brought in", order=order.name, ticker=order.seen.ticker, why=place.why)
        return NOTHING
    try:
        async with connection.transaction():
            return await _bring_in(connection, writer, order, place, now)
    except asyncpg.IntegrityConstraintViolationError as error:
        # No order of ours may keep the others from their rows; it is named by a halt.
        log.warning("order not brought in", order=order.name, ticker=order.seen.ticker, why=str(error))
        await connection.execute(_REFUSED, order.name)
        return NOTHING


async def _rows_of(connection: Connection, order: PastOrder) -> MarketRows:
    number = await trades.live_on(connection, order.seen.ticker)
    live = None if number is None else await trades.one(connection, number)
    entry = forgotten.entry_named(order.name) if order.purpose is OrderPurpose.EXIT else None
    of_entry = None if entry is None else await connection.fetchval(_TRADE_OF, entry)
    live_entry = None if number is None else await connection.fetchval(_ENTRY_OF, number)
    return MarketRows(live=live, of_entry=of_entry, live_entry=live_entry)


async def _bring_in(
    connection: Connection, writer: Writer, order: PastOrder, place: NewTrade | OfTrade, now: datetime
) -> Changes:
    """Its trade if that is new, its row, and its end at the venue with the fills that are booked."""
    if isinstance(place, NewTrade):
        trade_id = await _new_trade(connection, order, place.side)
    else:
        trade_id = place.trade_id
        await trades.move(connection, trade_id, TradeState.CLOSING)
    await _new_order(connection, writer, order, trade_id)
    await connection.execute(_COUNT, int(isinstance(place, NewTrade)))
    await audit_log.append(
        connection,
        now,
        "order brought in",
        trade_id=trade_id,
        client_order_id=order.name,
        detail={"purpose": order.purpose.value, "why": "the restored backup had forgotten it"},
    )
    reached(CrashPoint.FORGOTTEN_ORDER_WRITTEN)
    view = await orders.by_client_id(connection, order.name)
    assert view is not None, "it was written in this transaction"
    changes = await move_order(
        connection,
        view,
        lifecycle.state_from_venue(order.seen),
        at=await connection.fetchval(_NOT_BEFORE_ITS_END, order.seen.ticker, order.changed_at),
        note="brought in after a restore",
        filled=order.seen.filled,
        venue_order_id=order.seen.venue_order_id,
    )
    return replace(changes, order_note=f"brought in after a restore, into trade {trade_id}")


async def _new_trade(connection: Connection, order: PastOrder, side: Side) -> TradeId:
    assert order.market is not None, "an entry without its market has no place"
    return await connection.fetchval(
        _NEW_TRADE,
        order.strategy,
        order.seen.ticker,
        order.market.event_ticker,
        order.exchange_index,
        side.value,
        order.created_at,
        order.market.closes_at,
        f"brought in after a restore, from order {order.name}",
    )


async def _new_order(connection: Connection, writer: Writer, order: PastOrder, trade_id: TradeId) -> None:
    await connection.execute(
        _NEW_ORDER,
        order.name,
        trade_id,
        order.purpose.value,
        order.seen.ticker,
        order.exchange_index,
        order.book_side.value,
        price_decimal(order.price),
        quantity_decimal(order.quantity),
        money_decimal(_most_it_could_cost(order)),
        writer.fencing,
        order.created_at,
    )


def _most_it_could_cost(order: PastOrder) -> Money:
    """Without its fee, which its fills tell."""
    if order.purpose is OrderPurpose.EXIT:
        return Money(0)
    own = order.price if order.book_side is BookSide.BID else complement(order.price)
    return notional(own, order.quantity)


async def _record_end(connection: Connection, read: PastRead, now: datetime) -> Changes:
    """All is brought in that has a place. While one has it by now, or its market still moves, all are asked for again."""
    for each in await _without_row(connection, read.orders):
        has_place = not isinstance(forgotten.place_of(each, await _rows_of(connection, each)), NoPlace)
        if await connection.fetchval(_WAITS, each.seen.ticker, each.name, has_place):
            return NOTHING
    names = [*(each.name for each in read.orders), *read.resting]
    left = await orders.without_row(connection, names)
    if await connection.fetchval(_FINISH, now, list(left)) is None:
        return NOTHING
    done = await newest(connection)
    assert done is not None, "it was finished in this transaction"
    detail = {"sentence": forgotten.told(done), "left out": list(left)}
    await audit_log.append(connection, now, "brought in", detail=detail)
    reached(CrashPoint.BRINGING_IN_BEFORE_COMMIT)
    return replace(NOTHING, is_new=True)


async def _without_row(connection: Connection, seen: tuple[PastOrder, ...]) -> list[PastOrder]:
    missing = frozenset(await orders.without_row(connection, [each.name for each in seen]))
    return [each for each in seen if each.name in missing]
