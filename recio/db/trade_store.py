"""What trade_manager writes: each function makes one legal move of trades and orders, with its audit log row.

An order is placed by one statement that commits by itself. Answers and facts take a connection that is already in a
transaction. Nothing here sends anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import asyncpg
from asyncpg import Record

from recio.db import audit_log, general_ledger, held_rows, orders, trades
from recio.db.connection import Connection
from recio.db.held_rows import event_entries, market_entries
from recio.db.moves import NOTHING, Changes, move_order, settle_trade
from recio.db.orders import order_view
from recio.db.own_connection import Asks
from recio.db.trades import trade_view
from recio.errors import ExitCode, Fatal
from recio.messages.account import (
    CloseMoved,
    FillSeen,
    OrderProvenAbsent,
    OrderSeen,
    SettlementSeen,
    VenueFact,
)
from recio.messages.decisions import CloseIntent
from recio.messages.orders import (
    OrderAccepted,
    OrderOutcome,
    OrderPurpose,
    OrderRejected,
    OrderState,
    OrderUnknown,
    OrderView,
    PlaceOrder,
)
from recio.rules.account import lifecycle, risk
from recio.rules.account.held import EventEntries, MarketEntries, Written
from recio.rules.account.refusals import refusal_note
from recio.test_hooks.crash_points import CrashPoint, reached
from recio.units import money_decimal, money_text, price_decimal, price_text, quantity_decimal, quantity_text

PLACE_ENTRY = """
    SELECT * FROM place_entry($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
"""
PLACE_EXIT = "SELECT * FROM place_exit($1, $2, $3, $4, $5, $6, $7, $8)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """Which database and which run of the daemon writes an order."""

    tag: str
    fencing: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """An order whose row is there; the caller sends the command once that is committed."""

    command: PlaceOrder
    written: Written


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The database has no row for this entry."""

    limit: str
    """By the name that rules/account/risk.py gives it; "halt", "switch", or a constraint of the schema."""
    reason: str
    figure: Decimal | None = None
    """What it would be with this order."""
    most: Decimal | None = None


async def place_entry(
    asks: Asks, writer: Writer, approved: risk.Approved, now: datetime, deadline: timedelta
) -> Placed | Refused:
    """Trade, order and audit log rows of one entry, in one statement that looks at halts and limits once more.

    Raises Fatal once a later run has begun.
    """
    intent, collar = approved.intent, approved.collar
    row = await _asked(
        asks,
        PLACE_ENTRY,
        writer.tag,
        writer.fencing,
        intent.strategy,
        intent.ticker,
        intent.event_ticker,
        intent.exchange_index,
        intent.side.value,
        quantity_decimal(intent.quantity),
        price_decimal(intent.limit),
        money_decimal(approved.reserved),
        price_decimal(collar.ask),
        collar.model_value,
        intent.decided_at,
        intent.closes_at,
        now,
        intent.why,
        dict(intent.inputs),
    )
    if row["refused"] is not None:
        return _refused(row)
    return _placed(row, event_entries(row["event"]), market_entries(row["market"]), now + deadline)


async def place_exit(
    asks: Asks, writer: Writer, intent: CloseIntent, now: datetime, deadline: timedelta
) -> Placed | None:
    """Order and audit log rows of one exit, in one statement; None if the trade holds nothing to be sold now."""
    row = await _asked(
        asks,
        PLACE_EXIT,
        writer.tag,
        writer.fencing,
        intent.trade_id,
        intent.exchange_index,
        quantity_decimal(intent.quantity),
        price_decimal(intent.floor),
        now,
        intent.why,
    )
    return None if row["placed"] is None else _placed(row, None, None, now + deadline)


async def _asked(asks: Asks, query: str, *values: object) -> Record:
    try:
        row = await asks.fetchrow(query, *values)
    except asyncpg.ObjectNotInPrerequisiteStateError as fenced:
        raise Fatal(f"another daemon has taken over this account: {fenced}", ExitCode.TEMPORARY) from fenced
    assert row is not None, "a function of the schema has one row"
    return row


def _refused(row: Record) -> Refused:
    limit: str = row["refused"]
    reasons = {
        "switch": f"entry was switched off by {row['sentence']}",
        "halt": f"halted: {row['sentence']}",
        "restore": "what the restored backup had forgotten is not brought in yet",
        "one trade per market": "a live trade is on this market",
    }
    return Refused(
        limit=limit, reason=reasons.get(limit) or str(row["sentence"]), figure=row["figure"], most=row["most"]
    )


def _placed(
    row: Record, event: EventEntries | None, market: MarketEntries | None, send_before: datetime
) -> Placed:
    order, trade = order_view(row["placed"]), trade_view(row["trade"])
    command = PlaceOrder(
        client_order_id=order.client_order_id,
        ticker=order.ticker,
        exchange_index=row["placed"]["exchange_index"],
        book_side=order.book_side,
        quantity=order.quantity,
        price=order.price,
        reduce_only=order.purpose is OrderPurpose.EXIT,
        send_before=send_before,
    )
    written = Written(trade=trade, order=order, is_unfinished=True, event=event, market=market)
    return Placed(command=command, written=written)


async def record_outcome(connection: Connection, outcome: OrderOutcome) -> Changes:
    """What the venue answered, or that it did not."""
    order = await orders.by_client_id(connection, outcome.client_order_id)
    if order is None:
        return NOTHING
    match outcome:
        case OrderAccepted():
            named = await orders.by_venue_id(connection, outcome.venue_order_id)
            if named is not None and named.client_order_id != order.client_order_id:
                note = f"unknown: an answer with the number of {named.client_order_id}"
                return await move_order(connection, order, OrderState.UNKNOWN, note=note, at=outcome.at)
            return await move_order(
                connection,
                order,
                lifecycle.state_from_counts(order.quantity, outcome.filled, outcome.remaining),
                filled=outcome.filled,
                venue_order_id=outcome.venue_order_id,
                note=_accepted_note(order, outcome),
                at=outcome.at,
            )
        case OrderRejected():
            note = refusal_note(outcome.code, outcome.text)
            return await move_order(connection, order, OrderState.REJECTED, note=note, at=outcome.at)
        case OrderUnknown():
            return await move_order(
                connection, order, OrderState.UNKNOWN, note=f"unknown: {outcome.why}", at=outcome.at
            )


def _accepted_note(order: OrderView, outcome: OrderAccepted) -> str:
    if outcome.filled >= order.quantity or outcome.remaining > 0:
        return "accepted"
    return (
        "accepted; the rest found nobody at its limit" if outcome.filled else "accepted; nobody at its limit"
    )


async def record_fact(connection: Connection, fact: VenueFact, now: datetime) -> Changes:
    """What the venue showed of our account."""
    match fact:
        case OrderSeen():
            return await _record_order(connection, fact, now)
        case OrderProvenAbsent():
            order = await orders.by_client_id(connection, fact.client_order_id)
            if order is None:
                return NOTHING
            return await move_order(
                connection, order, OrderState.NOT_FOUND, note=f"not found: {fact.proof}", at=now
            )
        case FillSeen():
            return await _record_fill(connection, fact, now)
        case SettlementSeen():
            return await _record_settlement(connection, fact, now)
        case CloseMoved():
            return await _record_close_moved(connection, fact, now)


async def _record_order(connection: Connection, seen: OrderSeen, now: datetime) -> Changes:
    order = await orders.by_venue_id(connection, seen.venue_order_id)
    if order is None and seen.client_order_id is not None:
        order = await orders.by_client_id(connection, seen.client_order_id)
    if order is None or seen.filled > order.quantity:
        # More than was asked for is no word about it: it stays unproven, which is told, and no other waits for that.
        return NOTHING
    return await move_order(
        connection,
        order,
        lifecycle.state_from_venue(seen),
        filled=seen.filled,
        venue_order_id=seen.venue_order_id,
        note="seen at the venue",
        at=now,
    )


async def _record_fill(connection: Connection, fill: FillSeen, now: datetime) -> Changes:
    if not await orders.insert_fill(connection, fill):
        return NOTHING
    await general_ledger.post_fill(connection, fill.fill_id)
    reached(CrashPoint.FILL_INSERTED)
    order = await orders.by_venue_id(connection, fill.venue_order_id)
    if order is None:
        return Changes(is_new=True)
    await audit_log.append(
        connection,
        fill.at,
        "fill",
        trade_id=order.trade_id,
        client_order_id=order.client_order_id,
        detail={
            "fill_id": fill.fill_id,
            "price": price_text(fill.price),
            "quantity": quantity_text(fill.quantity),
            "fee": money_text(fill.fee),
        },
    )
    reached(CrashPoint.FILL_LOGGED)
    changes = Changes(is_new=True, is_ours=True)
    return await settle_trade(connection, order.trade_id, order.client_order_id, now, changes)


async def _record_settlement(connection: Connection, seen: SettlementSeen, now: datetime) -> Changes:
    if not await orders.insert_settlement(connection, seen):
        return await _record_correction(connection, seen, now)
    await general_ledger.post_settlement(connection, seen.ticker)
    reached(CrashPoint.SETTLEMENT_INSERTED)
    trade_id = await trades.live_on(connection, seen.ticker)
    if trade_id is None:
        return Changes(is_new=True)
    return await settle_trade(connection, trade_id, None, now, Changes(is_new=True, is_ours=True))


async def _record_correction(connection: Connection, seen: SettlementSeen, now: datetime) -> Changes:
    is_new, trade_id = await orders.correct_settlement(connection, seen, now)
    if trade_id is None:
        return Changes(is_new=is_new)
    return Changes(is_new=True, is_ours=True, written=await held_rows.written(connection, trade_id, None))


async def _record_close_moved(connection: Connection, moved: CloseMoved, now: datetime) -> Changes:
    trade_id = await trades.move_close(connection, moved.ticker, moved.closes_at)
    if trade_id is None:
        return NOTHING
    detail = {"closes_at": moved.closes_at.isoformat()}
    await audit_log.append(connection, now, "close moved", trade_id=trade_id, detail=detail)
    return Changes(is_new=True, is_ours=True, written=await held_rows.written(connection, trade_id, None))
