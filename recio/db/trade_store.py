"""The transactions of trade_manager: each makes one legal move of trades and orders, with its audit log row.

Every function takes a connection that is already in a transaction; nothing here sends anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg

from recio.db import audit_log, general_ledger, orders, trades
from recio.db.connection import Connection
from recio.db.moves import NOTHING, Changes, move_order, settle_trade
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
    OpenTrades,
    OrderAccepted,
    OrderOutcome,
    OrderPurpose,
    OrderRejected,
    OrderState,
    OrderUnknown,
    OrderView,
    PlaceOrder,
    TradeState,
    TradeView,
)
from recio.rules.account import lifecycle, risk
from recio.test_hooks.crash_points import CrashPoint, reached
from recio.units import (
    Money,
    Price,
    Quantity,
    money_text,
    price_text,
    quantity_text,
)

SHOWN = 20
"""Ended trades and orders that the status page shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """Which database and which run of the daemon writes an order."""

    tag: str
    fencing: int


async def open_trades(connection: Connection, now: datetime) -> OpenTrades:
    """Everything that the rows say now."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    realised, fees, wins, losses = await trades.today(connection, midnight)
    return OpenTrades(
        trades=await trades.live(connection),
        orders=await orders.unsettled(connection),
        recent_trades=await trades.recent(connection, SHOWN),
        recent_orders=await orders.recent(connection, SHOWN),
        entries_by_event=await trades.entries_by_event(connection, now),
        last_entry_at=await trades.last_entries(connection, now),
        entries_by_market=await trades.entries_by_market(connection, now),
        realised_today=realised,
        fees_today=fees,
        wins_today=wins,
        losses_today=losses,
        losses_in_a_row=await trades.losses_in_a_row(connection),
        orders_last_minute=await orders.since(connection, now - risk.RATE_SPAN),
    )


async def record_entry(
    connection: Connection, writer: Writer, approved: risk.Approved, now: datetime, deadline: timedelta
) -> PlaceOrder:
    """Trade, order and audit log rows of one entry. The caller commits before it sends the command."""
    intent = approved.intent
    trade_id = await trades.insert(connection, intent)
    return await _record_pending(
        connection,
        writer,
        trade=await trades.one(connection, trade_id),
        purpose=OrderPurpose.ENTRY,
        exchange_index=intent.exchange_index,
        quantity=intent.quantity,
        own_price=intent.limit,
        reserved=approved.reserved,
        collar=approved.collar,
        now=now,
        deadline=deadline,
        detail={"why": intent.why, **intent.inputs},
    )


async def record_exit(
    connection: Connection, writer: Writer, intent: CloseIntent, now: datetime, deadline: timedelta
) -> PlaceOrder | None:
    """Order and audit log rows of one exit; None if the trade holds nothing that could be sold now."""
    trade = await trades.one(connection, intent.trade_id)
    quantity = Quantity(min(intent.quantity, trade.held))
    if trade.state is not TradeState.OPEN or quantity <= 0:
        return None
    await trades.move(connection, trade.trade_id, TradeState.CLOSING)
    reached(CrashPoint.EXIT_TRADE_MOVED)
    return await _record_pending(
        connection,
        writer,
        trade=trade,
        purpose=OrderPurpose.EXIT,
        exchange_index=intent.exchange_index,
        quantity=quantity,
        own_price=intent.floor,
        reserved=Money(0),
        now=now,
        deadline=deadline,
        detail={"why": intent.why},
    )


async def _record_pending(
    connection: Connection,
    writer: Writer,
    *,
    trade: TradeView,
    purpose: OrderPurpose,
    exchange_index: int | None,
    quantity: Quantity,
    own_price: Price,
    reserved: Money,
    now: datetime,
    deadline: timedelta,
    detail: dict[str, str],
    collar: risk.Collar | None = None,
) -> PlaceOrder:
    attempt = await orders.next_attempt(connection, trade.trade_id, purpose)
    command = PlaceOrder(
        client_order_id=lifecycle.client_order_id(writer.tag, trade.trade_id, purpose, attempt),
        ticker=trade.ticker,
        exchange_index=exchange_index,
        book_side=lifecycle.book_side(trade.side, purpose),
        quantity=quantity,
        price=lifecycle.yes_price(trade.side, own_price),
        reduce_only=purpose is OrderPurpose.EXIT,
        send_before=now + deadline,
    )
    try:
        await orders.insert(
            connection,
            client_order_id=command.client_order_id,
            trade_id=trade.trade_id,
            purpose=purpose,
            attempt=attempt,
            ticker=command.ticker,
            exchange_index=exchange_index,
            book_side=command.book_side,
            price=command.price,
            quantity=quantity,
            reserved=reserved,
            fencing=writer.fencing,
            at=now,
            collar=collar,
        )
    except asyncpg.ObjectNotInPrerequisiteStateError as fenced:
        raise Fatal(f"another daemon has taken over this account: {fenced}", ExitCode.TEMPORARY) from fenced
    await audit_log.append(
        connection,
        now,
        "order pending",
        trade_id=trade.trade_id,
        client_order_id=command.client_order_id,
        detail={
            "purpose": purpose.value,
            "side": command.book_side.value,
            "price": price_text(command.price),
            "quantity": quantity_text(quantity),
            **detail,
        },
    )
    reached(CrashPoint.INTENT_LOGGED)
    return command


async def record_outcome(connection: Connection, outcome: OrderOutcome) -> Changes:
    """What the venue answered, or that it did not."""
    order = await orders.by_client_id(connection, outcome.client_order_id)
    if order is None:
        return NOTHING
    match outcome:
        case OrderAccepted():
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
            note = f"rejected: {outcome.code} {outcome.text}".strip()
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
    if order is None:
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
    return await settle_trade(connection, order.trade_id, now, Changes(is_new=True, is_ours=True))


async def _record_settlement(connection: Connection, seen: SettlementSeen, now: datetime) -> Changes:
    if not await orders.insert_settlement(connection, seen):
        return NOTHING
    await general_ledger.post_settlement(connection, seen.ticker)
    reached(CrashPoint.SETTLEMENT_INSERTED)
    trade_id = await trades.live_on(connection, seen.ticker)
    if trade_id is None:
        return Changes(is_new=True)
    return await settle_trade(connection, trade_id, now, Changes(is_new=True, is_ours=True))


async def _record_close_moved(connection: Connection, moved: CloseMoved, now: datetime) -> Changes:
    trade_id = await trades.move_close(connection, moved.ticker, moved.closes_at)
    if trade_id is not None:
        detail = {"closes_at": moved.closes_at.isoformat()}
        await audit_log.append(connection, now, "close moved", trade_id=trade_id, detail=detail)
    return NOTHING
